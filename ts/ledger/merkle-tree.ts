// The tree of RFC 6962 and RFC 9162 over SHA-256. Sizes go beyond 32 bits, so there are no bitwise operators here.
import { crypto } from './crypto.ts'

/** The hash of the leaf of a record: the leaf's data is itself a hash, over the opening and the record's RFC 8785 form. */
export function recordLeaf(opening: Buffer, record: string): Buffer {
  return sha256(Buffer.of(0), sha256(opening, Buffer.from(record)))
}

/** Whether `path` shows that `leaf` is number `sequence` of the `size` leaves under `root` (RFC 9162, 2.1.3.2). */
export function pathIncludes(
  leaf: Buffer,
  sequence: number,
  size: number,
  path: readonly Buffer[],
  root: Buffer,
): boolean {
  if (sequence >= size) return false
  const place = new Place(sequence, size - 1)
  let hash = leaf
  for (const sibling of path) {
    const side = place.climb()
    if (side === undefined) return false
    hash = side === 'left' ? nodeHash(sibling, hash) : nodeHash(hash, sibling)
  }
  return place.last === 0 && hash.equals(root)
}

/** The size and root of a tree. */
export interface Tree {
  readonly size: number
  readonly root: Buffer
}

/** Whether `path` shows that the leaves of `to` begin with those of `from` (RFC 9162, 2.1.4.2). */
export function pathConnects(from: Tree, to: Tree, path: readonly Buffer[]): boolean {
  if (from.size === 0 || from.size >= to.size) return isTrivial(from, to) && path.length === 0
  // A complete tree is itself a subtree of the new one: the path starts at its root.
  const [first, ...rest] = isPowerOfTwo(from.size) ? [from.root, ...path] : path
  if (first === undefined) return false
  const place = new Place(from.size - 1, to.size - 1)
  while (place.node % 2 === 1) place.up()
  let [old, now] = [first, first]
  for (const sibling of rest) {
    const side = place.climb()
    if (side === undefined) return false
    if (side === 'left') old = nodeHash(sibling, old)
    now = side === 'left' ? nodeHash(sibling, now) : nodeHash(now, sibling)
  }
  return place.last === 0 && old.equals(from.root) && now.equals(to.root)
}

/** Every tree begins with the empty one and with itself. */
function isTrivial(from: Tree, to: Tree): boolean {
  const empty = sha256()
  if (to.size === 0 && !to.root.equals(empty)) return false
  return from.size === 0 ? from.root.equals(empty) : from.size === to.size && from.root.equals(to.root)
}

/** A node and the last node on its level (`fn` and `sn` of the RFC). */
class Place {
  node: number
  last: number

  constructor(node: number, last: number) {
    this.node = node
    this.last = last
  }

  up(): void {
    this.node = Math.floor(this.node / 2)
    this.last = Math.floor(this.last / 2)
  }

  /** Goes to the parent that the next sibling leads to, and says where the sibling is. `undefined` at the root. */
  climb(): 'left' | 'right' | undefined {
    if (this.last === 0) return undefined
    const left = this.node % 2 === 1 || this.node === this.last
    // A last node without a right neighbour stands for its parent.
    while (left && this.node !== 0 && this.node % 2 === 0) this.up()
    this.up()
    return left ? 'left' : 'right'
  }
}

function isPowerOfTwo(size: number): boolean {
  let rest = size
  while (rest > 1 && rest % 2 === 0) rest /= 2
  return rest === 1
}

function nodeHash(left: Buffer, right: Buffer): Buffer {
  return sha256(Buffer.of(1), left, right)
}

function sha256(...parts: readonly Buffer[]): Buffer {
  const hash = crypto().createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}
