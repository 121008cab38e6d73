import { spawnSync } from 'node:child_process'
import process from 'node:process'
import { expect, test } from 'vitest'
import { commands } from '../../ts/cli/commands.ts'
import { run } from '../../ts/cli/run.ts'
import { VERSION } from '../../ts/common/version.ts'
import { bailiwick, command, oneLine } from './command.ts'

test.each([[[]], [['--help']], [['-h']], [['help']]])('%j lists the commands', async (words) => {
  const { code, out, err } = await bailiwick(words)
  expect([code, err]).toEqual([0, ''])
  expect(out).toContain('verify <file>')
})

test.each([[['verify', '--help']], [['verify', '-h']], [['help', 'verify']], [['verify', 'no-file', '--help']]])(
  '%j describes verify',
  async (words) => {
    const { code, out, err } = await bailiwick(words)
    expect([code, err]).toEqual([0, ''])
    for (const word of ['verify <file>', '--key', '--origin', '--json', 'Exit codes']) expect(out).toContain(word)
  },
)

test.each([...commands])(
  '%s --help shows its usage, its options and its exit codes',
  async (name, { operands, options }) => {
    const { code, out, err } = await bailiwick([name, '--help'])
    expect([code, err]).toEqual([0, ''])
    for (const operand of operands) expect(out).toContain(`<${operand}>`)
    for (const option of Object.keys(options)) expect(out).toContain(`--${option}`)
    for (const word of [`bailiwick ${name}`, '--json', 'Exit codes: 0 ']) expect(out).toContain(word)
  },
)

test('--version is the version of the package', async () => {
  expect(await bailiwick(['--version'])).toEqual({ code: 0, out: `${VERSION}\n`, err: '' })
})

test.each([
  [['nothing'], 'There is no command nothing.'],
  [['\u001b[2Jverify'], 'There is no command \\u{1b}[2Jverify.'],
  [['__proto__'], 'There is no command __proto__.'],
  [['docter', './data'], 'There is no command docter. Did you mean doctor? The commands are: init,'],
  [['Verify'], 'Did you mean verify?'],
  [['--verify'], 'Did you mean verify?'],
  [['verify', 'a', '--orign', 'x'], "Unknown option '--orign'. Did you mean --origin?"],
  [['doctor', '.', '--root-key', 'x'], "Unknown option '--root-key'."],
  [['inspect', '.', '--tennant', 'acme'], "Unknown option '--tennant'. Did you mean --tenant?"],
  [['doctor', '.', '--jsn'], "Unknown option '--jsn'. Did you mean --json?"],
  [['verify'], '<file> is missing.'],
  [['verify', 'a', 'b', '--key', 'k'], 'Unexpected argument: b.'],
  [['verify', 'a', '--nothing'], "Unknown option '--nothing'."],
  [['verify', 'a', '--key', 'k', '--key', 'l'], '--key was given twice.'],
  [['verify', 'a', '--key'], "Option '--key <value>' argument missing."],
  [['verify', 'a', '--json=yes'], "Option '--json' does not take an argument."],
])('%j is refused in one line', async (words, message) => {
  const answer = await bailiwick(words)
  expect(answer).toEqual(oneLine)
  expect(answer.err).toContain(message)
  expect(answer.err).toContain('Try: bailiwick')
})

test('with --json a wrong call is reported as JSON', async () => {
  const { code, out, err } = await bailiwick(['verify', '--json'])
  expect([code, err]).toEqual([2, ''])
  expect(JSON.parse(out)).toEqual({ error: { code: 'USAGE', message: '<file> is missing.' } })
})

/** What a shell says of this command line; `$0` is Node and `$1` the command. */
function inShell(line: string): { status: number | null; stderr: string } {
  return spawnSync('bash', ['-c', `set -o pipefail; ${line}`, process.execPath, command], { encoding: 'utf8' })
}

test('a reader that stops reading is no failure', () => {
  expect(inShell('"$0" "$1" --help | head -c 1')).toMatchObject({ status: 0, stderr: '' })
})

test('an answer that cannot be written is a failure', () => {
  const stderr = 'bailiwick: the answer cannot be written: ENOSPC.\n'
  expect(inShell('"$0" "$1" --help > /dev/full')).toMatchObject({ status: 2, stderr })
})

test('an internal error is reported as one, with an exit code of its own', async () => {
  const written: string[] = []
  const terminal = {
    print: () => {
      throw new TypeError('the terminal is gone')
    },
    complain: (text: string) => written.push(text),
    isInteractive: false,
  }
  expect(await run(['verify', '--help'], terminal)).toBe(70)
  expect(written.join('')).toMatch(/^bailiwick: internal error, please report it\.\nTypeError: the terminal is gone\n/)
})
