//! One answer of a model: asked for, streamed to followers, checked and noted.

use std::time::Duration;

use bailiwick_model::json::{self, Json};
use bailiwick_model::pace::ahead_of;
use bailiwick_model::spec::AgentRole;

use super::callbacks::{ASKED_BYTES, Ask, Reply};
use super::collected::{ANSWER_BYTES, Collected, Part};
use super::driver::{Driver, Halt, failed, host_gone};
use super::entry::{member, number, object, whole};
use super::live::Writing;
use super::team::AgentRules;

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
        let mut asked = self.callbacks.ask(Ask::Model, request);
        let mut collected = Collected::new(message_id);
        loop {
            let Some(reply) = self.unless_halted(asked.next()).await? else { return Err(host_gone().into()) };
            let (text, is_last) = match reply {
                Reply::Piece(text) => (text, false),
                Reply::Value(text) => (text, true),
                Reply::Failure(text) => return Ok(Err(ModelFailure::read(&text, !collected.parts.is_empty()))),
            };
            ahead_of(text.len()).await;
            let (more_text, more_reasoning) = match collected.take(&text) {
                Ok(more) => more,
                Err(message) => {
                    let begun = !collected.parts.is_empty();
                    return Ok(Err(ModelFailure { message, retryable: false, retry_after_ms: None, begun }));
                }
            };
            if !more_text.is_empty() || !more_reasoning.is_empty() {
                self.live.written(&more_text, &more_reasoning);
            }
            if is_last {
                if collected.finish.is_some() {
                    return Ok(Ok(collected));
                }
                let message = "The model's answer ended without a finish.".to_owned();
                let begun = !collected.parts.is_empty();
                return Ok(Err(ModelFailure { message, retryable: true, retry_after_ms: None, begun }));
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
        ahead_of(collected.bytes).await;
        let parts = self.parts(collected);
        let has_calls = parts.iter().any(|part| part.get("type").and_then(Json::as_str) == Some("tool-call"));
        let mut entry = self
            .agent_entry("model.completed")
            .with("model", Json::from(model))
            .with("usage", finish.usage.to_json())
            .with("finishReason", Json::String(finish.reason))
            .own("messageId", Json::String(message_id))
            .own("active", number(self.active_ms()));
        if !has_calls {
            let text = super::state::text_of(&parts);
            match self.checked_output(&text).await? {
                Ok(Some(output)) => entry = entry.own("output", output),
                Ok(None) => {}
                Err(problem) if self.state.frames.last().is_some_and(|frame| frame.corrections < CORRECTIONS) => {
                    entry = entry.own("correction", Json::String(problem));
                }
                Err(problem) => {
                    self.note(entry.own("correction", Json::String(problem.clone())).own("parts", Json::Array(parts)))?;
                    return Err(failed("OUTPUT_INVALID", &problem));
                }
            }
        }
        self.note(entry.own("parts", Json::Array(parts)))?;
        Ok(())
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

    /// The parts of an answer as messages keep them. Inputs that are no JSON stay texts, which fit no tool's schema.
    fn parts(&self, collected: Collected) -> Vec<Json> {
        let mut taken: Vec<String> = Vec::new();
        let mut parts = Vec::with_capacity(collected.parts.len());
        for part in collected.parts {
            let (mut members, metadata) = match part {
                Part::Text { text, metadata } => (text_members("text", text), metadata),
                Part::Reasoning { text, metadata } => (text_members("reasoning", text), metadata),
                Part::Call { call_id, tool, input, metadata } => {
                    let call_id = self.state.free_call_id(&call_id, &taken);
                    taken.push(call_id.clone());
                    let input = match json::parse(input.as_bytes(), &json::Limits::default()) {
                        Ok(input) => input,
                        // Providers send nothing for a call without arguments.
                        Err(_) if input.trim().is_empty() => Json::Object(Vec::new()),
                        Err(_) => Json::String(input),
                    };
                    let members = vec![
                        member("type", Json::from("tool-call")),
                        member("callId", Json::String(call_id)),
                        member("tool", Json::String(tool)),
                        member("input", input),
                    ];
                    (members, metadata)
                }
            };
            members.extend(metadata.map(|metadata| member("metadata", metadata)));
            parts.push(Json::Object(members));
        }
        parts
    }
}

impl ModelFailure {
    fn read(text: &[u8], begun: bool) -> Self {
        let told = json::parse(text, &json::Limits::default()).unwrap_or(Json::Null);
        Self {
            message: told.get("message").and_then(Json::as_str).unwrap_or("The model failed.").to_owned(),
            retryable: told.get("retryable").and_then(Json::as_bool).unwrap_or(false),
            retry_after_ms: told.get("retryAfterMs").and_then(whole),
            begun,
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

fn text_members(kind: &str, text: String) -> Vec<(String, Json)> {
    let Json::Object(members) = object([("type", Json::from(kind)), ("text", Json::String(text))]) else {
        return Vec::new();
    };
    members
}

pub(crate) fn quoted(text: &str) -> String {
    json::write(&Json::from(text))
}
