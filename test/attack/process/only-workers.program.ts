// A main thread that never loads the addon: workers do, one after the other, and end by themselves or are terminated.
import { once } from 'node:events'
import process from 'node:process'
import { Worker } from 'node:worker_threads'

const [url = '', count = '', way = ''] = process.argv.slice(2)
for (let index = 0; index < Number(count); index += 1) {
  const ends = way === 'end' || (way === 'both' && index % 2 === 0)
  const worker = new Worker(new URL('./short-life.program.js', import.meta.url), { workerData: { url, ends } })
  const exited = once(worker, 'exit')
  await once(worker, 'message')
  if (!ends) await worker.terminate()
  await exited
  console.log(`ended ${index}`)
}
