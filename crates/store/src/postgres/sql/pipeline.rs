//! Pipelines: all statements are sent, in the order they were added, before the first result is awaited.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Statement};

use crate::postgres::failure::Trouble;

/// A value of a statement.
pub(in crate::postgres) type Parameter<'a> = Box<dyn ToSql + Sync + Send + 'a>;

/// The result of a statement.
#[derive(Debug)]
pub(in crate::postgres) enum Answer {
    Rows(Vec<Row>),
    /// The number of rows written.
    Count(u64),
    Done,
}

impl Answer {
    pub(in crate::postgres) fn rows(self) -> Vec<Row> {
        if let Self::Rows(rows) = self { rows } else { Vec::new() }
    }
}

type Step<'a, T = Answer> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// Each step sends its statement when it is first polled, so polling them in order keeps the order.
async fn in_order<T>(mut steps: Vec<Step<'_, T>>, patience: Duration) -> Result<Vec<Result<T, Error>>, Trouble> {
    let mut answers: Vec<Option<Result<T, Error>>> = steps.iter().map(|_| None).collect();
    let all = poll_fn(|context| {
        let mut is_over = true;
        for (step, answer) in steps.iter_mut().zip(&mut answers).filter(|(_, answer)| answer.is_none()) {
            match step.as_mut().poll(context) {
                Poll::Ready(result) => *answer = Some(result),
                Poll::Pending => is_over = false,
            }
        }
        if is_over { Poll::Ready(()) } else { Poll::Pending }
    });
    tokio::time::timeout(patience, all).await.map_err(|_| Trouble::Lost)?;
    Ok(answers.into_iter().flatten().collect())
}

/// Prepares statements in one round trip.
pub(in crate::postgres) async fn prepare(
    client: &Client,
    texts: &[&str],
    patience: Duration,
) -> Result<Vec<Statement>, Trouble> {
    let steps = texts.iter().map(|text| Box::pin(client.prepare(text)) as Step<'_, Statement>).collect();
    in_order(steps, patience).await?.into_iter().collect::<Result<_, _>>().map_err(|error| Trouble::of(&error))
}

/// One round trip.
pub(in crate::postgres) struct Pipeline<'a> {
    client: &'a Client,
    patience: Duration,
    steps: Vec<Step<'a>>,
}

impl<'a> Pipeline<'a> {
    pub(in crate::postgres) fn new(client: &'a Client, patience: Duration) -> Self {
        Self { client, patience, steps: Vec::new() }
    }

    /// Returns the number of statements.
    pub(in crate::postgres) fn len(&self) -> usize {
        self.steps.len()
    }

    /// Adds text without values, of one or more statements.
    pub(in crate::postgres) fn batch(&mut self, sql: &'a str) {
        let client = self.client;
        self.steps.push(Box::pin(async move { client.batch_execute(sql).await.map(|()| Answer::Done) }));
    }

    /// Adds a statement that returns rows.
    pub(in crate::postgres) fn query(&mut self, statement: &'a Statement, values: Vec<Parameter<'a>>) {
        let client = self.client;
        self.steps.push(Box::pin(async move { client.query(statement, &references(&values)).await.map(Answer::Rows) }));
    }

    /// Adds a statement that writes.
    pub(in crate::postgres) fn execute(&mut self, statement: &'a Statement, values: Vec<Parameter<'a>>) {
        let client = self.client;
        self.steps
            .push(Box::pin(async move { client.execute(statement, &references(&values)).await.map(Answer::Count) }));
    }

    /// Sends everything and waits for all results, in the order of the statements.
    pub(in crate::postgres) async fn outcomes(self) -> Result<Vec<Result<Answer, Error>>, Trouble> {
        in_order(self.steps, self.patience).await
    }

    /// Sends everything and waits for all results; the first failure stands for those that follow from it.
    pub(in crate::postgres) async fn answers(self) -> Result<Vec<Answer>, Trouble> {
        self.outcomes().await?.into_iter().collect::<Result<_, _>>().map_err(|error| Trouble::of(&error))
    }
}

fn references<'v>(values: &'v [Parameter<'_>]) -> Vec<&'v (dyn ToSql + Sync)> {
    values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect()
}
