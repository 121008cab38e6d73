//! Erases a tenant and signs the receipt.

use bailiwick_model::json::{self, Json};
use bailiwick_model::{Error, Result};
use bailiwick_tenancy::Erased;
use futures_util::future::BoxFuture;

use crate::handle::TenantHandle;

/// The known copies of every store: its backups.
const BACKUPS: &str = "Earlier backups have the sealed records and the wrapped keys: anyone with a backup and the root key can read them until the root key is rotated and the old one is destroyed.";

impl TenantHandle {
    /// Erases the tenant. Its keys are destroyed first, durably, so that none of its data can be read any more. Then
    /// its rows and files are removed. All its handles are closed. `confirm` must be its resource id.
    ///
    /// Returns the receipt `{ tenant, erasedAt, storage, tokens, checkpoint?, complete, residues, note }`, signed by
    /// the store.
    ///
    /// # Errors
    /// `InvalidInput` unless `confirm` is the tenant's resource id, `Closed` if it was erased already, and those of the
    /// store. After an error of the store, an erase that has begun is completed when the store is next opened, or
    /// earlier.
    pub fn erase<'a>(&'a self, confirm: &'a str) -> BoxFuture<'a, Result<Json>> {
        Box::pin(async move {
            if confirm != self.tenant.resource_id() {
                return Err(Error::invalid(
                    "erase removes everything that this tenant has, for good. To confirm, pass its resourceId, exactly.",
                ));
            }
            let storage = self.usage_json().await?;
            let (checkpoint, tokens) = (self.last_checkpoint().await?, self.all_tokens().await?);
            let erased = self.scope.erase().await?;
            self.close();
            let mut members = vec![
                ("tenant", self.tenant_json()),
                ("erasedAt", Json::Number(self.scope.now() as f64)),
                ("storage", storage),
            ];
            members.extend(tokens.map(|tokens| ("tokens", tokens)));
            members.extend(checkpoint.map(|checkpoint| ("checkpoint", checkpoint)));
            members.push(("complete", Json::Bool(erased == Erased::Completely)));
            members.push(("residues", Json::Array(self.residues().map(Json::from).collect())));
            let members = members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            self.scope.store().sign_receipt(Json::Object(members))
        })
    }

    /// Returns the last state of the ledger, if it has records. A damaged ledger does not prevent the erase.
    async fn last_checkpoint(&self) -> Result<Option<Json>> {
        if self.scope.existing().await?.is_none() {
            return Ok(None);
        }
        match self.approvals().checkpoint().await {
            Ok(checkpoint) if checkpoint.size > 0 => Ok(Some(checkpoint.to_json())),
            Ok(_) | Err(Error::StoreCorrupt(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the tokens of all runs; `None` if they are damaged, which does not prevent the erase.
    async fn all_tokens(&self) -> Result<Option<Json>> {
        match self.runs().tokens_of_all().await {
            Ok(usage) => json::parse(json::to_text(&usage).as_bytes(), &json::Limits::default()).map(Some),
            Err(Error::StoreCorrupt(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn tenant_json(&self) -> Json {
        Json::Object(vec![
            ("resourceId".to_owned(), Json::from(self.tenant.resource_id())),
            ("version".to_owned(), Json::from(self.tenant.version())),
        ])
    }

    fn residues(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(BACKUPS).chain(self.scope.store().residues().iter().copied())
    }
}
