//! Catches panics at the boundary and turns failures into JSON.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use bailiwick_model::json::{self, Json};
use bailiwick_model::{BusyRun, Error, Result};

/// Runs the body of an export. A panic and a failure both become a JavaScript error whose message is the JSON of
/// [`failure_json`].
pub(crate) fn export<T>(name: &'static str, body: impl FnOnce() -> Result<T>) -> napi::Result<T> {
    let caught = catch_unwind(AssertUnwindSafe(|| {
        injected(name);
        body()
    }));
    caught.unwrap_or_else(|panic| Err(defect(&*panic))).map_err(|error| napi::Error::from_reason(failure_json(&error)))
}

/// Runs an operation. A panic becomes an `INTERNAL` failure.
pub(crate) async fn operation<T>(name: &'static str, body: impl Future<Output = Result<T>> + Send) -> Result<T> {
    Caught(Box::pin(async move {
        injected(name);
        body.await
    }))
    .await
}

struct Caught<F>(Pin<Box<F>>);

impl<T, F: Future<Output = Result<T>>> Future for Caught<F> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let body = self.0.as_mut();
        catch_unwind(AssertUnwindSafe(|| body.poll(context))).unwrap_or_else(|panic| Poll::Ready(Err(defect(&*panic))))
    }
}

/// Returns the error for a panic, without its text, which may contain anything.
fn defect(_panic: &(dyn Any + Send)) -> Error {
    Error::Internal(
        "A defect of bailiwick was caught, and the process continues. Please report it with the call that failed."
            .to_owned(),
    )
}

/// Returns `{"code", "message", "details"?}`.
pub(crate) fn failure_json(error: &Error) -> String {
    let text = |text: &str| Json::String(text.to_owned());
    let mut members = vec![("code".to_owned(), text(error.code())), ("message".to_owned(), text(&error.to_string()))];
    let details = match error {
        Error::Spec(issues) => Some(Json::Array(
            issues
                .iter()
                .map(|issue| {
                    Json::Object(vec![
                        ("path".to_owned(), text(&issue.path)),
                        ("message".to_owned(), text(&issue.message)),
                    ])
                })
                .collect(),
        )),
        Error::QuotaExceeded { quota, limit, used, .. } => Some(quota_details(quota, *limit, *used)),
        Error::ThreadBusy { run: Some(BusyRun { run_id, status }), .. } => {
            Some(Json::Object(vec![("runId".to_owned(), text(run_id)), ("status".to_owned(), text(status))]))
        }
        Error::TooMuchInFlight { limit, used, .. } => Some(quota_details("inFlightBytes", *limit, *used)),
        _ => None,
    };
    members.extend(details.map(|details| ("details".to_owned(), details)));
    json::write(&Json::Object(members))
}

fn quota_details(quota: &str, limit: u64, used: u64) -> Json {
    Json::Object(vec![
        ("quota".to_owned(), Json::String(quota.to_owned())),
        ("limit".to_owned(), Json::Number(limit as f64)),
        ("used".to_owned(), Json::Number(used as f64)),
    ])
}

#[cfg(not(feature = "faults"))]
fn injected(_name: &str) {}

/// Panics once if a test armed this name.
#[cfg(feature = "faults")]
fn injected(name: &str) {
    let mut armed = armed().lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if armed.as_deref() == Some(name) {
        *armed = None;
        drop(armed);
        panic!("injected behind {name}");
    }
}

/// The export or operation that is to panic next.
#[cfg(feature = "faults")]
pub(crate) fn armed() -> &'static std::sync::Mutex<Option<String>> {
    static ARMED: std::sync::Mutex<Option<String>> = std::sync::Mutex::new(None);
    &ARMED
}
