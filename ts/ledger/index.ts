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
} from '../types/approvals.ts'
export { verifyConsistency, verifyInclusion, verifyReceipt } from './verify.ts'
