//! The boundary between tenants. To judge isolation, reading this crate is enough.
//!
//! A [`Scope`] is bound to one tenant. It is the only way to an engine, which no other crate can reach: every row it
//! touches lies below the tenant's tag, is named by a hash under the tenant's secret and sealed under the tenant's key,
//! bound to its place.
//!
//! | folder | holds | uses |
//! | --- | --- | --- |
//! | `crypto` | hashes, random bytes, sealing, key wrapping, signatures | nothing of this crate |
//! | `keys` | the keys of a store and its tenants, and their headers | `crypto` |
//! | `rows` | where rows lie, and the record cache | nothing of this crate but `errors` |
//! | `tenant` | open stores, tenants, scopes; erase and rotation | `keys`, `rows` |
//! | `access` | commits, reads, lists, journals | `tenant` |
//! | `admin` | registry of stores, backup, check, migration, housekeeping | `tenant` |

mod access;
mod admin;
mod clock;
mod crypto;
mod errors;
mod keys;
#[cfg(doctest)]
mod out_of_reach;
mod rows;
mod tenant;
mod work_signal;

pub use access::commit::Committed;
pub use access::cursor::{MergedPosition, bad_cursor};
pub use access::journal::{Entries, EntryPage, Part};
pub use access::list::{DEFAULT_LIMIT, NamePage, RecordPage, check_limit};
pub use access::reading::PAGE_BYTES;
pub use admin::check::CheckReport;
pub use admin::copy_rows::Copied;
pub use admin::migration::{Migration, MigrationCounts, MigrationOutcome, MigrationProgress};
pub use admin::stores;
pub use admin::sweep::{DueTask, TaskDone};
pub use bailiwick_store::{Compacted, Count, Durability, Health, Limits, Promptness, Version, When};
pub use clock::Clock;
pub use errors::{ATTEMPTS, contended};
pub use keys::root_key::RootKey;
pub use rows::change::{Change, List};
pub use rows::record_cache::Record;
pub use rows::{Area, Name};
pub use tenant::erase::Erased;
pub use tenant::in_flight::QueueKey;
pub use tenant::reservation::{Reservation, TemporaryReservation};
pub use tenant::scope::{Access, Scope};
pub use tenant::single_flight::{Flight, Leader};
pub use tenant::store::{Stats, Store, StoreOptions, Swept};
pub use tokio_util::sync::CancellationToken;
