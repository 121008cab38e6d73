//! The memory engine passes the conformance suite.

use bailiwick_store::conformance::Home;
use bailiwick_store::memory::{self, MemoryOptions};

struct Memory;

impl Home for Memory {
    fn open(&self) -> bailiwick_store::Opened {
        memory::open(MemoryOptions::default())
    }

    fn is_durable(&self) -> bool {
        false
    }
}

fn fresh() -> Memory {
    Memory
}

bailiwick_store::conformance_tests!(fresh);
