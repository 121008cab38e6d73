import type * as z from 'zod/mini'
import type { ContextRules, DataEnvironment } from '../../types/tenant.ts'
import { checkAgent, checkTool, listOf } from '../checks/agent-and-tool-checks.ts'
import { checkCrossReferences } from '../checks/cross-references.ts'
import { type Issues, pathTo } from '../checks/issues.ts'
import { messages, oneOf } from '../checks/messages.ts'
import { isPlainObject } from '../checks/plain-json.ts'
import { readShape } from '../checks/shape.ts'
import {
  agentShapes,
  contextShape,
  dataEnvironmentShape,
  planShape,
  providersShape,
  referenceShape,
  toolShape,
} from '../checks/shapes.ts'
import type { AgentSpec } from '../definitions/agent.ts'
import { checkDataEnvironment } from '../definitions/data-environment.ts'
import type { PlanType } from '../definitions/plan.ts'
import type { ReferenceType } from '../definitions/reference.ts'
import type { Tool } from '../definitions/tool.ts'

/** The names of the environment variables that a provider's model is made with. */
export interface Provider {
  readonly apiKeyEnv?: string
  readonly baseUrlEnv?: string
}

/** The part of a spec that all tenants share. Frozen and shared between the specs of `withTenant`. */
export interface Topology {
  readonly agents: readonly AgentSpec[]
  readonly tools: readonly Tool[]
  readonly references: readonly ReferenceType[]
  readonly plans: readonly PlanType[]
  readonly providers: { readonly [name: string]: Provider }
  readonly dataEnvironment: DataEnvironment | undefined
  readonly context: ContextRules | undefined
}

/** Reads the topology from a dump's JSON. If there are issues, the result is of no use. */
export function readTopology(dump: Record<string, unknown>, issues: Issues): Topology {
  const topology = {
    agents: readList(dump, 'agents', issues, readAgent),
    tools: readList(dump, 'tools', issues, (tool, path) => {
      const read = readShape(toolShape, tool, path, issues)
      checkTool(tool, path, issues)
      return read
    }),
    references: readList(dump, 'references', issues, (type, path) => readShape(referenceShape, type, path, issues)),
    plans: readList(dump, 'plans', issues, (type, path) => readShape(planShape, type, path, issues)),
    providers: readShape(providersShape, dump['providers'] === undefined ? {} : dump['providers'], 'providers', issues),
    dataEnvironment: readDataEnvironment(dump, issues),
    context: readOptional(dump, 'context', contextShape, issues),
  }
  checkCrossReferences(
    {
      agents: listOf(dump['agents']),
      tools: listOf(dump['tools']),
      references: listOf(dump['references']),
      plans: listOf(dump['plans']),
    },
    issues,
  )
  return topology as unknown as Topology
}

function readList(
  dump: Record<string, unknown>,
  key: string,
  issues: Issues,
  read: (element: unknown, path: string, issues: Issues) => unknown,
): unknown[] {
  const list = dump[key]
  if (list !== undefined && !Array.isArray(list)) issues.add(key, messages.array)
  return listOf(list).map((element, index) => read(element, pathTo(key, index), issues))
}

function readAgent(agent: unknown, path: string, issues: Issues): unknown {
  if (!isPlainObject(agent)) return issues.add(path, messages.object)
  const shape = shapeOf(agent['role'])
  if (shape === undefined) {
    const message = agent['role'] === undefined ? messages.required : oneOf(Object.keys(agentShapes))
    issues.add(pathTo(path, 'role'), message)
  }
  const read = shape && readShape(shape, agent, path, issues)
  checkAgent(agent, path, issues)
  return read
}

function shapeOf(role: unknown): (() => z.ZodMiniType) | undefined {
  return typeof role === 'string' && Object.hasOwn(agentShapes, role)
    ? agentShapes[role as keyof typeof agentShapes]
    : undefined
}

function readOptional(dump: Record<string, unknown>, key: string, shape: () => z.ZodMiniType, issues: Issues): unknown {
  return dump[key] === undefined ? undefined : readShape(shape, dump[key], key, issues)
}

function readDataEnvironment(dump: Record<string, unknown>, issues: Issues): unknown {
  const { dataEnvironment } = dump
  if (dataEnvironment === undefined) return undefined
  const read = readShape(dataEnvironmentShape, dataEnvironment, 'dataEnvironment', issues)
  checkDataEnvironment(dataEnvironment, 'dataEnvironment', issues)
  return read
}
