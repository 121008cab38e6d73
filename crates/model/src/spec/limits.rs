use serde::{Deserialize, Serialize};

use super::issues::Issues;
use super::messages;
use super::reader::{Object, one_of, positive, positive_integer};
use crate::{Json, Kind};

const DAY: u64 = 24 * 60 * 60 * 1000;

/// One value for each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerKind<T>([T; 8]);

impl<T: Copy> PerKind<T> {
    /// Returns the value for this kind.
    pub const fn get(&self, kind: Kind) -> T {
        let [references, plans, approvals, cache, threads, runs, traces, waits] = self.0;
        match kind {
            Kind::References => references,
            Kind::Plans => plans,
            Kind::Approvals => approvals,
            Kind::Cache => cache,
            Kind::Threads => threads,
            Kind::Runs => runs,
            Kind::Traces => traces,
            Kind::Waits => waits,
        }
    }

    fn map(defaults: Self, read: impl FnMut(Kind, T) -> T) -> Self {
        let mut read = read;
        Self(Kind::ALL.map(|kind| read(kind, defaults.get(kind))))
    }
}

/// The limits at which a run ends. `None`: not set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunLimits {
    /// The most steps: requests to a model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_steps: Option<u64>,
    /// The most tool calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tool_calls: Option<u64>,
    /// The most tokens, input and output together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// The longest duration, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_duration_ms: Option<u64>,
}

impl RunLimits {
    /// The limits of a run where neither its request nor its tenant nor its first agent sets one, so that a model that
    /// calls tools for ever is stopped.
    pub const DEFAULT: Self =
        Self { max_steps: Some(64), max_tool_calls: Some(256), max_tokens: None, max_duration_ms: None };

    /// Returns these limits, with those of `others` where one is not set.
    pub fn or(self, others: &Self) -> Self {
        Self {
            max_steps: self.max_steps.or(others.max_steps),
            max_tool_calls: self.max_tool_calls.or(others.max_tool_calls),
            max_tokens: self.max_tokens.or(others.max_tokens),
            max_duration_ms: self.max_duration_ms.or(others.max_duration_ms),
        }
    }
}

/// The limits of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most stored items. Default: unlimited.
    pub items: PerKind<Option<u64>>,
    /// The most stored bytes, over all kinds. Default: unlimited.
    pub bytes: Option<u64>,
    /// The most bytes of one value. Default: 64 MiB.
    pub value_bytes: Option<u64>,
    /// The most bytes in flight. Default: 256 MiB.
    pub in_flight_bytes: u64,
    /// The most pending approvals. Default: 10,000.
    pub pending_approvals: u64,
    /// The most open waits. Default: 1,000.
    pub open_waits: u64,
    /// The bytes above which a tool result is stored as a reference. Default: 4 KiB.
    pub inline_result_bytes: u64,
    /// The limits of every run. [`RunLimits::DEFAULT`] applies where none is set, unless a request sets one.
    pub run: RunLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            items: PerKind([None; 8]),
            bytes: None,
            value_bytes: None,
            in_flight_bytes: 256 * 1024 * 1024,
            pending_approvals: 10_000,
            open_waits: 1_000,
            inline_result_bytes: 4 * 1024,
            run: RunLimits::default(),
        }
    }
}

/// The time for which each kind is kept, in milliseconds. `None`: until deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Returns the time for which this kind is kept.
    pub ttl_ms: PerKind<Option<u64>>,
}

impl Default for Retention {
    fn default() -> Self {
        let days = |days: u64| Some(days * DAY);
        Self { ttl_ms: PerKind([days(30), days(365), None, days(1), days(90), days(30), days(7), days(30)]) }
    }
}

/// What stands for the oldest messages of a conversation that does not fit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Compact {
    /// What there is, and first lines of it: no model is asked.
    #[default]
    Outline,
    /// What the agent's model writes of it.
    Summary,
}

/// How much of its conversation an agent's model is sent. `None`: not set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ContextRules {
    /// The most tokens of a request, by estimate. Default: [`ContextRules::TOKENS`].
    pub max_tokens: Option<u64>,
    /// Default: an outline.
    pub compact: Option<Compact>,
    /// How many of the last messages stay whole if they fit. Default: [`ContextRules::KEPT`].
    pub keep_messages: Option<u64>,
}

impl ContextRules {
    /// The most tokens of a request where none are set.
    pub const TOKENS: u64 = 100_000;
    /// How many of the last messages stay whole where no number is set.
    pub const KEPT: u64 = 4;

    /// Returns these rules, with those of `others` where none are set.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            max_tokens: self.max_tokens.or(others.max_tokens),
            compact: self.compact.or(others.compact),
            keep_messages: self.keep_messages.or(others.keep_messages),
        }
    }
}

pub(super) fn context_rules(json: &Json, path: &str, issues: &mut Issues) -> Option<ContextRules> {
    let object = Object::open(json, path, &["maxTokens", "compact", "keepMessages"], issues)?;
    Some(ContextRules {
        max_tokens: object.optional("maxTokens", issues, positive),
        compact: object.optional("compact", issues, compact),
        keep_messages: object.optional("keepMessages", issues, positive),
    })
}

fn compact(json: &Json, path: &str, issues: &mut Issues) -> Option<Compact> {
    one_of(json, path, issues, &[("outline", Compact::Outline), ("summary", Compact::Summary)])
}

pub(super) fn run_limits(json: &Json, path: &str, issues: &mut Issues) -> Option<RunLimits> {
    let known = ["maxSteps", "maxToolCalls", "maxTokens", "maxDurationMs"];
    let object = Object::open(json, path, &known, issues)?;
    Some(RunLimits {
        max_steps: object.optional("maxSteps", issues, positive),
        max_tool_calls: object.optional("maxToolCalls", issues, positive),
        max_tokens: object.optional("maxTokens", issues, positive),
        max_duration_ms: object.optional("maxDurationMs", issues, positive),
    })
}

pub(super) fn limits(json: &Json, path: &str, issues: &mut Issues) -> Option<Limits> {
    let known =
        ["items", "bytes", "valueBytes", "inFlightBytes", "pendingApprovals", "openWaits", "inlineResultBytes", "run"];
    let object = Object::open(json, path, &known, issues)?;
    let defaults = Limits::default();
    Some(Limits {
        items: object.optional("items", issues, items).unwrap_or(defaults.items),
        bytes: object.optional("bytes", issues, positive),
        value_bytes: object.optional("valueBytes", issues, positive),
        in_flight_bytes: object.optional("inFlightBytes", issues, positive).unwrap_or(defaults.in_flight_bytes),
        pending_approvals: object.optional("pendingApprovals", issues, positive).unwrap_or(defaults.pending_approvals),
        open_waits: object.optional("openWaits", issues, positive).unwrap_or(defaults.open_waits),
        inline_result_bytes: object
            .optional("inlineResultBytes", issues, positive)
            .unwrap_or(defaults.inline_result_bytes),
        run: object.or_default("run", issues, run_limits),
    })
}

pub(super) fn retention(json: &Json, path: &str, issues: &mut Issues) -> Option<Retention> {
    let object = Object::open(json, path, &Kind::ALL.map(Kind::name), issues)?;
    let ttl_ms = PerKind::map(Retention::default().ttl_ms, |kind, default| {
        object.optional(kind.name(), issues, lifetime).unwrap_or(default)
    });
    Some(Retention { ttl_ms })
}

fn items(json: &Json, path: &str, issues: &mut Issues) -> Option<PerKind<Option<u64>>> {
    let object = Object::open(json, path, &Kind::ALL.map(Kind::name), issues)?;
    Some(PerKind::map(PerKind([None; 8]), |kind, _| object.optional(kind.name(), issues, positive)))
}

/// Reads `{ "ttlMs": … }`: the inner `None` means until deleted.
fn lifetime(json: &Json, path: &str, issues: &mut Issues) -> Option<Option<u64>> {
    let object = Object::open(json, path, &["ttlMs"], issues)?;
    object.required("ttlMs", issues, |json, path, issues| {
        let ttl = positive_integer(json);
        if ttl.is_none() && *json != Json::Null {
            issues.add(path, messages::LIFETIME);
        }
        Some(ttl)
    })
}
