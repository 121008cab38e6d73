//! One answer of a model: asked for, streamed to followers, checked and noted.

use std::time::Duration;

use bailiwick_model::json::{self, Json};
use bailiwick_model::pace::ahead_of;
use bailiwick_model::spec::AgentRole;

use super::callbacks::{ASKED_BYTES, Ask, Reply};
use super::collected::{ANSWER_BYTES, Collected};
use super::driver::{Driver, Halt, failed, host_gone};
use super::entry::{member, number, whole};
use super::live::Writing;
use super::parts::Parts;
use super::team::AgentRules;
use super::tool::shortened;

/// How often one model is tried when its failure may pass.
const TRIES: u32 = 3;
/// The first wait between two tries, in milliseconds; each is four times the one before.
const FIRST_WAIT_MS: u64 = 250;
/// A model that wants to be left alone for longer is not waited for, in milliseconds.
const LONGEST_WAIT_MS: u64 = 30_000;
/// How often an agent is told that its answer will not do.
const CORRECTIONS: u64 = 3;
/// Why a model gave no answer.
struct ModelFailure {
    message: String,
    retryable: bool,
    retry_after_ms: Option<u64>,
    /// Whether something of an answer had come already.
    begun: bool,
}

impl Driver<'_> {
    /// Asks the model of the last agent and notes what it says.
    pub(crate) async fn ask(&mut self) -> Result<(), Halt> {
        let agent = self.agent()?;
        if agent.spec.role == AgentRole::Executor && agent.spec.models.is_empty() {
            return self.leave_executor().await;
        }
        let models = agent.spec.models.clone();
        let limits = agent.spec.limits;
        self.check_steps(&limits)?;
        // What the model is about to see is durable before it does.
        if self.thread_lags() {
            self.flush_thread().await?;
        }
        self.flush().await?;
        let (mut last, mut tries, mut begun) = (None, 0, false);
        for model in &models {
            for attempt in 0..TRIES {
                let answer = self.ask_once(model, tries).await?;
                tries += 1;
                match answer {
                    Ok(collected) => return self.answered(model, collected).await,
                    Err(failure) => {
                        let wait = failure.retry_after_ms.unwrap_or(FIRST_WAIT_MS << (2 * attempt));
                        let again = failure.retryable && attempt + 1 < TRIES && wait <= LONGEST_WAIT_MS;
                        begun |= failure.begun;
                        last = Some(failure);
                        if again {
                            self.unless_halted(tokio::time::sleep(Duration::from_millis(wait))).await?;
                            continue;
                        }
                        // Another model is tried only as long as nothing was said.
                        if begun {
                            return Err(model_failed(last));
                        }
                        break;
                    }
                }
            }
        }
        Err(model_failed(last))
    }

    /// Asks once. What came of an answer that broke off is kept until an entry notes it.
    async fn ask_once(&mut self, model: &str, tries: u32) -> Result<Result<Collected, ModelFailure>, Halt> {
        let message_id = self.written_id(tries);
        let request = self.model_request(model)?;
        let writing = Writing {
            run_id: self.state.run_id.clone(),
            agent: self.state.frames.last().map(|frame| frame.agent.clone()).unwrap_or_default(),
            message_id: message_id.clone(),
            at: self.access.now(),
            ..Writing::default()
        };
        self.live.writing(writing);
        let mut collected = Collected::new(message_id);
        let came_to = match self.listen(request, &mut collected).await {
            Ok(None) => return Ok(Ok(collected)),
            Ok(Some(mut failure)) => {
                failure.begun = !collected.parts.is_empty();
                Ok(Err(failure))
            }
            Err(halt) => Err(halt),
        };
        ahead_of(collected.bytes.sum()).await;
        self.broken_off.take(collected, model, &self.state);
        came_to
    }

    /// Takes an answer in as it comes. `None`: it is there.
    async fn listen(&self, request: String, collected: &mut Collected) -> Result<Option<ModelFailure>, Halt> {
        let mut asked = self.callbacks.ask(Ask::Model, request);
        loop {
            let Some(reply) = self.unless_halted(asked.next()).await? else { return Err(host_gone().into()) };
            let (text, is_last) = match reply {
                Reply::Piece(text) => (text, false),
                Reply::Value(text) => (text, true),
                Reply::Failure(text) => return Ok(Some(ModelFailure::read(&text))),
            };
            ahead_of(text.len()).await;
            let (more_text, more_reasoning) = match collected.take(&text) {
                Ok(more) => more,
                Err(message) => return Ok(Some(ModelFailure::new(message, false))),
            };
            if !more_text.is_empty() || !more_reasoning.is_empty() {
                self.live.written(&more_text, &more_reasoning);
            }
            if is_last {
                let ended = "The model's answer ended without a finish.";
                return Ok(collected.finish.is_none().then(|| ModelFailure::new(ended.to_owned(), true)));
            }
        }
    }

    /// The id of a message that a model writes: another one each time that it is written anew, so that nobody who follows
    /// takes the beginning of one for that of another.
    fn written_id(&self, tries: u32) -> String {
        let mut id = self.state.message_id();
        if self.journal.epoch > 1 {
            id.push_str(&format!("-e{}", self.journal.epoch));
        }
        if tries > 0 {
            id.push_str(&format!("-{tries}"));
        }
        id
    }

    /// What a model is asked: the messages that the host does not have yet, and what it is told of the agent once.
    fn model_request(&mut self, model: &str) -> Result<String, Halt> {
        let is_root = self.state.frames.len() == 1;
        let Some(frame) = self.state.frames.last() else { return Err(failed("INTERNAL", "Nobody is at work.")) };
        let (number, name) = (frame.number, frame.agent.clone());
        let history = if is_root { self.history.as_slice() } else { &[] };
        let report = self.plan_report();
        let have = self.sent.get(&number).copied().unwrap_or(0);
        let messages: Vec<&str> =
            history.iter().chain(&frame.messages).chain(&report).skip(have).map(String::as_str).collect();
        let total = have + messages.len();
        if messages.iter().map(|message| message.len()).sum::<usize>() > ASKED_BYTES {
            let told = "The model would be asked more than 64 MiB at once. Keep large results as references, by a lower inlineResultBytes.";
            return Err(failed("MODEL_FAILED", told));
        }
        let mut request = format!(
            "{{\"agent\":{},\"model\":{},\"frame\":{number},\"from\":{have},\"messages\":[{}]",
            quoted(&name),
            quoted(model),
            messages.join(",")
        );
        if !self.introduced.contains(&name) {
            request.push_str(&format!(",\"introduction\":{}", self.agent()?.introduction));
        }
        request.push('}');
        self.sent.insert(number, total);
        self.introduced.insert(name);
        Ok(request)
    }

    /// Notes an answer, and whether it will do.
    async fn answered(&mut self, model: &str, mut collected: Collected) -> Result<(), Halt> {
        let Some(finish) = collected.finish.take() else { return Err(failed("INTERNAL", "An answer has no end.")) };
        let message_id = std::mem::take(&mut collected.message_id);
        let warnings: Vec<Json> = collected.warnings.drain(..).map(Json::String).collect();
        ahead_of(collected.bytes.sum()).await;
        let answer = Parts::of(collected, &self.state, &finish.reason);
        let mut entry = self
            .agent_entry("model.completed")
            .with("model", Json::from(model))
            .with("usage", finish.usage.to_json())
            .with("finishReason", Json::from(finish.reason.as_str()));
        if !warnings.is_empty() {
            entry = entry.with("warnings", Json::Array(warnings));
        }
        entry = entry.own("messageId", Json::String(message_id)).own("active", number(self.active_ms()));
        entry = self.broken_off.used(entry);
        let mut wrong = None;
        if !answer.has_calls() && finish.reason != "pause" {
            match self.checked_answer(&super::state::text_of(&answer.parts)).await? {
                Ok(Some(output)) => entry = entry.own("output", output),
                Ok(None) => {}
                Err(mut problem) => {
                    if finish.reason == "length" {
                        problem.push_str(" The answer reached its length limit (finishReason length): write less.");
                    }
                    entry = entry.own("correction", Json::from(problem.as_str()));
                    let is_last = self.state.frames.last().is_none_or(|frame| frame.corrections >= CORRECTIONS);
                    wrong = Some(problem).filter(|_| is_last);
                }
            }
        }
        for (key, value) in answer.noted(Vec::new()) {
            entry = entry.own(&key, value);
        }
        self.note(entry)?;
        wrong.map_or(Ok(()), |problem| Err(failed("OUTPUT_INVALID", &problem)))
    }

    /// What the whole answer gives, with what was said before its provider paused; or else its end alone.
    async fn checked_answer(&self, text: &str) -> Result<Result<Option<Json>, String>, Halt> {
        let said = self.state.frames.last().map(|frame| frame.said.as_str()).unwrap_or_default();
        if said.is_empty() {
            return self.checked_output(text).await;
        }
        match self.checked_output(&format!("{said}{text}")).await? {
            Err(_) => self.checked_output(text).await,
            fits => Ok(fits),
        }
    }

    /// What an answer without calls gives: what fits the agent's output schema, or the plan that a planner has drafted.
    async fn checked_output(&self, text: &str) -> Result<Result<Option<Json>, String>, Halt> {
        let agent: &AgentRules = self.agent()?;
        if agent.spec.role == AgentRole::Planner {
            return Ok(self.checked_plan(text).await?.map(Some));
        }
        ahead_of(text.len()).await;
        let by_host = self.handle.validated.agents.contains(&agent.spec.name);
        match agent.output(text, by_host).await {
            Ok(Some(output)) => Ok(self.validated_output(&agent.spec.name, output).await?.map(Some)),
            other => Ok(other),
        }
    }

    /// What the agent's own schema makes of its output, which the host has.
    async fn validated_output(&self, agent: &str, output: Json) -> Result<Result<Json, String>, Halt> {
        let wrong =
            || failed("CALLBACK_FAILED", "The schema of the agent's output did not say whether the output fits.");
        let request = format!("{{\"agent\":{},\"output\":{}}}", quoted(agent), json::write(&output));
        let mut asked = self.callbacks.ask(Ask::Output, request);
        let answer = match self.unless_halted(asked.next()).await? {
            None => return Err(host_gone().into()),
            Some(Reply::Value(answer)) if answer.len() <= ANSWER_BYTES => answer,
            Some(_) => return Err(wrong()),
        };
        let answer = json::parse(&answer, &json::Limits::default()).map_err(|_| wrong())?;
        if let Some(problem) = answer.get("problem").and_then(Json::as_str) {
            return Ok(Err(format!("The answer does not fit its schema: {problem}")));
        }
        Ok(Ok(answer.get("output").cloned().unwrap_or(output)))
    }
}

impl ModelFailure {
    fn new(message: String, retryable: bool) -> Self {
        Self { message, retryable, retry_after_ms: None, begun: false }
    }

    fn read(text: &[u8]) -> Self {
        let told = json::parse(text, &json::Limits::default()).unwrap_or(Json::Null);
        Self {
            message: shortened(told.get("message").and_then(Json::as_str).unwrap_or("The model failed.")),
            retryable: told.get("retryable").and_then(Json::as_bool).unwrap_or(false),
            retry_after_ms: told.get("retryAfterMs").and_then(whole),
            begun: false,
        }
    }
}

fn model_failed(failure: Option<ModelFailure>) -> Halt {
    let Some(failure) = failure else { return failed("MODEL_FAILED", "The agent has no model.") };
    let mut members = vec![
        member("code", Json::from("MODEL_FAILED")),
        member("message", Json::String(failure.message)),
        member("retryable", Json::Bool(failure.retryable)),
    ];
    members.extend(failure.retry_after_ms.map(|after| member("retryAfterMs", number(after))));
    Halt::Failed(Json::Object(members))
}

pub(crate) fn quoted(text: &str) -> String {
    json::write(&Json::from(text))
}
