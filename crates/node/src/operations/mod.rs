//! The operations that JavaScript can submit: one table. `ts/native/operations.ts`, the bridge's document and the tests that
//! need a case for each operation are checked against it.

mod approvals;
mod cache;
mod call;
mod host;
mod plans;
mod references;
mod runs;
mod store;
mod tenant;
mod threads;
mod traces;

use bailiwick_model::{Error, Result};

use crate::environment::Environment;
use crate::message::{Answer, Reader};

pub(crate) use call::Call;
pub(crate) use references::resolved_header;

/// The bytes of a call besides its arguments and its answer, as measured: its promise and closure in JavaScript, its
/// task and its first reads. It also limits the number of calls in flight.
pub(crate) const CALL_BYTES: usize = 8 * 1024;

/// What an operation acts on, and how it counts for a tenant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Acts on a store or a topology. It counts for no tenant.
    Host,
    /// Reads through a handle. It counts for the tenant; if there is no room for its answer, it can be repeated.
    Read,
    /// Changes something through a handle. It counts for the tenant.
    Write,
    /// Ends something of a tenant. It does not count, so that a busy tenant can always do it.
    End,
}

macro_rules! operations {
    ($($number:literal $name:ident ($kind:ident) => $run:path;)+) => {
        /// An operation, named as in TypeScript.
        #[derive(Clone, Copy, PartialEq, Eq)]
        #[allow(non_camel_case_types, reason = "named as in TypeScript")]
        pub(crate) enum Operation {
            $($name = $number),+
        }

        impl Operation {
            /// # Errors
            /// `Internal` if no operation has this number.
            pub(crate) fn from_number(number: u32) -> Result<Self> {
                match number {
                    $($number => Ok(Self::$name),)+
                    _ => Err(Error::internal("There is no such operation.")),
                }
            }

            /// The name by which tests make an operation panic.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name)),+
                }
            }

            const fn kind(self) -> Kind {
                match self {
                    $(Self::$name => Kind::$kind),+
                }
            }

            pub(crate) async fn run(self, call: Call) -> Result<Answer> {
                // Each in a box of its own: otherwise the smallest call takes the memory of the largest.
                match self {
                    $(Self::$name => Box::pin($run(call)).await),+
                }
            }
        }
    };
}

// The number and name, in brackets the kind, and the function that runs it. Numbers are never used twice.
operations! {
    1 openStore (Host) => store::open;
    2 closeStore (Host) => store::close;
    3 storeHealth (Host) => store::health;
    4 storeStats (Host) => store::stats;
    5 registerTopology (Host) => store::register_topology;
    6 advanceClock (Host) => store::advance_clock;
    7 storeSweep (Host) => store::sweep;
    8 storeBackup (Host) => store::backup;
    9 storeCheck (Host) => store::check;
    10 put (Write) => references::put;
    11 putMany (Write) => references::put_many;
    12 resolve (Read) => references::resolve;
    13 resolveMany (Read) => references::resolve_many;
    14 describe (Read) => references::describe;
    15 list (Read) => references::list;
    16 delete (Write) => references::delete;
    20 cacheGet (Read) => cache::get;
    21 cacheSet (Write) => cache::set;
    22 cacheDelete (Write) => cache::delete;
    23 cacheBegin (Write) => cache::begin;
    24 cacheComputed (Write) => cache::computed;
    25 cacheGiveUp (End) => cache::give_up;
    30 usage (Read) => tenant::usage;
    31 erase (End) => tenant::erase;
    40 planSave (Write) => plans::save;
    41 planLoad (Read) => plans::load;
    42 planList (Read) => plans::list;
    43 planHistory (Read) => plans::history;
    50 approvalRequest (Write) => approvals::request;
    51 approvalGet (Read) => approvals::get;
    52 approvalPending (Read) => approvals::pending;
    53 approvalRespond (Write) => approvals::respond;
    54 approvalHistory (Read) => approvals::history;
    55 approvalCheckpoint (Read) => approvals::checkpoint;
    56 approvalProve (Read) => approvals::prove;
    57 approvalProveConsistency (Read) => approvals::prove_consistency;
    58 approvalVerify (Read) => approvals::verify;
    70 threadsList (Read) => threads::list;
    71 threadMessages (Read) => threads::messages;
    72 threadAppend (Write) => threads::append;
    73 threadFork (Write) => threads::fork;
    74 threadDelete (Write) => threads::delete;
    80 tracesList (Read) => traces::list;
    81 tracesEnd (Read) => traces::end;
    82 tracesNext (Read) => traces::next;
    83 tracesRejected (Write) => traces::rejected;
    84 tracesFlush (End) => traces::flush;
    90 runStart (Write) => runs::start;
    91 runResume (Write) => runs::resume;
    92 runEvents (Read) => runs::events;
    93 runCancel (End) => runs::cancel;
    94 runGet (Read) => runs::get;
    95 runsList (Read) => runs::list;
    96 tokens (Read) => runs::tokens;
    97 runOrigin (Read) => runs::origin;
    110 waitGet (Read) => runs::wait_get;
    111 waitList (Read) => runs::wait_list;
    112 waitSettle (Write) => runs::wait_settle;
    113 waitCancel (End) => runs::wait_cancel;
    100 rotateRootKey (Host) => store::rotate_root_key;
    101 setupStore (Host) => store::setup;
    102 migrate (Host) => store::migrate;
    103 migratedSoFar (Host) => store::migrated_so_far;
    104 storeCompact (Host) => store::compact;
    120 workTake (Host) => runs::take_work_of_store;
    121 workMore (Write) => runs::more_work;
    122 runRelease (End) => runs::release;
}

impl Operation {
    /// Whether a call of it counts against its tenant's limit.
    pub(crate) fn counts(self) -> bool {
        matches!(self.kind(), Kind::Read | Kind::Write)
    }

    /// Whether a call of it can be repeated when there is no room for its answer, because it changes nothing.
    pub(crate) fn only_reads(self) -> bool {
        self.kind() == Kind::Read
    }

    /// Undoes what was prepared for a call that is not started: the ids of a run.
    pub(crate) fn refused(self, environment: &Environment, arguments: &[u8]) {
        if self == Self::runStart
            && let Ok(run_id) = Reader::new(arguments).text()
        {
            drop(environment.tables().take_prepared(run_id));
        }
    }
}
