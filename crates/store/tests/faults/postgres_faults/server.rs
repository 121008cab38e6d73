//! A PostgreSQL server of a test's own, which `scripts/test/postgres.mjs` runs and does things to.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use bailiwick_store::conformance::support::block_on;
use bailiwick_store::postgres;

pub(crate) struct Server {
    child: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    /// A superuser's URL.
    pub(crate) url: String,
    /// That of the application's role.
    pub(crate) application: String,
}

impl Server {
    /// One that is set up and empty.
    pub(crate) fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/test/postgres.mjs");
        let mut command = Command::new("node");
        let mut child = command.arg(script).arg("--own").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let commands = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let mut server = Self { child, commands, answers, url: String::new(), application: String::new() };
        server.url = server.answer();
        server.application = block_on(postgres::setup(&server.url.parse().unwrap())).unwrap();
        server
    }

    /// Does something to the server with this number, and waits until it is done.
    pub(crate) fn tell(&mut self, number: usize, command: &str) -> String {
        writeln!(self.commands.as_ref().unwrap(), "{number} {command}").unwrap();
        self.answer()
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "the server's program ended");
        line.trim().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.commands.take();
        let _ = self.child.wait();
    }
}

/// `127.0.0.1:port` of a URL.
pub(crate) fn place(url: &str) -> &str {
    url.rsplit_once('@').unwrap().1.split_once('/').unwrap().0
}
