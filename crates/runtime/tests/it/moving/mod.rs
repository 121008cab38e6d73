//! Moving a store to another place: nothing in it can tell, whatever happens in between.

mod cut_off;
mod life;
mod places;
mod refused;

use std::sync::Arc;

use crate::support::NOW;
use bailiwick_model::{Error, Result};
use bailiwick_runtime::{
    Clock, Migration, MigrationCounts, MigrationOutcome, MigrationProgress, RootKey, Store, StoreOptions,
};
use bailiwick_store::postgres::{self, OpenError, PostgresOptions};
use bailiwick_store::{Opened, STORE_SLOT};

const ROOT: [u8; 32] = [1; 32];

fn root_key() -> RootKey {
    RootKey::Given(ROOT.to_vec().into())
}

async fn open(opened: &Opened) -> Result<Arc<Store>> {
    open_with(opened, None).await
}

async fn open_with(opened: &Opened, seed: Option<u64>) -> Result<Arc<Store>> {
    let options = StoreOptions { root_key: root_key(), opened_bytes: 0, clock: Clock::fixed(NOW), seed };
    Store::open(opened.clone(), options).await
}

async fn database_of(url: &str, is_moving: bool) -> Result<Opened, OpenError> {
    postgres::open(&url.parse()?, PostgresOptions { is_moving, ..PostgresOptions::default() }).await
}

async fn relocate(from: &Opened, to: &Opened) -> Result<MigrationOutcome> {
    Migration::from(from.clone(), root_key()).await?.to(to, &MigrationProgress::default()).await
}

/// Moves what is there, and says what was moved.
async fn moved(from: &Opened, to: &Opened) -> MigrationCounts {
    match relocate(from, to).await.unwrap() {
        MigrationOutcome::Moved(moved) => moved,
        MigrationOutcome::AlreadyMoved => panic!("nobody moved it before"),
    }
}

/// Whether there is a store that opens. Where there is one that does not, it says that it was moved, or is not whole.
async fn opens(opened: &Opened) -> bool {
    if opened.vault.get(STORE_SLOT).await.unwrap().is_none() {
        // Opening it would make one.
        return false;
    }
    match open(opened).await {
        Ok(_) => true,
        Err(Error::InvalidInput(message)) => {
            assert!(message.contains("moved") && message.contains("bailiwick migrate"), "{message}");
            false
        }
        Err(error) => panic!("{error}"),
    }
}
