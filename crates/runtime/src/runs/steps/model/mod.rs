//! One answer of a model: asked for, streamed to followers, checked and noted.

mod answer;
mod collected;
mod event;
mod parts;
mod summary;

use std::borrow::Cow;
use std::time::Duration;

use bailiwick_model::json;
use bailiwick_model::pace::{ahead, ahead_of};
use bailiwick_model::spec::AgentRole;
use serde::Serialize;

pub(crate) use parts::BrokenAnswers;
pub(super) use summary::summary;

use collected::{ANSWER_BYTES, Collected};

use super::agents;
use super::context::{self, Conversation};
use super::tools::shortened;
use crate::context::RECALL;
use crate::runs::driver::{Driver, Stop, failed};
use crate::runs::events::{FailureCode, RunFailure};
use crate::runs::follow::Writing;
use crate::runs::host::{CallbackKind, HostFailure, REQUEST_BYTES, Reply, host_gone};
use crate::runs::lifecycle;

/// How often one model is tried when its failure may pass.
const TRIES: u32 = 3;
/// The first wait between two tries, in milliseconds; each is four times the one before.
const FIRST_WAIT_MS: u64 = 250;
/// The longest wait that a model may ask for before its next try, in milliseconds.
const LONGEST_WAIT_MS: u64 = 30_000;

/// Why a model gave no answer.
struct ModelFailure {
    message: String,
    retryable: bool,
    retry_after_ms: Option<u64>,
    /// Whether something of an answer had come already.
    begun: bool,
}

/// Asks the model of the last agent and notes its answer.
pub(super) async fn ask(run: &mut Driver<'_>) -> Result<(), Stop> {
    let role = run.agent()?.spec.role;
    let definition = run.state.frames.last().and_then(|frame| run.definition(frame));
    let (models, limits) = definition.map(|own| (own.models.clone(), own.limits)).unwrap_or_default();
    if role == AgentRole::Executor && models.is_empty() {
        return agents::leave_executor(run).await;
    }
    run.check_steps(&limits)?;
    // What the model is about to see is durable before it does.
    if lifecycle::thread_lags(run) {
        lifecycle::flush_thread(run).await?;
    }
    context::fit(run).await?;
    // A summary may have used up what is left.
    run.check_steps(&limits)?;
    run.flush().await?;
    let (mut last, mut tries, mut begun) = (None, 0, false);
    for model in &models {
        for attempt in 0..TRIES {
            let answer = request_once(run, model, tries).await?;
            tries += 1;
            let failure = match answer {
                Ok(collected) => return answer::note(run, model, collected).await,
                Err(failure) => failure,
            };
            let wait = failure.retry_after_ms.unwrap_or(FIRST_WAIT_MS << (2 * attempt));
            let again = failure.retryable && attempt + 1 < TRIES && wait <= LONGEST_WAIT_MS;
            begun |= failure.begun;
            last = Some(failure);
            if !again {
                break;
            }
            run.unless_stopped(tokio::time::sleep(Duration::from_millis(wait))).await?;
        }
        // Another model is tried only as long as nothing was said.
        if begun {
            break;
        }
    }
    Err(model_failed(last))
}

/// Asks once. What came of an answer that broke off is kept until an entry mentions it.
async fn request_once(run: &mut Driver<'_>, model: &str, tries: u32) -> Result<Result<Collected, ModelFailure>, Stop> {
    let message_id = written_id(run, tries);
    let request = request(run, model).await?;
    run.live.begin_message(Writing {
        run_id: run.state.run_id.clone(),
        agent: run.state.agent().unwrap_or_default().to_owned(),
        message_id: message_id.clone(),
        at: run.access.now(),
        ..Writing::default()
    });
    let mut collected = Collected::new(message_id);
    let outcome = match listen(run, request, &mut collected, true).await {
        Ok(None) => return Ok(Ok(collected)),
        Ok(Some(mut failure)) => {
            failure.begun = !collected.parts.is_empty();
            Ok(Err(failure))
        }
        Err(stop) => Err(stop),
    };
    ahead_of(collected.bytes.sum()).await;
    run.broken.take(collected, model, &run.state);
    outcome
}

/// Collects an answer as it comes. `None`: it is complete. `is_shown`: whether followers see it.
async fn listen(
    run: &Driver<'_>,
    request: String,
    collected: &mut Collected,
    is_shown: bool,
) -> Result<Option<ModelFailure>, Stop> {
    let mut asked = run.host.request(CallbackKind::Model, request);
    loop {
        let Some(reply) = run.unless_stopped(asked.next()).await? else { return Err(host_gone().into()) };
        let (text, is_last) = match reply {
            Reply::Piece(text) => (text, false),
            Reply::Value(text) => (text, true),
            Reply::Failure(text) => return Ok(Some(ModelFailure::read(&text).await)),
        };
        ahead_of(text.len()).await;
        let (more_text, more_reasoning) = match collected.take(&text) {
            Ok(more) => more,
            Err(message) => return Ok(Some(ModelFailure::new(message, false))),
        };
        if is_shown && !(more_text.is_empty() && more_reasoning.is_empty()) {
            run.live.write(&more_text, &more_reasoning);
        }
        if is_last {
            let ended = "The model's answer ended without a finish.";
            return Ok(collected.finish.is_none().then(|| ModelFailure::new(ended.to_owned(), true)));
        }
    }
}

/// The id of a message that a model writes: another one each time that the message is written anew, so that no follower takes
/// the beginning of one for that of another.
fn written_id(run: &Driver<'_>, tries: u32) -> String {
    let mut id = run.state.message_id();
    if run.journal.epoch > 1 {
        id.push_str(&format!("-e{}", run.journal.epoch));
    }
    if tries > 0 {
        id.push_str(&format!("-{tries}"));
    }
    id
}

/// The members of a request to a model, but for the messages and what its host is told of the agent once.
#[derive(Serialize)]
struct ModelRequest<'a> {
    agent: &'a str,
    model: &'a str,
    frame: u64,
    /// How many messages the host has.
    from: usize,
}

/// The request to a model: the messages that the host does not have yet, and what it is told of the agent once. Messages are
/// JSON already, so they are put in as they are.
async fn request(run: &mut Driver<'_>, model: &str) -> Result<String, Stop> {
    let Some(frame) = run.state.frames.last() else { return Err(failed(FailureCode::Internal, "No agent is left.")) };
    let report = agents::plan_report(run).await;
    let have = run.sent.get(&frame.number).copied().unwrap_or(0);
    let conversation = Conversation::of(run);
    ahead(conversation.weight(have)).await;
    let report =
        report.iter().skip(have.saturating_sub(conversation.len())).map(|report| Cow::Borrowed(report.as_str()));
    let messages: Vec<Cow<'_, str>> = conversation.sent(have).chain(report).collect();
    let bytes = messages.iter().map(|message| message.len() + 1).sum::<usize>();
    if bytes - messages.len() > REQUEST_BYTES {
        let told = "The model would be asked more than 64 MiB at once. Keep large results as references, by a lower inlineResultBytes.";
        return Err(failed(FailureCode::ModelFailed, told));
    }
    ahead_of(bytes).await;
    let mut request = json::to_text(&ModelRequest { agent: &frame.agent, model, frame: frame.number, from: have });
    request.pop();
    let Some(definition) = run.definition(frame).cloned() else {
        return Err(failed(FailureCode::Internal, "An agent is gone."));
    };
    let recalls = context::offers_recall(run);
    let known_as = if recalls { format!("{}/{RECALL}", definition.hash) } else { definition.hash.clone() };
    let is_known = run.configured.get(&frame.agent) == Some(&known_as);
    let config = match (is_known, recalls) {
        (true, _) => Cow::Borrowed(""),
        (false, false) => Cow::Borrowed(definition.config.as_str()),
        (false, true) => Cow::Owned(context::with_recall(&definition.config)),
    };
    request.reserve(bytes + config.len() + 64);
    request.push_str(",\"messages\":[");
    for (at, message) in messages.iter().enumerate() {
        if at > 0 {
            request.push(',');
        }
        request.push_str(message);
    }
    request.push(']');
    if !config.is_empty() {
        request.push_str(",\"config\":");
        request.push_str(&config);
        if let Some(instructions) = &run.state.instructions {
            request.push_str(",\"instructions\":");
            request.push_str(&json::to_text(instructions));
        }
    }
    request.push('}');
    let (number, agent, total) = (frame.number, frame.agent.clone(), have + messages.len());
    run.sent.insert(number, total);
    if !is_known {
        run.configured.insert(agent, known_as);
    }
    Ok(request)
}

impl ModelFailure {
    fn new(message: String, retryable: bool) -> Self {
        Self { message, retryable, retry_after_ms: None, begun: false }
    }

    async fn read(text: &[u8]) -> Self {
        let HostFailure { message, retryable, retry_after_ms, .. } = HostFailure::read(text).await;
        let retryable = retryable.unwrap_or(false);
        let message = shortened(message.as_deref().unwrap_or("The model failed."));
        Self { message, retryable, retry_after_ms, begun: false }
    }
}

fn model_failed(failure: Option<ModelFailure>) -> Stop {
    let Some(ModelFailure { message, retryable, retry_after_ms, .. }) = failure else {
        return failed(FailureCode::ModelFailed, "The agent has no model.");
    };
    Stop::Failed(RunFailure { code: FailureCode::ModelFailed, message, retryable, retry_after_ms })
}
