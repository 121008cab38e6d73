//! The kinds of data that a tenant owns.

/// A kind of data. Its number is part of every record key and never changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// Content-addressed values.
    References = 1,
    /// Versioned plans.
    Plans = 2,
    /// Approval requests and the ledger of decisions.
    Approvals = 3,
    /// Cached values.
    Cache = 4,
    /// Conversations.
    Threads = 5,
    /// Journals of agent runs.
    Runs = 6,
    /// Events of a handle.
    Traces = 7,
    /// Calls of runs that wait for an answer, an event or a time.
    Waits = 8,
}

impl Kind {
    /// Every kind, in the order in which the API lists them.
    pub const ALL: [Self; 8] = [
        Self::References,
        Self::Plans,
        Self::Approvals,
        Self::Cache,
        Self::Threads,
        Self::Runs,
        Self::Traces,
        Self::Waits,
    ];

    /// Returns the name that specs, usage and quotas use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::References => "references",
            Self::Plans => "plans",
            Self::Approvals => "approvals",
            Self::Cache => "cache",
            Self::Threads => "threads",
            Self::Runs => "runs",
            Self::Traces => "traces",
            Self::Waits => "waits",
        }
    }

    /// Returns the kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}
