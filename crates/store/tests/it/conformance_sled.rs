//! The sled engine passes the conformance suite.

use bailiwick_store::conformance::Home;
use bailiwick_store::sled::{self, SledOptions};

struct Directory(tempfile::TempDir);

impl Home for Directory {
    fn open(&self) -> bailiwick_store::Opened {
        sled::open(
            &self.0.path().join("store"),
            SledOptions { cache_bytes: 16 * 1024 * 1024, ..SledOptions::default() },
        )
        .unwrap()
    }

    fn is_durable(&self) -> bool {
        true
    }
}

fn fresh() -> Directory {
    Directory(tempfile::tempdir().unwrap())
}

bailiwick_store::conformance_tests!(fresh);
