//! The cache: values under keys that the host chooses; one caller at a time computes a value.

use std::sync::Arc;

use bailiwick_model::json;
use bailiwick_model::pace::ahead_of;
use bailiwick_model::{Error, Kind, Result};
use bailiwick_tenancy::{Access, Area, Change, Committed, Durability, Flight, Leader, Name, When};

use crate::handle::{Cache, expiry};

/// The longest key in bytes of UTF-8.
const KEY_BYTES: usize = 1024;
const JSON: u8 = 0;
const BYTES: u8 = 1;

/// A cached value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheValue {
    /// JSON text.
    Json(Vec<u8>),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl CacheValue {
    fn write(self) -> Result<Vec<u8>> {
        let (form, mut body) = match self {
            Self::Json(text) => {
                json::parse(&text, &json::Limits::default())?;
                (JSON, text)
            }
            Self::Bytes(bytes) => (BYTES, bytes),
        };
        body.insert(0, form);
        Ok(body)
    }

    async fn read(body: &[u8]) -> Result<Self> {
        ahead_of(body.len()).await;
        match body.split_first() {
            Some((&JSON, text)) => Ok(Self::Json(text.to_vec())),
            Some((&BYTES, bytes)) => Ok(Self::Bytes(bytes.to_vec())),
            _ => Err(Error::damaged("A cached value's record")),
        }
    }
}

/// The permission to compute a value. Dropping it lets the next caller compute.
pub struct Computing {
    key: String,
    ttl_ms: Option<u64>,
    leader: Leader,
}

/// The result of [`Cache::begin`].
pub enum Begun {
    /// The value is cached.
    Value(CacheValue),
    /// The caller must compute it.
    Compute(Computing),
}

impl Cache<'_> {
    /// Reads a cached value. `None`: absent, expired or foreign.
    ///
    /// # Errors
    /// `InvalidInput` for a bad key, and those of the store.
    pub async fn get(self, key: &str) -> Result<Option<CacheValue>> {
        check_key(key)?;
        let Some(access) = self.handle.existing().await? else { return Ok(None) };
        let record = access.read(Kind::Cache, Area::Record, name(&access, key)).await?;
        let Some(record) = record else { return Ok(None) };
        CacheValue::read(&record.body).await.map(Some)
    }

    /// Caches a value and replaces an earlier one. A crash of the machine may lose it.
    ///
    /// # Errors
    /// `InvalidInput`, `QuotaExceeded` and those of the store.
    pub async fn set(self, key: &str, value: CacheValue, ttl_ms: Option<u64>) -> Result<()> {
        check_key(key)?;
        let body = self.body(value)?;
        self.write(key, body, ttl_ms).await
    }

    /// Removes a cached value. `false`: absent, expired or foreign.
    ///
    /// # Errors
    /// `InvalidInput` for a bad key, and those of the store.
    pub async fn delete(self, key: &str) -> Result<bool> {
        check_key(key)?;
        let Some(access) = self.handle.existing().await? else { return Ok(false) };
        let name = name(&access, key);
        loop {
            let Some(record) = access.read(Kind::Cache, Area::Record, name).await? else { return Ok(false) };
            let when = When::Version(record.version);
            let changes = vec![Change::Delete { kind: Kind::Cache, area: Area::Record, name, when }];
            if access.commit(changes, &self.handle.engine_limits, Durability::Relaxed).await? == Committed::Done {
                return Ok(true);
            }
        }
    }

    /// Returns the cached value, or the permission to compute it. Waits while another caller in this process computes
    /// it.
    ///
    /// # Errors
    /// `InvalidInput` for a bad key or time to live, those of the store, and `Closed` if the handle or the store closes
    /// while this waits.
    pub async fn begin(self, key: &str, ttl_ms: Option<u64>) -> Result<Begun> {
        check_key(key)?;
        expiry(self.handle.scope.now(), ttl_ms)?;
        let access = self.handle.scope.for_writing().await?;
        let name = name(&access, key);
        loop {
            if let Some(value) = self.get(key).await? {
                return Ok(Begun::Value(value));
            }
            match access.single_flight(name, &self.handle.closing).await? {
                // Another leader may have finished between the look-up and joining.
                Flight::Leader(leader) => {
                    return Ok(match self.get(key).await? {
                        Some(value) => Begun::Value(value),
                        None => Begun::Compute(Computing { key: key.to_owned(), ttl_ms, leader }),
                    });
                }
                Flight::Done(body) => {
                    self.handle.reserve(body.len() as u64)?;
                    return Ok(Begun::Value(CacheValue::read(&body).await?));
                }
                Flight::Abandoned => {}
            }
        }
    }

    /// Ends a computation: caches the value and gives it to the callers that wait.
    ///
    /// # Errors
    /// As [`Cache::set`]; then the callers that wait compute it themselves.
    pub async fn computed(self, computing: Computing, value: CacheValue) -> Result<()> {
        let body = self.body(value)?;
        self.write(&computing.key, body.clone(), computing.ttl_ms).await?;
        computing.leader.finish(Arc::new(body));
        Ok(())
    }

    fn body(self, value: CacheValue) -> Result<Vec<u8>> {
        let _taken = if let CacheValue::Json(text) = &value { self.handle.parsing(text, 0)? } else { None };
        value.write()
    }

    async fn write(self, key: &str, body: Vec<u8>, ttl_ms: Option<u64>) -> Result<()> {
        self.handle.check_value_bytes(body.len().saturating_sub(1))?;
        let expires_at = expiry(self.handle.scope.now(), ttl_ms.or_else(|| self.handle.retention_ms(Kind::Cache)))?;
        let counted = Some(body.len() as u64 - 1);
        let access = self.handle.scope.for_writing().await?;
        let (kind, area, name) = (Kind::Cache, Area::Record, name(&access, key));
        let changes = vec![Change::Write { kind, area, name, body, expires_at, counted, when: When::Any }];
        access.commit(changes, &self.handle.engine_limits, Durability::Relaxed).await?;
        Ok(())
    }
}

fn name(access: &Access, key: &str) -> Name {
    access.name(Kind::Cache, key.as_bytes())
}

fn check_key(key: &str) -> Result<()> {
    if (1..=KEY_BYTES).contains(&key.len()) {
        Ok(())
    } else {
        Err(Error::invalid("A cache key must have 1 to 1024 bytes of UTF-8."))
    }
}
