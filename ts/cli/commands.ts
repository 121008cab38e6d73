import { backup } from './backup.ts'
import type { Command } from './command.ts'
import { doctor } from './doctor.ts'
import { erase } from './erase.ts'
import { exportTenant } from './export.ts'
import { init } from './init.ts'
import { inspect } from './inspect.ts'
import { isolation } from './isolation.ts'
import { migrate } from './migrate.ts'
import { restore } from './restore.ts'
import { runs } from './runs.ts'
import { setup } from './setup.ts'
import { verify } from './verify.ts'

/** Every verb by its name, in the order of the help. A verb is here when it does what it says. */
export const commands: ReadonlyMap<string, Command> = new Map([
  ['init', init],
  ['verify', verify],
  ['doctor', doctor],
  ['backup', backup],
  ['restore', restore],
  ['migrate', migrate],
  ['setup', setup],
  ['isolation', isolation],
  ['inspect', inspect],
  ['runs', runs],
  ['export', exportTenant],
  ['erase', erase],
])
