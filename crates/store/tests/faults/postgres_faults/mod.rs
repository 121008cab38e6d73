//! The PostgreSQL engine with a server of its own: what the server is told, and what happens when it, or the way there,
//! fails. What was acknowledged is there once, what was refused is not, what is unknown is said to be, and work goes on by
//! itself.

mod canaries;
mod durable;
mod fair;
mod load;
mod pooler;
mod proxy;
mod server;
mod trips;

use std::time::Duration;

use bailiwick_store::conformance::database::execute;
use bailiwick_store::conformance::support::{block_on, noise};

use self::load::Load;
use self::proxy::{Action, Fault, Point, Proxy};
use self::server::Server;

/// So many times as many in long runs.
fn times(few: u64) -> u64 {
    if std::env::var_os("BAILIWICK_LONG").is_some() { few * 20 } else { few }
}

/// A number below `end`, different for each seed.
fn random(seed: u64, end: usize) -> usize {
    u32::from_be_bytes(noise(seed, 4)[..].try_into().unwrap()) as usize % end
}

fn fault(number: u64) -> Fault {
    let seed = number * 10;
    let point = match random(seed, 4) {
        0 => Point::Sent(random(seed + 1, 40_000)),
        1 => Point::Answered(random(seed + 1, 5_000)),
        2 => Point::BeforeCommit,
        _ => Point::AfterCommit,
    };
    let action = match random(seed + 2, 5) {
        0 => Action::Swallow,
        1 => Action::Late(Duration::from_millis(random(seed + 3, 200) as u64)),
        _ => Action::Cut,
    };
    Fault { point, action }
}

/// The load goes on after everything, and what it was told is true.
fn holds(server: &mut Server, url: &str, faults: impl FnOnce(&mut Server, &Load)) -> Load {
    load::noting(&server.url);
    let opened = load::open(url);
    let load = Load::run(&*opened.engine, |load| {
        faults(server, load);
        load.wait_for_done(50);
    });
    load.check(&*opened.engine, &server.url);
    block_on(opened.engine.close());
    load
}

#[test]
fn a_cut_connection_loses_nothing_and_repeats_nothing() {
    let mut server = Server::start();
    let proxy = Proxy::before(&server.application);
    holds(&mut server, &proxy.url, |_, load| {
        for number in 0..times(400) {
            load.wait_for_done(random(number * 10 + 4, 10));
            proxy.strike(fault(number), || load.is_over());
        }
    });
}

#[test]
fn work_continues_after_a_server_was_stopped_and_started() {
    let mut server = Server::start();
    let url = server.application.clone();
    holds(&mut server, &url, |server, load| {
        for number in 0..times(8) {
            load.wait_for_done(random(number, 200));
            server.tell(0, "quit");
            load.wait_for_failed(1);
            server.tell(0, "start");
        }
    });
}

#[test]
fn the_outcome_on_a_paused_server_is_unknown_until_it_continues() {
    let mut server = Server::start();
    let url = server.application.clone();
    let load = holds(&mut server, &url, |server, load| {
        for number in 0..times(4) {
            load.wait_for_done(random(number, 100));
            server.tell(0, "pause");
            // By half of them it is asked what became of everything that was under way.
            load.wait_for_failed(if number.is_multiple_of(2) { 1 } else { 16 });
            server.tell(0, "resume");
        }
    });
    assert!(load.unknown() > 0, "nothing was under way when the server was paused");
}

#[test]
fn work_continues_when_a_full_server_has_a_connection_again() {
    let mut server = Server::start();
    let url = server.application.clone();
    holds(&mut server, &url, |server, load| {
        for number in 0..times(8) {
            load.wait_for_done(random(number, 100));
            execute(&server.url, &format!("ALTER ROLE bailiwick_postgres CONNECTION LIMIT {}", number % 3));
            let all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'bailiwick_postgres'";
            execute(&server.url, all);
            load.wait_for_failed(20);
            execute(&server.url, "ALTER ROLE bailiwick_postgres CONNECTION LIMIT -1");
        }
    });
}

#[test]
fn a_promoted_follower_has_all_acknowledged_data() {
    let mut server = Server::start();
    let follower = server.tell(0, "follower");
    let both = format!("{},{}", server::place(&server.url), server::place(&follower));
    let url = server.application.replace(server::place(&server.url), &both) + "?target_session_attrs=read-write";
    holds(&mut server, &url, |server, load| {
        load.wait_for_done(300);
        server.tell(0, "quit");
        load.wait_for_failed(1);
        server.tell(1, "promote");
        server.url = follower;
    });
}
