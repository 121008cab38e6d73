//! What a tenant has: references, plans, approvals, a cache and its usage, each behind one [`TenantHandle`].

mod approvals;
mod cache;
mod catalogue;
mod erase;
mod handle;
mod leftover;
#[cfg(doctest)]
mod out_of_reach;
mod plans;
mod reference_input;
mod reference_life;
mod reference_record;
mod references;
mod resolved;
mod runs;
mod schema;
mod sweep;
mod threads;
mod traces;
mod validated;

pub use approvals::{
    Approval, ApprovalContext, ApprovalRequest, ApprovalStatus, Decide, Problem, Question, Subject, VerifyReport,
};
pub use bailiwick_tenancy::{
    CheckReport, Clock, Copied, DEFAULT_LIMIT, Departure, Health, Held, Lane, Moved, Outcome, Progress, Promptness,
    RootKey, Stats, Store, StoreOptions, stores,
};
pub use cache::{Begun, CacheValue, Computing};
pub use catalogue::Catalogue;
pub use handle::TenantHandle;
pub use plans::{Plan, PlanStatus};
pub use reference_input::{PutContent, PutItem};
pub use reference_record::Reference;
pub use references::Page;
pub use resolved::Resolved;
pub use runs::{Ask, Asked, Callbacks, PreparedRun, Reply, RunFilter, RunPage, RunPosition, RunRequest, RunStatus};
pub use sweep::{Swept, keep_swept, sweep};
pub use traces::{HostEvent, TracePage, TracePosition};
pub use validated::Validated;
