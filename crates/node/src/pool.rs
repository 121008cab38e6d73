//! The worker threads: hashing, encrypting, parsing and reading never happen on a JavaScript thread.

use std::sync::OnceLock;

use bailiwick_model::{Error, Result};
use tokio::runtime::{Builder, Runtime};

/// Reads of a local store may block for a disk, so there are more threads than cores.
const THREADS_PER_CORE: usize = 2;
const FEWEST_THREADS: usize = 4;

/// Lowers the priority of the current thread below JavaScript's: where cores are few, workers would otherwise hold up the
/// event loop by whole time slices. Where the system does not allow it, nothing changes.
fn yield_to_javascript() {
    #[cfg(target_os = "linux")]
    {
        /// In steps of `nice`.
        const LESS_URGENT: i32 = 10;
        let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), LESS_URGENT);
    }
}

/// The number of cores that this process may use.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The number of worker threads.
pub(crate) fn threads() -> usize {
    (cores() * THREADS_PER_CORE).max(FEWEST_THREADS)
}

/// Returns the process's pool, made on first use and shared by all environments.
pub(crate) fn pool() -> Result<&'static Runtime> {
    static POOL: OnceLock<Option<Runtime>> = OnceLock::new();
    POOL.get_or_init(|| {
        Builder::new_multi_thread()
            .worker_threads(threads())
            // Calls that have waited go first, before others are started (`dispatch`).
            .global_queue_interval(1)
            .thread_name("bailiwick")
            .on_thread_start(yield_to_javascript)
            .enable_time()
            .build()
            .ok()
    })
    .as_ref()
    .ok_or_else(|| Error::Internal("The operating system gave no threads.".to_owned()))
}
