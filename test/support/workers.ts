import { Worker } from 'node:worker_threads'
import { onTestFinished } from 'vitest'
import { programFile } from './programs.ts'

/** A worker and everything it says, in order. */
export function startWorker(
  name: string,
  workerData: object,
): { worker: Worker; said(what: string, times?: number): Promise<void>; heard: string[] } {
  const worker = new Worker(programFile(name), { workerData })
  onTestFinished(async () => void (await worker.terminate()))
  const heard: string[] = []
  const watchers = new Set<() => void>()
  let failure: unknown
  worker.on('error', (error) => {
    failure = error
    for (const watcher of watchers) watcher()
  })
  worker.on('message', (message: string) => {
    heard.push(message)
    for (const watcher of watchers) watcher()
  })
  const said = (what: string, times = 1) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (failure !== undefined) reject(failure)
        else if (heard.filter((message) => message === what).length >= times) resolve()
        else return
        watchers.delete(look)
      }
      watchers.add(look)
      look()
    })
  return { worker, said, heard }
}
