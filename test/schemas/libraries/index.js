// @ts-nocheck -- types are checked where these are not installed, too
// The schema libraries under test: they are installed here, so that they are resolved from here.

export { toStandardJsonSchema } from '@valibot/to-json-schema'
export { type as arktype } from 'arktype'
export { Schema as effect } from 'effect'
export { Type as typebox } from 'typebox'
export * as valibot from 'valibot'
