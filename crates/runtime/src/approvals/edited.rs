//! The input with which a person approves a call instead of the one that was asked about.

use bailiwick_model::json::Json;
use bailiwick_model::pace::ahead;
use bailiwick_model::{Error, Result};
use bailiwick_tenancy::Access;

use super::is_due;
use super::record::{Approval, ApprovalStatus};
use super::respond::check_rule;
use super::settle::find;
use super::subject::Subject;
use crate::handle::Approvals;
use crate::runs::ToolRules;

impl Approvals<'_> {
    /// Checks an edited input as that of a call is checked. `None`: it is the input that was asked about, or the approval cannot be
    /// decided any more.
    ///
    /// # Errors
    /// `InvalidInput` that says what is refused; `NotFound` and `ApprovalForbidden` as of a decision; those of the store.
    pub(super) async fn edited(
        self,
        access: &Access,
        approval_id: &str,
        actor: &str,
        input: &Json,
    ) -> Result<Option<Vec<u8>>> {
        let Approval { subject, rule, .. } = {
            let approval = find(access, approval_id).await?.ok_or(Error::NotFound)?.approval;
            if approval.status != ApprovalStatus::Pending || is_due(&approval, access.now()) {
                return Ok(None);
            }
            check_rule(&approval, actor)?;
            approval
        };
        let Subject::Tool { tool, input: asked } = subject else {
            return Err(Error::invalid(
                "A plan is approved as it is. Save another version of it and request its approval.",
            ));
        };
        if let Some(rule) = rule.filter(|rule| rule.quorum > 1) {
            return Err(Error::invalid(format!(
                "{} people must approve the same input, so it cannot be edited. Approve it as it is, or reject it with a reason.",
                rule.quorum
            )));
        }
        // It is checked, and written.
        ahead(2 * input.weight()).await;
        let Subject::Tool { input: edited, .. } = Subject::tool(tool.clone(), input)? else { return Ok(None) };
        self.handle.check_value_bytes(edited.len())?;
        let Some(rules) = self.handle.catalogue.agents.tool(&tool) else {
            return Err(Error::invalid(format!(
                "The input cannot be edited: this runtime has no tool {tool} whose schema could say whether it fits."
            )));
        };
        self.check_input(&tool, rules, input).await?;
        Ok((edited != asked).then_some(edited))
    }

    /// # Errors
    /// `InvalidInput` if the tool would not be called with this input.
    async fn check_input(self, tool: &str, rules: &ToolRules, input: &Json) -> Result<()> {
        // The host's own schema decides alone where there is one: it has validated the input before.
        if !self.handle.validated.tools.contains(tool)
            && let Some(problems) = rules.wrong_input(input).await
        {
            return Err(Error::invalid(format!(
                "The edited input does not fit the schema of the tool {tool}: {problems}"
            )));
        }
        match self.handle.references().first_foreign(&rules.references, input).await? {
            Some(property) => Err(Error::invalid(format!(
                "The property {property} of the edited input must be the id of an existing reference."
            ))),
            None => Ok(()),
        }
    }
}
