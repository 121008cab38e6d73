//! Check: reads everything in a store and verifies that each record opens with the keys of the tenant whose tag it lies below.

use std::collections::{HashMap, HashSet};

use bailiwick_model::Result;
use bailiwick_store::{Exported, Place, Row, STORE_SLOT, Tag};

use crate::errors;
use crate::keys::{TenantKeys, UnnamedKeys, is_abandoned};
use crate::rows;
use crate::rows::internal::{HOUSEKEEPING_LEASE, INTERNAL, LEGACY_RUNS_SEARCH, LEGACY_THREADS, OWNER, STORE_TAG};
use crate::tenant::name_row::NameRow;
use crate::tenant::store::Store;

/// The headers that are read at once.
const HEADERS: usize = 256;
/// The problems that are listed; further ones are only counted.
const LISTED: usize = 100;

/// The result of a check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// The tenants.
    pub tenants: u64,
    /// The rows that were read.
    pub rows: u64,
    /// The bytes of their sealed values.
    pub bytes: u64,
    /// The problems that were found.
    pub count: u64,
    /// The first of them: what is wrong, and the kind of the row. Never the tenant.
    pub problems: Vec<String>,
}

impl CheckReport {
    fn add(&mut self, problem: String) {
        self.count += 1;
        if self.problems.len() < LISTED {
            self.problems.push(problem);
        }
    }
}

/// The tags and names that are known while the rows are read.
pub(crate) struct Check<'a> {
    store: &'a Store,
    tenants: HashMap<Tag, UnnamedKeys>,
    /// The tags of headers, by name.
    headers: HashMap<[u8; 32], Tag>,
    named: HashMap<[u8; 32], NameRow>,
    /// The tags with rows and without keys, and how many rows.
    orphans: HashMap<Tag, u64>,
    report: CheckReport,
}

impl Store {
    /// Reads every row and header, and reports what is wrong.
    ///
    /// # Errors
    /// Those of the store. Corruption is reported, not an error; but an engine that cannot read a row at all returns
    /// `StoreCorrupt`.
    pub async fn check(&self) -> Result<CheckReport> {
        let mut export = self.engine.export().await.map_err(errors::read)?;
        let mut check = Check::begin(self).await?;
        loop {
            let part = export.next().await.map_err(errors::read)?;
            if part.is_empty() {
                break;
            }
            for exported in part {
                if let Exported::Row { tag, row, .. } = exported {
                    check.row(tag, &row);
                }
            }
        }
        check.finish().await
    }
}

impl<'a> Check<'a> {
    /// Reads the headers. Pass every row to [`Check::row`] afterwards.
    pub(crate) async fn begin(store: &'a Store) -> Result<Self> {
        let mut check = Self {
            store,
            tenants: HashMap::new(),
            headers: HashMap::new(),
            named: HashMap::new(),
            orphans: HashMap::new(),
            report: CheckReport::default(),
        };
        check.read_headers().await?;
        Ok(check)
    }

    async fn read_headers(&mut self) -> Result<()> {
        let vault = &self.store.vault;
        let mut after = Some(STORE_SLOT);
        loop {
            let names = vault.names(after, HEADERS).await.map_err(errors::read)?;
            for name in &names {
                let key_ring = self.store.key_ring.read().await;
                let slot = vault.get(*name).await.map_err(errors::read)?;
                let Some(slot) = slot.filter(|slot| !is_abandoned(&slot.value, &key_ring)) else { continue };
                match TenantKeys::open_unnamed(&slot.value, &key_ring, &self.store.keys, name) {
                    Ok(keys) => {
                        self.headers.insert(*name, keys.keys.tag);
                        self.tenants.insert(keys.keys.tag, keys);
                    }
                    Err(_) => self.report.add("A tenant's keys cannot be opened.".to_owned()),
                }
            }
            match names.last() {
                Some(last) => after = Some(*last),
                None => break,
            }
        }
        self.report.tenants = self.headers.len() as u64;
        Ok(())
    }

    pub(crate) fn row(&mut self, tag: Tag, row: &Row) {
        self.report.rows += 1;
        self.report.bytes += row.value.len() as u64;
        if row.place.kind == INTERNAL {
            return self.internal_row(tag, row);
        }
        let Some(tenant) = self.tenants.get(&tag) else {
            *self.orphans.entry(tag).or_default() += 1;
            return;
        };
        let is_whole = match rows::kind_of(&row.place) {
            None => false,
            Some((_, true)) => row.value.is_empty(),
            Some((_, false)) => self.opens(tenant, tag, &row.place, &row.value),
        };
        if !is_whole {
            let kind = rows::kind_of(&row.place).map_or("unknown", |(kind, _)| kind.name());
            self.report.add(format!("A row of the kind {kind} does not open at its place: it was altered or moved."));
        }
    }

    /// Whether a record opens and names its tenant.
    fn opens(&self, tenant: &UnnamedKeys, tag: Tag, place: &Place, sealed: &[u8]) -> bool {
        tenant.owner(&self.store.keys, tag, place, sealed).is_some()
    }

    fn internal_row(&mut self, tag: Tag, row: &Row) {
        if row.place == OWNER {
            if self.tenants.contains_key(&tag) && self.store.open_owner(tag, &row.value).is_err() {
                self.report.add("The row that says whose a tag is cannot be opened.".to_owned());
            }
        } else if tag == STORE_TAG && [HOUSEKEEPING_LEASE, LEGACY_THREADS, LEGACY_RUNS_SEARCH].contains(&row.place) {
            // The state of housekeeping: nothing depends on it.
        } else if tag == STORE_TAG {
            if !self.store.keys.is_store_row(&row.value) {
                self.report.add("The row that ties the store to its keys cannot be opened.".to_owned());
            }
        } else {
            match self.store.names().open(&tag.0, row) {
                Ok(names) => drop(self.named.insert(tag.0, names)),
                Err(_) => self.report.add("The row of a tenant's name cannot be opened.".to_owned()),
            }
        }
    }

    pub(crate) async fn finish(mut self) -> Result<CheckReport> {
        let mut erased: HashSet<Tag> = self.named.values().flat_map(|row| row.erased.clone()).collect();
        for (name, row) in &self.named {
            let Some(live) = row.live.filter(|live| self.headers.get(name) != Some(live)) else { continue };
            // The keys were read after the rows: another process may have erased the tenant meanwhile.
            if self.store.names().read(name).await?.live == Some(live) {
                self.report.add("A tenant has a name and no keys.".to_owned());
            } else {
                erased.insert(live);
            }
        }
        for (tag, rows) in &self.orphans {
            if !erased.contains(tag) {
                self.report.add(format!("{rows} rows have no owner: the keys of their tenant are gone."));
            }
        }
        Ok(self.report)
    }
}
