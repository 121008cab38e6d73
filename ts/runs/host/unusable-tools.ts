import { SpecError } from '../../errors/index.ts'
import { bridge } from '../../native/bridge.ts'
import { Operation } from '../../native/operations.ts'
import { topologyJson } from '../../spec/dump/dump-parts.ts'
import { defineRuntime, defineTenant, type Tool } from '../../spec/index.ts'

/**
 * Why `createRuntime` would refuse these tools, by their places in the list. The core compiles their schemas, as it does for a
 * runtime.
 *
 * @throws what the addon cannot be loaded with
 */
export async function unusableTools(tools: readonly Tool[]): Promise<Map<number, string>> {
  const native = bridge()
  const reasons = new Map<number, string>()
  const text = topologyJson(defineRuntime({ tenant: defineTenant('tools', '1'), tools }))
  try {
    const compiled = await native.submit(
      Operation.registerTopology,
      0,
      (message) => message.text(text),
      (answer) => answer.u32(),
    )
    native.releaseTopology(compiled)
  } catch (error) {
    if (!SpecError.isInstance(error)) throw error
    for (const { path, message } of error.issues) {
      const at = Number(/^tools\[(\d+)\]/.exec(path)?.[1])
      if (Number.isInteger(at) && !reasons.has(at)) reasons.set(at, message)
    }
    if (reasons.size === 0) throw error
  }
  return reasons
}
