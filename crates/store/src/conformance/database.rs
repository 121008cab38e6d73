//! Databases of a real PostgreSQL server for tests: the server that `BAILIWICK_TEST_POSTGRES` names, or one that
//! `scripts/test/postgres.mjs` starts and that ends with this process.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio_postgres::NoTls;

use super::Home;
use super::support::block_on;
use crate::Opened;
use crate::postgres::{self, PostgresOptions};

/// A server and a template database on it that is set up.
struct Server {
    /// A superuser's URL.
    url: String,
    template: String,
    /// The URL of the application's role in the template.
    application: String,
    /// Ends when its standard input does, so at the latest with this process.
    _child: Option<Child>,
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let (url, child) = match std::env::var("BAILIWICK_TEST_POSTGRES") {
            Ok(url) if !url.is_empty() => (url, None),
            _ => {
                let (url, child) = start();
                (url, Some(child))
            }
        };
        let template = format!("bailiwick_template_{}", std::process::id());
        execute(&url, &format!("DROP DATABASE IF EXISTS {template}"));
        execute(&url, &format!("CREATE DATABASE {template}"));
        let application =
            block_on(postgres::setup(&in_database(&url, &template).parse().expect("a URL"))).expect("set up");
        Server { url, template, application, _child: child }
    })
}

fn start() -> (String, Child) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/test/postgres.mjs");
    let mut command = Command::new("node");
    let mut child =
        command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("node starts a server");
    let mut url = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut url).expect("a URL");
    assert!(url.starts_with("postgres"), "the server did not start");
    (url.trim().to_owned(), child)
}

/// Returns the URL of the same server and role with another database.
pub fn in_database(url: &str, database: &str) -> String {
    let (before, query) = url.split_once('?').map_or((url, ""), |(before, query)| (before, query));
    let (place, _) = before.rsplit_once('/').expect("a database");
    if query.is_empty() { format!("{place}/{database}") } else { format!("{place}/{database}?{query}") }
}

/// Uses a connection of its own, on a thread of its own, because the caller may be inside a runtime.
pub fn with_client<T: Send + 'static>(
    url: &str,
    what: impl AsyncFnOnce(&tokio_postgres::Client) -> T + Send + 'static,
) -> T {
    let work = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("a connection");
            tokio::spawn(connection);
            what(&client).await
        })
    };
    std::thread::scope(|scope| scope.spawn(work).join().expect("no panic"))
}

/// Runs statements.
pub fn execute(url: &str, sql: &str) {
    let sql = sql.to_owned();
    with_client(url, async move |client| client.batch_execute(&sql).await.expect("a statement"));
}

/// A database for one test, dropped at its end.
pub struct Database {
    name: String,
}

impl Database {
    /// Returns a new database, set up and empty.
    pub fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let server = server();
        let name = format!("bailiwick_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        execute(&server.url, &format!("CREATE DATABASE {name} TEMPLATE {}", server.template));
        Self { name }
    }

    /// Returns one that is not set up.
    pub fn bare() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("bailiwick_bare_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        execute(&server().url, &format!("CREATE DATABASE {name}"));
        Self { name }
    }

    /// Returns the application's URL.
    pub fn url(&self) -> String {
        in_database(&server().application, &self.name)
    }

    /// Returns a superuser's URL.
    pub fn owner_url(&self) -> String {
        in_database(&server().url, &self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        execute(&server().url, &format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

impl Home for Database {
    fn open(&self) -> Opened {
        block_on(postgres::open(
            &self.url().parse().expect("a URL"),
            PostgresOptions { connections: 4, ..PostgresOptions::default() },
        ))
        .expect("open")
    }

    fn is_durable(&self) -> bool {
        true
    }

    fn keeps_secrets(&self) -> bool {
        false
    }
}
