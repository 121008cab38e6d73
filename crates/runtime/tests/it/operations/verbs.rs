//! The verbs that could tell whether something is there, and everything a caller can tell of their outcome.

use bailiwick_model::ledger::record::Decision;
use bailiwick_model::{Result, json};
use bailiwick_runtime::{ApprovalRequest, Begun, Page, RequestedSubject, TenantHandle};

use crate::operations::missing::{Missing, asking, message, plan};
use crate::support::told;

/// What is read in pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum List {
    References,
    ReferencesOfType,
    Plans,
    PendingApprovals,
    History,
    Threads,
    ThreadsOfActor,
    Messages,
    Traces,
}

pub(crate) const LISTS: [List; 9] = [
    List::References,
    List::ReferencesOfType,
    List::Plans,
    List::PendingApprovals,
    List::History,
    List::Threads,
    List::ThreadsOfActor,
    List::Messages,
    List::Traces,
];

/// The verbs that name something.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Verb {
    Resolve,
    ResolveMany,
    ResolveAtHand,
    Describe,
    Delete,
    CacheGet,
    CacheDelete,
    CacheBegin,
    LoadPlan,
    LoadPlanVersion,
    PlanHistory,
    /// Expecting the version that a plan would have if it were there.
    SavePlan,
    RequestAboutPlan,
    Approval,
    Respond,
    Withdraw,
    Prove,
    ProveConsistency,
    Verify,
    ThreadMessages,
    ForkThread,
    ForkThrough,
    /// Expecting the length that a thread would have if it were there.
    Append,
    DeleteThread,
    TracesOfRun,
    /// The list with a filter that nothing meets.
    Filtered(List),
    /// The list from a cursor on.
    Cursor(List),
}

/// All of them.
pub(crate) fn verbs() -> Vec<Verb> {
    let named = [
        Verb::Resolve,
        Verb::ResolveMany,
        Verb::ResolveAtHand,
        Verb::Describe,
        Verb::Delete,
        Verb::CacheGet,
        Verb::CacheDelete,
        Verb::CacheBegin,
        Verb::LoadPlan,
        Verb::LoadPlanVersion,
        Verb::PlanHistory,
        Verb::SavePlan,
        Verb::RequestAboutPlan,
        Verb::Approval,
        Verb::Respond,
        Verb::Withdraw,
        Verb::Prove,
        Verb::ProveConsistency,
        Verb::Verify,
        Verb::ThreadMessages,
        Verb::ForkThread,
        Verb::ForkThrough,
        Verb::Append,
        Verb::DeleteThread,
        Verb::TracesOfRun,
        Verb::Filtered(List::ReferencesOfType),
        Verb::Filtered(List::ThreadsOfActor),
    ];
    named.into_iter().chain(LISTS.map(Verb::Cursor)).collect()
}

/// A page of a list, and where the next begins. `filter`: the type, actor or thread.
pub(crate) async fn page(
    handle: &TenantHandle,
    list: List,
    filter: &str,
    thread: &str,
    limit: usize,
    cursor: Option<&str>,
) -> Result<(Vec<String>, Option<String>)> {
    Ok(match list {
        List::References => texts(handle.references().list(None, limit, cursor).await?),
        List::ReferencesOfType => texts(handle.references().list(Some(filter), limit, cursor).await?),
        List::Plans => texts(handle.plans().list(limit, cursor).await?),
        List::PendingApprovals => texts(handle.approvals().pending(limit, cursor).await?),
        List::History => texts(handle.approvals().history(limit, cursor).await?),
        List::Threads => texts(handle.threads().list(None, limit, cursor).await?),
        List::ThreadsOfActor => texts(handle.threads().list(Some(filter), limit, cursor).await?),
        List::Messages => texts(handle.threads().messages(thread, limit, cursor).await?),
        List::Traces => texts(handle.traces().list(None, limit, cursor).await?),
    })
}

/// The items of a page as JSON text, and where the next begins.
fn texts<T: serde::Serialize>(page: Page<T>) -> (Vec<String>, Option<String>) {
    (page.items.iter().map(json::to_text).collect(), page.cursor)
}

/// Everything a caller can tell of the outcome.
pub(crate) async fn outcome(handle: &TenantHandle, verb: Verb, missing: &Missing) -> String {
    ask(handle, verb, missing).await.unwrap_or_else(|error| told(&error))
}

async fn ask(handle: &TenantHandle, verb: Verb, missing: &Missing) -> Result<String> {
    Ok(match verb {
        Verb::Resolve => json::to_text(&handle.references().resolve(&missing.reference).await?.reference()?),
        Verb::ResolveMany => {
            let found = handle.references().resolve_many(&[&missing.reference, "ref_", &missing.reference]).await?;
            format!("{:?}", found.iter().map(Option::is_some).collect::<Vec<_>>())
        }
        Verb::ResolveAtHand => handle.references().resolve_at_hand(&missing.reference).is_some().to_string(),
        Verb::Describe => json::to_text(&handle.references().describe(&missing.reference).await?),
        Verb::Delete => handle.references().delete(&missing.reference).await?.to_string(),
        Verb::CacheGet => format!("{:?}", handle.cache().get(missing.key).await?),
        Verb::CacheDelete => handle.cache().delete(missing.key).await?.to_string(),
        Verb::CacheBegin => match handle.cache().begin(missing.key, None).await? {
            Begun::Value(value) => format!("{value:?}"),
            Begun::Compute(_) => "compute".to_owned(),
        },
        Verb::LoadPlan => format!("{:?}", handle.plans().load(missing.plan, None).await?),
        Verb::LoadPlanVersion => format!("{:?}", handle.plans().load(missing.plan, Some(1)).await?),
        Verb::PlanHistory => format!("{:?}", handle.plans().history(missing.plan).await?),
        Verb::SavePlan => format!("{:?}", handle.plans().save(&plan(missing.plan, 1), Some(1)).await?),
        Verb::RequestAboutPlan => {
            let subject = RequestedSubject::Plan { plan_id: missing.plan.to_owned() };
            format!("{:?}", handle.approvals().request(ApprovalRequest { subject, ..asking(1) }).await?)
        }
        Verb::Approval => format!("{:?}", handle.approvals().get(&missing.approval).await?),
        Verb::Respond => {
            format!("{:?}", handle.approvals().respond(&missing.approval, Decision::Approved, "kim", None).await?)
        }
        Verb::Withdraw => format!("{:?}", handle.approvals().withdraw(&[&missing.approval], None, Vec::new()).await?),
        Verb::Prove => format!("{:?}", handle.approvals().prove(missing.sequence).await?),
        Verb::ProveConsistency => {
            format!("{:?}", handle.approvals().prove_consistency(missing.checkpoint.clone()).await?)
        }
        Verb::Verify => format!("{:?}", handle.approvals().verify(Some(&missing.checkpoint)).await?),
        Verb::ThreadMessages => format!("{:?}", handle.threads().messages(missing.thread, 10, None).await?.items),
        Verb::ForkThread => handle.threads().fork(missing.thread, &missing.message, None).await?,
        Verb::ForkThrough => handle.threads().fork("own", &missing.message, None).await?,
        Verb::Append => format!("{:?}", handle.threads().append(missing.thread, &message("kim", 1), Some(1)).await?),
        Verb::DeleteThread => handle.threads().delete(missing.thread).await?.to_string(),
        Verb::TracesOfRun => format!("{:?}", handle.traces().list(Some(missing.thread), 10, None).await?.items),
        Verb::Filtered(list) => {
            let filter = if matches!(list, List::ReferencesOfType) { missing.type_name } else { missing.actor };
            format!("{:?}", page(handle, list, filter, "own", 10, None).await?)
        }
        Verb::Cursor(list) => {
            let cursor = missing.cursors.get(&list).map(String::as_str);
            format!("{:?}", page(handle, list, missing.type_name, "own", 10, cursor).await?)
        }
    })
}
