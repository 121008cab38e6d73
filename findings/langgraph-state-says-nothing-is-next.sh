#!/usr/bin/env bash
# @langchain/langgraph 1.7.3: `getState(config).next`, "Nodes to execute in the next step, if any", is empty for a thread that is not at its end, if the
# process ended after a step's writes were stored and before the checkpoint that follows. The values already hold the writes. A program that takes an
# empty `next` for the end, as it is after the last step, never continues the thread, and the rest of its work is lost without an error: 1 of 11
# runs that were killed 16 times in all.
# Expected: the node that runs next, or something that tells such a thread from one that has ended.
# Seen: `next` is [] for both, and `invoke(null)` then runs two nodes more for the first.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts @langchain/langgraph@1.7.3 @langchain/core@1.4.0
cat >finding.mjs <<'JS'
import { Annotation, END, MemorySaver, START, StateGraph } from '@langchain/langgraph'
// Stands for a process that is killed: the checkpoint after the second node is not written, its writes are.
class Killed extends MemorySaver {
  isKilled = false
  async put(config, checkpoint, metadata, versions) {
    if (metadata.step !== 2 || this.isKilled) return super.put(config, checkpoint, metadata, versions)
    this.isKilled = true
    throw new Error('killed')
  }
}
const State = Annotation.Root({ done: Annotation({ reducer: (a, b) => [...a, ...b], default: () => [] }) })
const ran = []
const node = (name) => () => {
  ran.push(name)
  return { done: [name] }
}
let graph = new StateGraph(State)
const names = ['a', 'b', 'c', 'd']
for (const name of names) graph = graph.addNode(name, node(name))
graph = graph.addEdge(START, 'a').addEdge('a', 'b').addEdge('b', 'c').addEdge('c', 'd').addEdge('d', END)
const app = graph.compile({ checkpointer: new Killed() })
const config = { configurable: { thread_id: '1' }, durability: 'sync' }
await app.invoke({ done: [] }, config).catch((error) => console.log(error.message))
const show = async (when) => {
  const { next, values } = await app.getState(config)
  console.log(`${when}: next ${JSON.stringify(next)}, values ${JSON.stringify(values.done)}, ran ${ran.join()}`)
}
await show('killed')
await app.invoke(null, config)
await show('at its end')
JS
node finding.mjs | tee seen.txt
diff seen.txt - <<'SEEN'
killed
killed: next [], values ["a","b"], ran a,b
at its end: next [], values ["a","b","c","d"], ran a,b,c,d
SEEN
