//! References that the input of a tool names.

use bailiwick_model::json::Json;
use bailiwick_model::{Error, Result};

use crate::handle::References;

impl References<'_> {
    /// Returns the first of these properties, each with its type, in which an input names another reference than the tenant's.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn first_foreign(self, properties: &[(String, String)], input: &Json) -> Result<Option<String>> {
        for (property, _) in properties {
            let Some(value) = input.get(property) else { continue };
            if !self.are_own(value).await? {
                return Ok(Some(property.clone()));
            }
        }
        Ok(None)
    }

    /// Whether a value is the id of a reference of the tenant, or a list of such ids.
    async fn are_own(self, value: &Json) -> Result<bool> {
        let ids: Vec<&str> = match value {
            Json::String(id) => vec![id],
            Json::Array(ids) => match ids.iter().map(Json::as_str).collect::<Option<Vec<&str>>>() {
                Some(ids) => ids,
                None => return Ok(false),
            },
            _ => return Ok(false),
        };
        for id in ids {
            match self.describe(id).await {
                Ok(_) => {}
                Err(Error::NotFound) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}
