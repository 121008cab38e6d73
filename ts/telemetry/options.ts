import { type Checks, option, readOptions } from '../arguments/options.ts'
import { InvalidInputError } from '../errors/index.ts'
import type { Attributes } from './api.ts'

/** Attributes of the host's own. */
export interface TelemetryAttributes {
  readonly [name: string]:
    | string
    | number
    | boolean
    | readonly string[]
    | readonly number[]
    | readonly boolean[]
    | undefined
}

/** Contents of a runtime's OpenTelemetry spans. There are spans if the host has `@opentelemetry/api` and a tracer. */
export interface TelemetryOptions {
  /**
   * Added to every span, or what gives them when a span starts. Nothing of ours names the tenant; if your operators may
   * know which it is, say so here.
   */
  readonly attributes?: TelemetryAttributes | (() => TelemetryAttributes)
  /** Whether prompts, answers, and what tools are given and answer are recorded. Default `false`. */
  readonly recordContent?: boolean
}

const checks: Checks<TelemetryOptions> = { attributes: option.any, recordContent: option.flag }

/** The options, read once and checked. */
export interface CheckedOptions {
  /** The host's attributes now. Never throws. */
  attributes(): Attributes
  readonly recordContent: boolean
}

/** @throws InvalidInputError */
export function checkTelemetryOptions(options: TelemetryOptions = {}): CheckedOptions {
  const { attributes, recordContent = false } = readOptions(options, checks, 'telemetry', 'telemetry.')
  if (typeof attributes === 'function') return { attributes: () => attributesFrom(attributes), recordContent }
  if (attributes !== undefined && !isRecord(attributes)) {
    throw new InvalidInputError('telemetry.attributes must be an object, or a function that gives one.')
  }
  const copy = { ...attributes } as Attributes
  return { attributes: () => copy, recordContent }
}

/** Returns the attributes of the host's function. An error of it loses its attributes, and nothing else of the span. */
function attributesFrom(give: () => TelemetryAttributes): Attributes {
  try {
    const given: unknown = give()
    return isRecord(given) ? ({ ...given } as Attributes) : {}
  } catch {
    return {}
  }
}

function isRecord(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
