/** The operations that can be submitted. The numbers and shapes stand in `crates/node/src/operation.rs` too. */
export const Operation = {
  openStore: 1,
  closeStore: 2,
  storeHealth: 3,
  storeStats: 4,
  registerTopology: 5,
  advanceClock: 6,
  put: 10,
  putMany: 11,
  resolve: 12,
  resolveMany: 13,
  describe: 14,
  list: 15,
  delete: 16,
  cacheGet: 20,
  cacheSet: 21,
  cacheDelete: 22,
  cacheBegin: 23,
  cacheComputed: 24,
  cacheGiveUp: 25,
  usage: 30,
  threadsList: 70,
  threadMessages: 71,
  threadAppend: 72,
  threadFork: 73,
  threadDelete: 74,
} as const

/** The number of an operation. */
export type Operation = (typeof Operation)[keyof typeof Operation]
