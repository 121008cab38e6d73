//! The error type of the core. Each variant is one class of the TypeScript API and has its stable code.

/// One problem of a spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// The place: `agents[0].routes[1]`, or the empty string for the whole spec.
    pub path: String,
    /// The problem and what to do next.
    pub message: String,
}

/// A run that owns a thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusyRun {
    /// Its id.
    pub run_id: String,
    /// Its status: a word of the API.
    pub status: &'static str,
}

/// The result of everything in the core that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error as a caller sees it. Messages never contain another tenant's id, key or content, nor text from an engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A spec is invalid; every problem is listed.
    #[error("{}", spec_message(.0))]
    Spec(Vec<Issue>),
    /// An argument is ill-formed or too large.
    #[error("{0}")]
    InvalidInput(String),
    /// Absent, expired, erased or foreign: these cannot be told apart, so it has no details.
    #[error(
        "Not found: nothing with this id belongs to this tenant. It may never have existed, have expired or have been deleted."
    )]
    NotFound,
    /// A request or a data environment names another tenant. The foreign name is not repeated.
    #[error("This runtime serves another tenant than the one named. Use the runtime that was created for that tenant.")]
    TenantMismatch,
    /// An expected version or length did not hold.
    #[error("{0}")]
    Conflict(String),
    /// An approval was decided, has expired or was withdrawn already.
    #[error("{0}")]
    ApprovalClosed(String),
    /// The rule of an approval does not let this actor decide it.
    #[error("{0}")]
    ApprovalForbidden(String),
    /// A wait was settled, has expired or was cancelled already.
    #[error("{0}")]
    WaitClosed(String),
    /// Another writer has the thread.
    #[error("{message}")]
    ThreadBusy {
        /// What to do next.
        message: String,
        /// The run that writes it, if it is a run.
        run: Option<BusyRun>,
    },
    /// One of the tenant's limits is reached.
    #[error("{}", quota_message(.quota, *.limit, *.used, *.more))]
    QuotaExceeded {
        /// The limit by its name in the spec: `items.references`, `bytes`, `valueBytes`, …
        quota: String,
        /// The limit.
        limit: u64,
        /// The amount in use; of a limit on each value, the size of this one.
        used: u64,
        /// The amount requested beyond that; 0 of a limit on each value.
        more: u64,
    },
    /// The tenant's limit on `inFlightBytes` is reached. A class with [`Error::QuotaExceeded`].
    #[error("{}", in_flight_message(*.limit, *.used, *.call))]
    TooMuchInFlight {
        /// The limit.
        limit: u64,
        /// The bytes in flight without this call.
        used: u64,
        /// The bytes of this call.
        call: u64,
    },
    /// Another process has the directory.
    #[error(
        "Another process has this store open. Close it there, or use PostgreSQL to share one store between processes."
    )]
    StoreLocked,
    /// The engine cannot be reached; safe to retry.
    #[error("{0}")]
    StoreUnavailable(String),
    /// The commit may or may not have been applied.
    #[error("{0}")]
    OutcomeUnknown(String),
    /// The store is corrupt. No value was guessed.
    #[error("{0}")]
    StoreCorrupt(String),
    /// The handle, store or tenant is closed or erased.
    #[error("{0}")]
    Closed(String),
    /// A defect of bailiwick that was caught.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// Returns the stable code that JavaScript maps to an error class.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Spec(_) => "SPEC_INVALID",
            Self::InvalidInput(_) => "INVALID_INPUT",
            Self::NotFound => "NOT_FOUND",
            Self::TenantMismatch => "TENANT_MISMATCH",
            Self::Conflict(_) => "CONFLICT",
            Self::ApprovalClosed(_) => "APPROVAL_CLOSED",
            Self::ApprovalForbidden(_) => "APPROVAL_FORBIDDEN",
            Self::WaitClosed(_) => "WAIT_CLOSED",
            Self::ThreadBusy { .. } => "THREAD_BUSY",
            Self::QuotaExceeded { .. } | Self::TooMuchInFlight { .. } => "QUOTA_EXCEEDED",
            Self::StoreLocked => "STORE_LOCKED",
            Self::StoreUnavailable(_) => "STORE_UNAVAILABLE",
            Self::OutcomeUnknown(_) => "OUTCOME_UNKNOWN",
            Self::StoreCorrupt(_) => "STORE_CORRUPT",
            Self::Closed(_) => "CLOSED",
            Self::Internal(_) => "INTERNAL",
        }
    }

    /// Returns the error for an ill-formed argument. `message` says what to do about it.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::InvalidInput(message.into())
    }

    /// Returns the error for data that cannot be read, such as `A thread's record`, with what to do about it.
    pub fn damaged(what: &str) -> Self {
        Self::StoreCorrupt(format!("{what} is damaged. Nothing was guessed. Restore the store from a backup."))
    }

    /// Returns the error for a state that the code excludes. `what` is a sentence about it.
    pub fn internal(what: &str) -> Self {
        Self::Internal(format!("{what} This is a defect of bailiwick. Please report it with the call that failed."))
    }

    /// Returns the error for a thread with other writers.
    pub fn thread_busy(message: impl Into<String>) -> Self {
        Self::ThreadBusy { message: message.into(), run: None }
    }

    /// Returns the error for a thread that this run owns.
    pub fn run_busy(message: impl Into<String>, run_id: &str, status: &'static str) -> Self {
        Self::ThreadBusy { message: message.into(), run: Some(BusyRun { run_id: run_id.to_owned(), status }) }
    }
}

fn quota_message(quota: &str, limit: u64, used: u64, more: u64) -> String {
    if more == 0 {
        return format!(
            "The value has {used} bytes; the tenant's limit on {quota} allows {limit}. Keep less in one value or raise the limit in the spec."
        );
    }
    format!(
        "The tenant's limit on {quota} is reached: {used} used, {limit} allowed, and this needs {more} more. Delete what is no longer needed or raise the limit in the spec."
    )
}

fn in_flight_message(limit: u64, used: u64, call: u64) -> String {
    if call > limit {
        return format!(
            "This call alone has {call} bytes, and the tenant's limit on inFlightBytes allows {limit} for all calls in flight. Read or write less at once or raise the limit in the spec."
        );
    }
    format!(
        "The tenant's limit on inFlightBytes is reached: {used} bytes are in flight, {limit} are allowed, and this call needs {call} more. Wait for the answers to earlier calls or raise the limit in the spec."
    )
}

fn spec_message(issues: &[Issue]) -> String {
    let mut message = match issues.len() {
        1 => "The spec has 1 problem:".to_owned(),
        count => format!("The spec has {count} problems:"),
    };
    for issue in issues {
        message.push_str("\n- ");
        if !issue.path.is_empty() {
            message.push_str(&issue.path);
            message.push_str(": ");
        }
        message.push_str(&issue.message);
    }
    message
}
