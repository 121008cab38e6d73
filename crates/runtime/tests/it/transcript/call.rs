//! One call on a tenant's handle, and everything its caller sees of the outcome.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bailiwick_model::ledger::checkpoint::Checkpoint;
use bailiwick_model::{Result, json};
use bailiwick_runtime::{
    Begun, CacheValue, Catalogue, Computing, Page, PutContent, PutItem, Resolved, Store, TenantHandle,
};

use crate::support::{handle_of, told};
use crate::transcript::approvals::ApprovalCall;
use crate::transcript::plans::PlanCall;
use crate::transcript::threads::ThreadCall;
use crate::transcript::traces::TraceCall;

/// A value to put.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    pub(crate) type_name: String,
    pub(crate) content: Content,
    pub(crate) ttl_ms: Option<u64>,
    pub(crate) media_type: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    Json(String),
    Text(String),
    /// So many bytes of one value.
    Bytes(u8, usize),
}

/// A call with all its arguments, so that it can be made again elsewhere.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    Put(Vec<Value>),
    Resolve(String),
    ResolveMany(Vec<String>),
    Describe(String),
    List {
        type_name: Option<String>,
        limit: usize,
        cursor: Option<String>,
    },
    Delete(String),
    CacheGet(String),
    CacheSet {
        key: String,
        value: String,
        ttl_ms: Option<u64>,
    },
    CacheDelete(String),
    CacheBegin {
        key: String,
        ttl_ms: Option<u64>,
    },
    CacheComputed(String),
    CacheGiveUp,
    Plans(PlanCall),
    Approvals(ApprovalCall),
    Threads(ThreadCall),
    Traces(TraceCall),
    Usage,
    /// Closes the handle and makes another, under the other version of the same tenant.
    Reopen,
}

/// A defect put in on purpose, to see that it is found.
#[derive(Clone)]
pub(crate) enum Leak {
    None,
    /// Usage counts what everybody in the store has put.
    GlobalCount(Arc<AtomicU64>),
    /// A foreign id is told apart from one that does not exist.
    Existence(Arc<TenantHandle>),
}

/// A tenant who makes calls.
pub(crate) struct Actor {
    store: Arc<Store>,
    id: String,
    part: &'static str,
    catalogue: Arc<Catalogue>,
    second_version: bool,
    handle: Option<TenantHandle>,
    computing: Option<Computing>,
    pub(crate) leak: Leak,
}

/// What the caller sees, and what later calls can use of it beside the ids in it.
#[derive(Default)]
pub(crate) struct Answer {
    pub(crate) seen: Vec<u8>,
    /// With the name of its list.
    pub(crate) cursor: Option<(&'static str, String)>,
    pub(crate) checkpoint: Option<Checkpoint>,
}

impl Actor {
    pub(crate) fn new(store: &Arc<Store>, id: &str, part: &'static str, catalogue: &Arc<Catalogue>) -> Self {
        let handle = Some(handle_of(store, id, "v1", part, catalogue));
        let (store, id, catalogue) = (store.clone(), id.to_owned(), catalogue.clone());
        Self { store, id, part, catalogue, second_version: false, handle, computing: None, leak: Leak::None }
    }

    /// Makes a call.
    pub(crate) async fn make(&mut self, call: &Call) -> Answer {
        let mut answer = Answer::default();
        match self.attempt(call, &mut answer).await {
            Ok(()) => {}
            Err(error) => answer.seen.extend_from_slice(told(&error).as_bytes()),
        }
        match (&self.leak, call) {
            (Leak::GlobalCount(count), Call::Put(values)) => {
                count.fetch_add(values.len() as u64, Ordering::SeqCst);
            }
            (Leak::GlobalCount(count), Call::Usage) => {
                answer.seen.extend_from_slice(count.load(Ordering::SeqCst).to_string().as_bytes());
            }
            (Leak::Existence(other), Call::Resolve(id)) if other.references().describe(id).await.is_ok() => {
                answer.seen.extend_from_slice(b" belongs to somebody else");
            }
            _ => {}
        }
        answer
    }

    async fn attempt(&mut self, call: &Call, answer: &mut Answer) -> Result<()> {
        if matches!(call, Call::Reopen) {
            self.reopen();
            return Ok(());
        }
        let handle = self.handle.as_ref().unwrap();
        match call {
            Call::Put(values) => {
                for reference in handle.references().put(values.iter().map(Value::item).collect()).await? {
                    answer.see(&json::to_text(&reference));
                }
            }
            // As the boundary does it: what is at hand goes before a look at the store.
            Call::Resolve(id) => match handle.references().resolve_at_hand(id) {
                Some(resolved) => answer.see_resolved(&resolved),
                None => answer.see_resolved(&handle.references().resolve(id).await?),
            },
            Call::ResolveMany(ids) => {
                let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
                for resolved in handle.references().resolve_many(&ids).await? {
                    match resolved {
                        Some(resolved) => answer.see_resolved(&resolved),
                        None => answer.see("nothing"),
                    }
                }
            }
            Call::Describe(id) => answer.see(&json::to_text(&handle.references().describe(id).await?)),
            Call::List { type_name, limit, cursor } => {
                answer.see_page(
                    "references",
                    handle.references().list(type_name.as_deref(), *limit, cursor.as_deref()).await?,
                );
            }
            Call::Delete(id) => answer.see(&handle.references().delete(id).await?.to_string()),
            Call::CacheGet(key) => answer.see(&format!("{:?}", handle.cache().get(key).await?)),
            Call::CacheSet { key, value, ttl_ms } => handle.cache().set(key, json(value), *ttl_ms).await?,
            Call::CacheDelete(key) => answer.see(&handle.cache().delete(key).await?.to_string()),
            Call::CacheBegin { key, ttl_ms } => match handle.cache().begin(key, *ttl_ms).await? {
                Begun::Value(value) => answer.see(&format!("{value:?}")),
                Begun::Compute(computing) => {
                    answer.see("compute");
                    self.computing = Some(computing);
                }
            },
            Call::CacheComputed(value) => {
                if let Some(computing) = self.computing.take() {
                    handle.cache().computed(computing, json(value)).await?;
                }
            }
            Call::CacheGiveUp => self.computing = None,
            Call::Plans(call) => call.make(handle, answer).await?,
            Call::Approvals(call) => call.make(handle, answer).await?,
            Call::Threads(call) => call.make(handle, answer).await?,
            Call::Traces(call) => call.make(handle, answer).await?,
            Call::Usage => answer.see(&format!("{:?}", handle.usage().await?)),
            Call::Reopen => {}
        }
        Ok(())
    }

    /// Whether it owes a computation: beginning another one of the same key would wait for ever, and rightly so.
    pub(crate) fn is_computing(&self) -> bool {
        self.computing.is_some()
    }

    fn reopen(&mut self) {
        self.computing = None;
        self.handle = None;
        self.second_version = !self.second_version;
        let version = if self.second_version { "v2" } else { "v1" };
        self.handle = Some(handle_of(&self.store, &self.id, version, self.part, &self.catalogue));
    }
}

impl Answer {
    pub(crate) fn see(&mut self, text: &str) {
        self.seen.extend_from_slice(text.as_bytes());
        self.seen.push(b'\n');
    }

    pub(crate) fn see_page<T: serde::Serialize>(&mut self, list: &'static str, page: Page<T>) {
        page.items.iter().for_each(|item| self.see(&json::to_text(item)));
        self.see(&format!("{:?}", page.cursor));
        self.cursor = page.cursor.map(|cursor| (list, cursor));
    }

    fn see_resolved(&mut self, resolved: &Resolved) {
        self.see(&json::to_text(&resolved.reference().unwrap()));
        self.seen.extend_from_slice(resolved.bytes());
        self.seen.push(b'\n');
    }
}

impl Value {
    fn item(&self) -> PutItem {
        let content = match &self.content {
            Content::Json(text) => PutContent::Json(text.clone().into_bytes()),
            Content::Text(text) => PutContent::Text(text.clone()),
            Content::Bytes(value, length) => PutContent::Bytes(vec![*value; *length]),
        };
        let (type_name, media_type) = (self.type_name.clone(), self.media_type.clone());
        PutItem { type_name, content, ttl_ms: self.ttl_ms, media_type }
    }
}

fn json(text: &str) -> CacheValue {
    CacheValue::Json(text.as_bytes().to_vec())
}
