import { describe, expect, it } from 'vitest'
import { createRuntime, defineRuntime, openStore, type Runtime, setupStore } from '../../ts/index.ts'
import type { OpenStore } from '../../ts/store/store.ts'
import { testStore } from '../../ts/testing/index.ts'
import { runtimeWithAgent } from '../isolation/agents.ts'
import { failureOf } from '../support/failures.ts'
import { noon, openFresh } from '../support/stores.ts'
import { verbsOf } from '../support/verbs.ts'
import { acme } from '../unit/support.ts'

/** A part of a runtime, with arguments that no type allows. */
// biome-ignore lint/suspicious/noExplicitAny: what is tried has no type
type Loose = Record<string, (...given: any[]) => any>

/** A wrong argument of one field, and how the message shows it. */
type Wrong = readonly [given: unknown, shown: string]

interface Case {
  readonly field: string
  readonly call: (part: Loose, wrong: unknown) => unknown
  readonly wrong: readonly Wrong[]
}

const secret = 'canary-of-a-secret'
const approval = `approval_${'a'.repeat(32)}`
const noRun = `run_${'a'.repeat(32)}`
const noWait = `wait_${'a'.repeat(32)}`

/** What is no text. Of a value that may be a secret, only the kind is said. */
const notText: Wrong[] = [
  [5, 'not 5'],
  [null, 'not null'],
  [{ secret }, 'not an object'],
  [[secret], 'not an array'],
  [revoked(), 'not an object'],
]
const notNumber: Wrong[] = [
  [secret, 'not a string'],
  [null, 'not null'],
  [Number.NaN, 'not NaN'],
  [1n, 'not a BigInt'],
  [{ secret }, 'not an object'],
  [revoked(), 'not an object'],
]
const notWhole: Wrong[] = [...notNumber, [1.5, 'not 1.5'], [-1, 'not -1'], [2 ** 53, 'not 9007199254740992']]
const notTime: Wrong[] = [...notWhole, [0, 'not 0']]
const notLimit: Wrong[] = [...notTime, [1001, 'not 1001']]
const notOptions: Wrong[] = [
  [secret, 'not a string'],
  [5, 'not 5'],
  [null, 'not null'],
]
const empty: Wrong[] = [['', 'must not be empty']]
const notType: Wrong[] = [...notText, ['Upper', 'It is "Upper"'], [`x${'y'.repeat(99)}`, `It is "x${'y'.repeat(39)}"…`]]
const notMediaType: Wrong[] = [...notText, ...empty, ['text', 'It is "text"']]
const notSignal: Wrong[] = [
  [5, 'It is 5'],
  [{}, 'It is an object'],
  [secret, 'It is a string'],
]

/** A call with one option. */
const option = (verb: string, field: string, wrong: readonly Wrong[], ...before: unknown[]): Case => ({
  field,
  call: (part, value) => part[verb]?.(...before, { [field]: value }),
  wrong,
})

/** A call with one argument. */
const argument = (verb: string, field: string, wrong: readonly Wrong[], ...before: unknown[]): Case => ({
  field,
  call: (part, value) => part[verb]?.(...before, value),
  wrong,
})

const page = (verb: string, ...before: unknown[]): Case[] => [
  argument(verb, 'options', notOptions, ...before),
  option(verb, 'limit', notLimit, ...before),
  option(verb, 'cursor', [...notText, ...empty, ['x', 'cursor']], ...before),
]

/** Every verb that takes anything, with each of its fields. What takes an id alone finds nothing, whatever it is. */
const cases: Record<string, Record<string, readonly Case[]>> = {
  references: {
    put: [
      { field: 'type', call: ({ put }, type) => put?.(type, 1), wrong: notType },
      argument('put', 'options', notOptions, 'thing', 1),
      option('put', 'ttlMs', notTime, 'thing', 1),
      option('put', 'mediaType', notMediaType, 'thing', 1),
      argument(
        'put',
        'The value',
        [
          [1n, 'a BigInt'],
          [undefined, 'undefined'],
          ['\ud800', 'a lone surrogate'],
        ],
        'thing',
      ),
    ],
    putMany: [
      argument('putMany', 'items', notOptions),
      { field: 'items\\[0\\]', call: ({ putMany }, item) => putMany?.([item]), wrong: notOptions },
      { field: 'items\\[1\\].type', call: manyWith('type'), wrong: notText },
      { field: 'items\\[1\\].ttlMs', call: manyWith('ttlMs'), wrong: notNumber },
      { field: 'items\\[1\\].mediaType', call: manyWith('mediaType'), wrong: [...notText, ...empty] },
    ],
    resolveMany: [argument('resolveMany', 'ids', notOptions)],
    list: [...page('list'), option('list', 'type', [...notType.slice(1), ...empty])],
    resolve: [],
    describe: [],
    delete: [],
  },
  plans: {
    save: [
      argument('save', 'plan', notOptions),
      argument('save', 'plan', [[{ x: 1n }, 'a BigInt']]),
      option('save', 'expectedVersion', notWhole, { type: 'launch', goal: 'x', steps: [] }),
      ...['Upper', '1st'].map((type) => option('save', 'type', [[type, `It is "${type}"`]])),
    ],
    load: [argument('load', 'options', notOptions, 'plan'), option('load', 'version', notWhole, 'plan')],
    list: page('list'),
    history: [],
  },
  approvals: {
    request: [
      argument('request', 'subject', notOptions),
      argument('request', 'subject', [
        [{ tol: 'ship', input: 1 }, '"tol"'],
        [{}, '{ tool, input } or { planId }'],
      ]),
      { field: 'tool', call: ({ request }, tool) => request?.({ tool, input: 1 }), wrong: [['1st', 'It is "1st"']] },
      option('request', 'ttlMs', notTime, { tool: 'ship', input: 1 }),
      option('request', 'requestedBy', [...notText, ...empty], { tool: 'ship', input: 1 }),
    ],
    get: [],
    pending: page('pending'),
    respond: [
      argument('respond', 'response', notOptions, approval),
      option(
        'respond',
        'decision',
        [
          ['aprove', 'not "aprove"'],
          ['x'.repeat(99), `not "${'x'.repeat(40)}"…`],
          [5, 'not 5'],
        ],
        approval,
      ),
      {
        field: 'actor',
        call: (part, actor) => part['respond']?.(approval, { decision: 'approve', actor }),
        wrong: [...notText, ...empty],
      },
      {
        field: 'reason',
        call: (part, reason) => part['respond']?.(approval, { decision: 'approve', actor: 'a', reason }),
        wrong: [...notText, ...empty],
      },
    ],
    history: page('history'),
    checkpoint: [],
    prove: [argument('prove', 'sequence', notWhole)],
    proveConsistency: [
      argument('proveConsistency', 'checkpoint', [...notOptions, [{ size: 1 }, '{ note, size, rootHash }']]),
    ],
    verify: [argument('verify', 'options', notOptions), option('verify', 'checkpoint', [])],
  },
  cache: {
    get: [argument('get', 'key', [...notText, ['', '1 to 1024 bytes']])],
    set: [
      { field: 'key', call: ({ set }, key) => set?.(key, 1), wrong: [...notText, ['', '1 to 1024 bytes']] },
      argument(
        'set',
        'The value',
        [
          [1n, 'a BigInt'],
          [undefined, 'undefined'],
        ],
        'key',
      ),
      argument('set', 'options', notOptions, 'key', 1),
      option('set', 'ttlMs', notTime, 'key', 1),
    ],
    delete: [argument('delete', 'key', [...notText, ['', '1 to 1024 bytes']])],
    getOrCompute: [
      { field: 'key', call: (part, key) => part['getOrCompute']?.(key, {}, () => 1), wrong: notText },
      { field: 'options', call: (part, options) => part['getOrCompute']?.('key', options, () => 1), wrong: notOptions },
      { field: 'ttlMs', call: (part, ttlMs) => part['getOrCompute']?.('key', { ttlMs }, () => 1), wrong: notTime },
      argument('getOrCompute', 'compute', [...notOptions, [undefined, 'not undefined']], 'key', {}),
    ],
  },
  threads: {
    list: [...page('list'), option('list', 'actor', [...notText, ...empty])],
    // What is well-formed and no cursor is asked about a thread that is not there.
    messages: page('messages', 't').map((one) =>
      one.field === 'cursor' ? { ...one, wrong: one.wrong.slice(0, -1) } : one,
    ),
    append: [
      { field: 'threadId', call: ({ append }, id) => append?.(id, []), wrong: [...notText, ['', '1 to 256 bytes']] },
      argument(
        'append',
        'messages',
        [
          [5, 'an array'],
          [{}, 'an array'],
        ],
        't',
      ),
      argument('append', 'options', notOptions, 't', []),
      option('append', 'expectedLength', notWhole, 't', []),
    ],
    fork: [
      argument('fork', 'options', notOptions, 't'),
      {
        field: 'threadId',
        call: ({ fork }, threadId) => fork?.('t', { through: 'm', threadId }),
        wrong: [...notText, ...empty],
      },
    ],
    delete: [],
  },
  runs: {
    list: [
      ...page('list'),
      option('list', 'status', [...notText, ...empty, ['done', 'not "done"']]),
      option('list', 'threadId', [...notText, ...empty]),
      option('list', 'actor', [...notText, ...empty]),
    ],
    get: [],
    follow: [
      argument('follow', 'options', notOptions, noRun),
      option('follow', 'after', notWhole, noRun),
      option('follow', 'signal', notSignal, noRun),
    ],
    resume: [],
    cancel: [],
  },
  waits: {
    list: [
      ...page('list'),
      option('list', 'runId', [...notText, ...empty]),
      option('list', 'kind', [...notText, ...empty, ['person', 'not "person"']]),
    ],
    get: [],
    settle: [
      argument('settle', 'outcome', notOptions, noWait),
      { field: 'options', call: ({ settle }, options) => settle?.(noWait, { value: 1 }, options), wrong: notOptions },
      {
        field: 'actor',
        call: ({ settle }, actor) => settle?.(noWait, { value: 1 }, { actor }),
        wrong: [...notText, ...empty],
      },
    ],
    cancel: [],
  },
  traces: {
    list: [...page('list'), option('list', 'runId', [...notText, ...empty])],
    follow: [argument('follow', 'options', notOptions), option('follow', 'signal', notSignal)],
  },
  runtime: {
    query: [
      { field: 'request', call: ({ query }, request) => query?.(request).result(), wrong: [[5, 'not 5']] },
      {
        field: 'prompt',
        call: ({ query }, request) => query?.(request).result(),
        wrong: [
          [{ prompt: 5 }, 'takes a prompt'],
          [{ prompt: '\ud800' }, 'a lone surrogate'],
        ],
      },
      ...(['threadId', 'actor', 'requestKey'] as const).map((field) => asked(field, [...notText, ...empty])),
      asked('whenBusy', [...notText, ...empty, ['steal', 'not "steal"']]),
      asked('startAt', [...notNumber, [1.5, 'not 1.5'], [-1, 'not -1'], [8.64e15, 'at most 29 days']]),
      asked('instructions', [
        [5, 'a prompt made by layeredPrompt'],
        [{ instructions: '' }, 'instructions.instructions'],
      ]),
      asked('tenant', [[5, 'a resourceId or a tenant']]),
      asked('signal', notSignal),
      asked('limits', [
        ...notOptions,
        [{ maxStep: 1 }, 'limits: there is no option "maxStep". Did you mean "maxSteps"?'],
      ]),
      asked(
        'limits.maxSteps',
        [
          [{ maxSteps: 0 }, 'not 0'],
          [{ maxSteps: 1.5 }, 'not 1.5'],
        ],
        'limits',
      ),
    ],
    runSpecialist: [
      {
        field: 'specialist',
        call: (part, name) => part['runSpecialist']?.(name, 'x').result(),
        wrong: [
          [5, 'not 5'],
          [null, 'not null'],
          ['\ud800', 'not "\\ud800"'],
        ],
      },
    ],
    usage: [],
    erase: [
      argument('erase', 'options', notOptions),
      option('erase', 'confirm', [...notText, ['other', 'resourceId']]),
    ],
    close: [],
    [Symbol.asyncDispose.toString()]: [],
  },
  store: {
    health: [],
    stats: [],
    sweep: [],
    check: [],
    compact: [],
    backup: [argument('backup', 'directory', [...notText, ['', 'the name of a directory']])],
    rotateRootKey: [
      argument('rotateRootKey', 'next', [
        [secret, '32 bytes'],
        [new Uint8Array(31), '32 bytes'],
        [null, '32 bytes'],
      ]),
    ],
    advance: [argument('advance', 'milliseconds', notNumber)],
    close: [],
    [Symbol.asyncDispose.toString()]: [],
  },
  functions: {
    openStore: [
      argument('openStore', 'url', notText),
      argument('openStore', 'options', notOptions, 'memory:'),
      option('openStore', 'cacheBytes', [...notWhole, [1, 'not 1']], 'memory:'),
      option('openStore', 'openedCacheBytes', notWhole, 'memory:'),
      option('openStore', 'connections', [...notWhole, [1001, 'not 1001']], 'memory:'),
      option(
        'openStore',
        'rootKey',
        [
          [secret, '32 bytes'],
          [5, '32 bytes'],
        ],
        'memory:',
      ),
      option('openStore', 'rootKeyEnv', [...notText, [secret, 'should name']], 'memory:'),
    ],
    setupStore: [argument('setupStore', 'ownerUrl', notText)],
    createRuntime: [
      argument('createRuntime', 'spec', [
        [5, 'not 5'],
        [{}, 'not an object'],
      ]),
      argument('createRuntime', 'options', notOptions, spec()),
      option(
        'createRuntime',
        'store',
        [
          [5, 'not 5'],
          [{ secret }, 'not an object'],
        ],
        spec(),
      ),
      ...['tools', 'models', 'schemas', 'env'].map((field) => option('createRuntime', field, notOptions, spec())),
      option('createRuntime', 'telemetry', notOptions, spec()),
    ],
    testStore: [
      argument('testStore', 'options', notOptions),
      option('testStore', 'seed', notWhole),
      option('testStore', 'now', notTime),
    ],
  },
}

/** An object that throws whatever is done with it. */
function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

function spec() {
  return defineRuntime({ tenant: acme })
}

function manyWith(field: string): Case['call'] {
  return ({ putMany }, wrong) =>
    putMany?.([
      { type: 'thing', value: 1 },
      { type: 'thing', value: 1, [field]: wrong },
    ])
}

function asked(field: string, wrong: readonly Wrong[], member = field): Case {
  return { field, call: ({ query }, value) => query?.({ prompt: 'x', [member]: value }).result(), wrong }
}

async function partsOf(): Promise<Record<string, object>> {
  const store: OpenStore = await openFresh('memory', {}, { now: noon })
  const runtime: Runtime = await runtimeWithAgent(store, 'acme')
  const { references, plans, approvals, waits, cache, threads, runs, traces } = runtime
  return { references, plans, approvals, waits, cache, threads, runs, traces, runtime, store }
}

/** The part's verbs, bound to it. */
function loose(part: object): Loose {
  return Object.fromEntries(
    verbsOf(part)
      .filter((name) => !name.startsWith('Symbol'))
      .map((name) => [name, (...given: unknown[]) => Reflect.apply(Reflect.get(part, name), part, given)]),
  )
}

const table = Object.entries(cases).flatMap(([part, verbs]) =>
  Object.entries(verbs).flatMap(([verb, fields]) =>
    fields.map((one): [string, string, Case] => [`${part}.${verb}: ${one.field}`, part, one]),
  ),
)

describe('the message of what a call refuses', () => {
  it('has its cases for every verb', async () => {
    for (const [part, value] of Object.entries(await partsOf())) {
      expect([part, ...Object.keys(cases[part] ?? {}).sort()]).toEqual([part, ...verbsOf(value)])
    }
  })

  it.each(table)(
    'names the field, shows what is wrong and says what is allowed: %s',
    async (_, part, { field, call, wrong }) => {
      const parts = await partsOf()
      const functions = { openStore, setupStore, createRuntime, testStore } as Loose
      const on = part === 'functions' ? functions : loose(parts[part] ?? {})
      for (const [given, shown] of wrong) {
        // A verb that gives no promise throws at once.
        const { code, message } = await failureOf(async () => await call(on, given))
        expect(code).toBe('INVALID_INPUT')
        expect(message).toMatch(new RegExp(field, 'i'))
        expect(message).toContain(shown)
        expect(message).toMatch(/\b(must|may|takes?|can|cannot|known|holds|needs?|pass|should|not one)\b/i)
        expect(message.length).toBeLessThan(400)
        expect(message).not.toContain(secret)
      }
    },
  )
})
