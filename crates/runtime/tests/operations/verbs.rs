//! The verbs that could tell whether something is there, and everything a caller can tell of their outcome.

use bailiwick_model::Result;
use bailiwick_runtime::{ApprovalRequest, Begun, Decide, Question, TenantHandle};

use crate::missing::{Missing, asking, message, plan};
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
    let page = match list {
        List::References => handle.list_references(None, limit, cursor).await,
        List::ReferencesOfType => handle.list_references(Some(filter), limit, cursor).await,
        List::Plans => handle.list_plans(limit, cursor).await,
        List::PendingApprovals => handle.list_pending_approvals(limit, cursor).await,
        List::History => handle.approval_history(limit, cursor).await,
        List::Threads => handle.list_threads(None, limit, cursor).await,
        List::ThreadsOfActor => handle.list_threads(Some(filter), limit, cursor).await,
        List::Messages => handle.thread_messages(thread, limit, cursor).await,
        List::Traces => handle.list_traces(None, limit, cursor).await,
    }?;
    Ok((page.items, page.cursor))
}

/// Everything a caller can tell of the outcome.
pub(crate) async fn outcome(handle: &TenantHandle, verb: Verb, missing: &Missing) -> String {
    ask(handle, verb, missing).await.unwrap_or_else(|error| told(&error))
}

async fn ask(handle: &TenantHandle, verb: Verb, missing: &Missing) -> Result<String> {
    Ok(match verb {
        Verb::Resolve => handle.resolve(&missing.reference).await?.json()?,
        Verb::ResolveMany => {
            let found = handle.resolve_many(&[&missing.reference, "ref_", &missing.reference]).await?;
            format!("{:?}", found.iter().map(Option::is_some).collect::<Vec<_>>())
        }
        Verb::ResolveAtHand => handle.resolve_at_hand(&missing.reference).is_some().to_string(),
        Verb::Describe => handle.describe(&missing.reference).await?.json,
        Verb::Delete => handle.delete_reference(&missing.reference).await?.to_string(),
        Verb::CacheGet => format!("{:?}", handle.cache_get(missing.key).await?),
        Verb::CacheDelete => handle.cache_delete(missing.key).await?.to_string(),
        Verb::CacheBegin => match handle.cache_begin(missing.key, None).await? {
            Begun::Value(value) => format!("{value:?}"),
            Begun::Compute(_) => "compute".to_owned(),
        },
        Verb::LoadPlan => format!("{:?}", handle.load_plan(missing.plan, None).await?),
        Verb::LoadPlanVersion => format!("{:?}", handle.load_plan(missing.plan, Some(1)).await?),
        Verb::PlanHistory => format!("{:?}", handle.plan_history(missing.plan).await?),
        Verb::SavePlan => format!("{:?}", handle.save_plan(&plan(missing.plan, 1), Some(1)).await?),
        Verb::RequestAboutPlan => {
            let question = Question::Plan { plan_id: missing.plan.to_owned() };
            format!("{:?}", handle.request_approval(ApprovalRequest { question, ..asking(1) }).await?)
        }
        Verb::Approval => format!("{:?}", handle.approval(&missing.approval).await?),
        Verb::Respond => {
            format!("{:?}", handle.respond_to_approval(&missing.approval, Decide::Approve, "kim", None).await?)
        }
        Verb::Withdraw => format!("{:?}", handle.withdraw_approvals(&[&missing.approval], None, Vec::new()).await?),
        Verb::Prove => format!("{:?}", handle.prove_approval(missing.sequence).await?),
        Verb::ProveConsistency => {
            format!("{:?}", handle.prove_approval_consistency(missing.checkpoint.clone()).await?)
        }
        Verb::Verify => format!("{:?}", handle.verify_approvals(Some(&missing.checkpoint)).await?),
        Verb::ThreadMessages => format!("{:?}", handle.thread_messages(missing.thread, 10, None).await?.items),
        Verb::ForkThread => handle.fork_thread(missing.thread, &missing.message, None).await?,
        Verb::ForkThrough => handle.fork_thread("own", &missing.message, None).await?,
        Verb::Append => format!("{:?}", handle.append_messages(missing.thread, &message("kim", 1), Some(1)).await?),
        Verb::DeleteThread => handle.delete_thread(missing.thread).await?.to_string(),
        Verb::TracesOfRun => format!("{:?}", handle.list_traces(Some(missing.thread), 10, None).await?.items),
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
