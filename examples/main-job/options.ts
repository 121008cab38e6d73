import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'

/** Options of the job. */
export interface Options {
  /** The URL of the store. */
  readonly store: string
  /** Number of tenants that share the store. */
  readonly tenants: number
  /** The directory of the data sets. */
  readonly data: string
  /** `provider/name` of a real model; without it the model is scripted. */
  readonly model: string | undefined
  /** Whether each step is printed. */
  readonly verbose: boolean
}

const HELP = `Kills a load and a run and continues them, kills a host and sees another go on with its runs, then loads real data sets for
several tenants into one store and checks that nothing crosses.

  npm start -- [options]

  --store URL      where to keep the data (default sled:./.bailiwick/main-job; memory: works too)
  --tenants N      how many tenants, 2 to 26 (default 2)
  --data DIRECTORY where the data sets are (default: those of the package vega-datasets)
  --model NAME     provider/name of a real model, such as anthropic/claude-sonnet-4-5, with its key in the
                   environment (default: a scripted one)
  --verbose        print each step, not its result alone
  --help           this text
`

/** Reads the command line. Ends the process with a one-line message if it is wrong. */
export function readOptions(): Options {
  try {
    const { values } = parseArgs({
      options: {
        store: { type: 'string', default: 'sled:./.bailiwick/main-job' },
        tenants: { type: 'string', default: '2' },
        data: { type: 'string' },
        model: { type: 'string' },
        verbose: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) {
      process.stdout.write(HELP)
      process.exit(0)
    }
    const tenants = Number(values.tenants)
    if (!Number.isInteger(tenants) || tenants < 2 || tenants > 26) {
      throw new Error(`--tenants takes a whole number from 2 to 26, not ${values.tenants}`)
    }
    const { store, data = packagedData(), model, verbose } = values
    return { store, tenants, data, model, verbose }
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\nTry: npm start -- --help\n`)
    process.exit(2)
  }
}

function packagedData(): string {
  // The package exports only its code; its data is beside that.
  const code = createRequire(import.meta.url).resolve('vega-datasets')
  return join(dirname(code), '..', 'data')
}
