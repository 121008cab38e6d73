export type {
  Approval,
  ApprovalDecision,
  ApprovalRecord,
  ApprovalStatus,
  ApprovalSubject,
  Checkpoint,
  ConsistencyProof,
  EraseReceipt,
  InclusionProof,
  VerifyReport,
} from './types.ts'
export { verifyConsistency, verifyInclusion, verifyReceipt } from './verify.ts'
