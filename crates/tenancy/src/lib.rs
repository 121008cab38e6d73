//! The boundary between tenants: whoever wants to know whether they are isolated reads this crate and nothing else.
//!
//! A [`Scope`] is bound to one tenant. It is the only way to an engine, which no other crate can reach: every row it
//! touches lies below the tenant's tag, is named by a hash under the tenant's secret and sealed under the tenant's key,
//! bound to its place.

mod address;
mod backup;
mod check;
mod closing;
mod copying;
mod cursor;
mod encoding;
mod entropy;
mod erase;
mod failure;
mod flights;
mod hash;
mod in_flight;
mod journal;
mod keys;
mod list;
mod moving;
mod name_row;
mod older;
mod opened;
mod opening;
#[cfg(doctest)]
mod out_of_reach;
mod owner;
mod reading;
mod root_key;
mod rotation;
mod row;
mod scope;
mod seal;
mod signing;
mod store;
pub mod stores;
mod sweep;
mod tenant;
mod watch;
mod wrapper;

pub use bailiwick_store::{Count, Durability, Health, Limits, Promptness, Version, When};
pub use check::CheckReport;
pub use closing::Closing;
pub use copying::Copied;
pub use cursor::{Mark, bad_cursor};
pub use entropy::Clock;
pub use erase::Erased;
pub use flights::{Lead, Turn};
pub use in_flight::{Held, Lane, Taken};
pub use journal::{Entries, EntryPage, Part};
pub use list::{DEFAULT_LIMIT, NamePage, RecordPage, check_limit};
pub use moving::{Departure, Moved, Outcome, Progress};
pub use opened::Record;
pub use reading::PAGE_BYTES;
pub use root_key::RootKey;
pub use row::{Area, Change, List, Name};
pub use scope::{Access, Committed, Scope};
pub use store::{Stats, Store, StoreOptions};
pub use sweep::{Chore, Done};
