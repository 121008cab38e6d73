//! Runs as they are listed, and the tokens of all of them.

use bailiwick_model::json::{self, Text};
use bailiwick_model::names::shown;
use bailiwick_model::{Error, Result};
use bailiwick_tenancy::{List, check_limit};

use crate::handle::Runs;
use crate::page::Page;
use crate::runs::events::Usage;
use crate::runs::journal::{KIND, RunHead, RunStatus, filtered, read_head, replay, tokens};

/// How many rows are read for one page, for filters that have no list of their own.
const ROWS_A_PAGE: usize = 1000;
/// How many records are read at once.
const RECORDS: usize = 32;

/// Which runs to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Their status: a word of the API, `interrupted` included.
    pub status: Option<String>,
    /// Their thread.
    pub thread_id: Option<String>,
    /// Who started them.
    pub actor: Option<String>,
}

impl RunFilter {
    /// The list with the fewest others.
    fn list(&self) -> Result<List> {
        let status = match self.status.as_deref() {
            None => None,
            Some("interrupted") => Some(RunStatus::Running),
            Some(name) => Some(RunStatus::from_name(name).ok_or_else(|| {
                Error::invalid(format!(
                    "status must be queued, running, interrupted, suspended, completed, limited, failed or cancelled, not {}.",
                    shown(name)
                ))
            })?),
        };
        Ok(match (&self.thread_id, &self.actor, status) {
            (Some(thread_id), _, _) => filtered("thread", thread_id),
            (None, Some(actor), _) => filtered("actor", actor),
            (None, None, Some(status)) => filtered("status", status.name()),
            (None, None, None) => List::all(KIND),
        })
    }

    fn takes(&self, head: &RunHead, is_live: bool) -> bool {
        self.status.as_deref().is_none_or(|status| status == head.shown(is_live))
            && self.thread_id.as_ref().is_none_or(|thread_id| *thread_id == head.thread_id)
            && (self.actor.is_none() || self.actor == head.actor)
    }
}

impl Runs<'_> {
    /// A run as `RunSummary`, JSON text; of a suspended one with `restsAt`, the sequence of the event at which it was.
    ///
    /// # Errors
    /// `NotFound` for every id that is not this tenant's, and those of the store.
    pub async fn summary(self, run_id: &str) -> Result<String> {
        let Some(access) = self.handle.existing().await? else { return Err(Error::NotFound) };
        let (head, _) = read_head(&access, run_id).await?.ok_or(Error::NotFound)?;
        let is_live = self.at_work(&access, std::slice::from_ref(&head)).await?.contains(&true);
        Ok(head.summary_with_rest(is_live))
    }

    /// Lists runs, newest first. With several filters a page may have fewer than `limit` and still go on.
    ///
    /// # Errors
    /// `InvalidInput` for a bad filter, limit or cursor, and those of the store.
    pub async fn list(self, filter: &RunFilter, limit: usize, cursor: Option<&str>) -> Result<Page<Text>> {
        check_limit(limit)?;
        let list = filter.list()?;
        let Some(access) = self.handle.existing().await? else { return Page::of_nothing(cursor) };
        let (mut items, mut cursor, mut read) = (Vec::new(), cursor.map(str::to_owned), 0);
        loop {
            let before = self.handle.held_bytes();
            let page = match access.record_page(&list, limit - items.len(), cursor.as_deref()).await {
                // What there is no room for is on the next page.
                Err(Error::TooMuchInFlight { .. }) if read > 0 => return Ok(Page { items, cursor }),
                page => page?,
            };
            read += page.records.len();
            let mut heads = Vec::new();
            for (micros, record) in page.records {
                let Some(record) = record else { continue };
                heads.extend(Some(RunHead::read(&record.body)?).filter(|head| head.created_micros == micros));
            }
            let at_work = self.at_work(&access, &heads).await?;
            let taken = heads.iter().zip(at_work).filter(|(head, is_live)| filter.takes(head, *is_live));
            let taken: Vec<String> = taken.map(|(head, is_live)| head.summary(is_live)).collect();
            self.handle.give_back_to(before + taken.iter().map(|summary| summary.len() as u64).sum::<u64>());
            items.extend(taken.into_iter().map(Text::new));
            cursor = page.cursor;
            if cursor.is_none() || items.len() == limit || read >= ROWS_A_PAGE {
                return Ok(Page { items, cursor });
            }
        }
    }

    /// The tokens that models have read and written, by model, those of running and interrupted runs included: what they
    /// have used since they were begun or suspended is in no sum yet.
    ///
    /// # Errors
    /// `StoreCorrupt` if the sum or a journal is damaged, and those of the store.
    pub(crate) async fn tokens_of_all(self) -> Result<Usage> {
        let Some(access) = self.handle.scope.existing().await? else { return Ok(Usage::default()) };
        let mut sum = tokens::read(&access).await?.0;
        let (list, mut cursor) = (filtered("status", RunStatus::Running.name()), None);
        loop {
            let page = access.record_page(&list, RECORDS, cursor.as_deref()).await?;
            for (_, record) in page.records {
                let Some(record) = record else { continue };
                let head = RunHead::read(&record.body)?;
                sum.add_all(&replay(&access, &head).await?.state.usage.since(&head.counted));
            }
            match page.cursor {
                Some(next) => cursor = Some(next),
                None => return Ok(sum),
            }
        }
    }

    /// The tokens that models have read and written, by model, as JSON text. They only grow.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn tokens(self) -> Result<String> {
        let usage = match self.handle.existing().await? {
            Some(access) => tokens::read(&access).await?.0,
            None => Usage::default(),
        };
        Ok(json::to_text(&usage))
    }
}
