//! Calls that are dropped at each of their awaits leave nothing of a tenant on a connection that other tenants get.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may panic")]

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use tokio_postgres::SimpleQueryMessage;

use crate::conformance::database::Database;
use crate::conformance::support::{NOW, commit_of, place, put_counted, put_until, tag, whole_range};
use crate::engine::Due;
use crate::postgres::commit::outcome;
use crate::postgres::commit::token::Token;
use crate::postgres::connect::dialing::Dialer;
use crate::postgres::connect::options::PostgresOptions;
use crate::postgres::open::connect;
use crate::postgres::shared::Shared;
use crate::postgres::{commit, read, sweep};

type Call<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// The calls that set a tag.
const CALLS: [fn(&Shared) -> Call<'_>; 8] = [
    |shared| {
        Box::pin(async {
            let _ = commit::run(shared, &[written(5), refused()]).await;
        })
    },
    |shared| {
        Box::pin(async {
            let _ = commit::run(shared, &[refused()]).await;
        })
    },
    |shared| {
        Box::pin(async {
            let _ = read::get(shared, tag(1), vec![(place(1, 1), None)], u64::MAX, NOW).await;
        })
    },
    |shared| {
        Box::pin(async {
            let _ = read::scan(shared, tag(1), whole_range(1)).await;
        })
    },
    |shared| {
        Box::pin(async {
            let _ = read::usage(shared, tag(1)).await;
        })
    },
    |shared| {
        Box::pin(async {
            let _ = outcome::was_committed(shared, tag(1), Token::fresh(1).unwrap()).await;
        })
    },
    |shared| {
        Box::pin(async {
            let _ = sweep::sweep(shared, Due { tag: tag(1), kind: 2 }, NOW + 2).await;
        })
    },
    |shared| {
        Box::pin(async {
            let _ = sweep::erase(shared, tag(1)).await;
        })
    },
];

fn written(rows: u64) -> crate::engine::Commit {
    let counted = (0..rows).map(|number| put_counted(place(1, number), 7));
    let expiring = (0..rows).map(|number| put_until(place(2, number), "expiring", NOW + 1));
    commit_of(tag(1), counted.chain(expiring).collect())
}

fn refused() -> crate::engine::Commit {
    let absent = crate::engine::When::Version(crate::engine::Version(u64::MAX));
    commit_of(tag(1), vec![crate::conformance::support::check(place(3, 1), absent)])
}

/// Polls a future this many times, then drops it. Returns whether it was ready by then.
async fn is_over_after(call: Call<'_>, polls: usize) -> bool {
    let (mut call, mut left) = (pin!(call), polls);
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        call.as_mut().poll(context).map(|()| true)
    })
    .await
}

/// The state that the next call finds on its connection.
async fn check(shared: &Shared) {
    let lease = shared.connections.lease(None).await.unwrap();
    // In one message, so that its transaction begins with it.
    let sql = "SELECT coalesce(current_setting('app.tenant_tag', true), ''), now() = statement_timestamp(),
        (SELECT count(*) FROM bailiwick.records)";
    let answers = lease.connection().unwrap().client().simple_query(sql).await.unwrap();
    let found: Vec<_> = answers
        .iter()
        .filter_map(|answer| if let SimpleQueryMessage::Row(row) = answer { Some(row) } else { None })
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect();
    assert_eq!(found, [(Some(""), Some("t"), Some("0"))], "tag, in no transaction, rows");
    lease.done();
    let theirs = read::scan(shared, tag(2), whole_range(1)).await.unwrap().rows;
    assert_eq!(theirs.iter().map(|row| row.place).collect::<Vec<_>>(), [place(1, 99)]);
}

#[test]
fn a_call_dropped_at_any_await_leaves_no_tag_on_a_connection() {
    let database = Database::fresh();
    let dialer = Dialer::to(&database.url().parse().unwrap()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        // The next call gets the connection that was in use before, if it was returned at all.
        let options = PostgresOptions { connections: 1, ..PostgresOptions::default() };
        let shared = connect(dialer, options).await.unwrap();
        let theirs = commit_of(tag(2), vec![put_counted(place(1, 99), 7)]);
        assert!(commit::run(&shared, &[theirs]).await[0].is_ok());
        for call in CALLS {
            let mut polls = 0;
            while !is_over_after(call(&shared), polls).await {
                check(&shared).await;
                polls += 1;
            }
            check(&shared).await;
            assert!(polls > 1, "it waited for nothing");
        }
    });
}
