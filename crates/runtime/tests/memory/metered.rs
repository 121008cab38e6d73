//! An engine that counts the bytes of the values it hands out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bailiwick_store::engine::{Millis, ReadError, ScanRequest, Scanned};
use bailiwick_store::layer::Layer;
use bailiwick_store::{Engine, EngineFuture, Found, Opened, Place, Tag, Version};

/// What was handed out.
#[derive(Default)]
pub(crate) struct Meter(AtomicU64);

impl Meter {
    pub(crate) fn begin(&self) {
        self.0.store(0, Ordering::SeqCst);
    }

    pub(crate) fn read(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::SeqCst);
    }
}

struct Metered {
    behind: Arc<dyn Engine>,
    meter: Arc<Meter>,
}

pub(crate) fn metered(Opened { engine, vault }: Opened, meter: &Arc<Meter>) -> Opened {
    Opened { engine: Arc::new(Metered { behind: engine, meter: meter.clone() }), vault }
}

impl Layer for Metered {
    fn behind(&self) -> &dyn Engine {
        &*self.behind
    }

    fn get(
        &self,
        tag: Tag,
        wanted: Vec<(Place, Option<Version>)>,
        most: u64,
        now: Millis,
    ) -> EngineFuture<'_, Result<Vec<Found>, ReadError>> {
        Box::pin(async move {
            let found = self.behind.get(tag, wanted, most, now).await?;
            let bytes = |found: &Found| if let Found::Entry(row) = found { row.value.len() } else { 0 };
            self.meter.add(found.iter().map(bytes).sum());
            Ok(found)
        })
    }

    fn scan(&self, tag: Tag, request: ScanRequest) -> EngineFuture<'_, Result<Scanned, ReadError>> {
        Box::pin(async move {
            let scanned = self.behind.scan(tag, request).await?;
            self.meter.add(scanned.rows.iter().map(|row| row.value.len()).sum());
            Ok(scanned)
        })
    }
}
