export { CallIds } from './call-ids.ts'
export { Conversation, sendable } from './conversation.ts'
export { withoutItem } from './metadata.ts'
