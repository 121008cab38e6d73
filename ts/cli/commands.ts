import type { Command } from './command.ts'
import { compact } from './commands/compact.ts'
import { backup } from './commands/copies/backup.ts'
import { migrate } from './commands/copies/migrate.ts'
import { restore } from './commands/copies/restore.ts'
import { doctor } from './commands/doctor.ts'
import { init } from './commands/init.ts'
import { inspect } from './commands/inspect.ts'
import { isolation } from './commands/isolation.ts'
import { setup } from './commands/setup.ts'
import { erase } from './commands/tenant/erase.ts'
import { exportTenant } from './commands/tenant/export.ts'
import { runs } from './commands/tenant/runs.ts'
import { waits } from './commands/tenant/waits.ts'
import { verify } from './commands/verify.ts'

/** Every verb by its name, in the order of the help. A verb is here when it does what it says. */
export const commands: ReadonlyMap<string, Command> = new Map([
  ['init', init],
  ['verify', verify],
  ['doctor', doctor],
  ['compact', compact],
  ['backup', backup],
  ['restore', restore],
  ['migrate', migrate],
  ['setup', setup],
  ['isolation', isolation],
  ['inspect', inspect],
  ['runs', runs],
  ['waits', waits],
  ['export', exportTenant],
  ['erase', erase],
])
