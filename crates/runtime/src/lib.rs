//! A tenant's data and runs: references, cache, plans, approvals, threads, traces and runs, all behind one [`TenantHandle`].

mod actor;
mod approvals;
mod cache;
mod catalogue;
mod context;
mod erase;
#[cfg(test)]
mod golden;
mod handle;
mod hex;
#[cfg(doctest)]
mod out_of_reach;
mod page;
mod plans;
mod references;
mod runs;
mod schema;
mod sweep;
mod threads;
mod traces;
mod validated;
mod waits;
mod work;

pub use approvals::{
    Approval, ApprovalContext, ApprovalRequest, ApprovalStatus, Problem, RequestedRule, RequestedSubject, Responded,
    Response, Subject, VerifyReport,
};
pub use bailiwick_tenancy::{
    CheckReport, Clock, Copied, DEFAULT_LIMIT, Health, Migration, MigrationCounts, MigrationOutcome, MigrationProgress,
    Promptness, QueueKey, Reservation, RootKey, Stats, Store, StoreOptions, Swept, stores,
};
pub use cache::{Begun, CacheValue, Computing};
pub use catalogue::Catalogue;
pub use handle::{Approvals, Cache, Plans, References, Runs, TenantHandle, Threads, Traces, Waits};
pub use page::Page;
pub use plans::{Plan, PlanStatus, PlanSummary};
pub use references::{Description, PutContent, PutItem, Reference, Resolved};
pub use runs::{
    CallbackKind, Callbacks, OnChanged, PendingReply, PreparedRun, Reply, RunFilter, RunPage, RunPosition, RunRequest,
    RunStatus, WhenBusy,
};
pub use sweep::{keep_swept, sweep};
pub use threads::ThreadSummary;
pub use traces::{HostEvent, Rejection, TracePage, TracePosition};
pub use validated::Validated;
pub use waits::WaitFilter;
pub use work::{DueRun, TenantWork, WorkReason, take as take_work};
