//! A wire between engine and server that breaks where it is told to.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::server;

/// Where the wire breaks. Counts begin when the fault is set and run over all connections.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Point {
    /// After so many bytes from the engine.
    Sent(usize),
    /// After so many bytes from the server.
    Answered(usize),
    /// Everything but the next COMMIT has gone to the server.
    BeforeCommit,
    /// The next COMMIT has gone to the server, its answer has not come back.
    AfterCommit,
}

/// What becomes of the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    /// It ends on both sides.
    Cut,
    /// It ends for the engine; what is on the way reaches the server after this time.
    Late(Duration),
    /// It stays open and carries nothing any more, in either direction.
    Swallow,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) point: Point,
    pub(crate) action: Action,
}

/// An engine that has sent nothing for so long waits for an answer.
const QUIET: Duration = Duration::from_millis(200);

#[derive(Default)]
struct State {
    fault: Mutex<Option<Fault>>,
    struck: Condvar,
    /// Connections that carry nothing, until the end.
    silent: Mutex<Vec<TcpStream>>,
    /// When trips are counted.
    trips: Mutex<Option<Trips>>,
}

struct Trips {
    count: usize,
    /// When the engine sent something last.
    last: Instant,
    /// Whether it has sent something since it was answered.
    is_in_flight: bool,
}

pub(crate) struct Proxy {
    /// The URL that leads through it.
    pub(crate) url: String,
    state: Arc<State>,
}

impl Proxy {
    pub(crate) fn before(url: &str) -> Self {
        let target = server::place(url).to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = url.replace(&target, &listener.local_addr().unwrap().to_string());
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        spawn(move || {
            for engine in listener.incoming().flatten() {
                // Nobody listens while the server is down.
                if let Ok(server) = TcpStream::connect(&target) {
                    carry(&shared, engine, server);
                }
            }
        });
        Self { url, state }
    }

    /// Sets a fault and waits until it has struck; `is_over` says that it never will.
    pub(crate) fn strike(&self, fault: Fault, is_over: impl Fn() -> bool) {
        let mut waiting = self.state.fault.lock();
        *waiting = Some(fault);
        while waiting.is_some() && !is_over() {
            self.state.struck.wait_for(&mut waiting, Duration::from_millis(100));
        }
    }

    /// How many trips to the server something makes, or more: an answer is held back until the engine has been quiet for
    /// a while, so whatever it sends without waiting for an answer is one trip.
    pub(crate) fn trips<T>(&self, what: impl FnOnce() -> T) -> (usize, T) {
        *self.state.trips.lock() = Some(Trips { count: 0, last: Instant::now(), is_in_flight: false });
        let result = what();
        (self.state.trips.lock().take().map_or(0, |trips| trips.count), result)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        for stream in self.state.silent.lock().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Carries both directions of a connection.
fn carry(state: &Arc<State>, engine: TcpStream, server: TcpStream) {
    let is_silent = Arc::new(AtomicBool::new(false));
    for is_sent in [true, false] {
        let (state, is_silent) = (Arc::clone(state), Arc::clone(&is_silent));
        let (from, to) = if is_sent { (&engine, &server) } else { (&server, &engine) };
        let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        to.set_nodelay(true).unwrap();
        spawn(move || pump(&state, &is_silent, from, to, is_sent));
    }
}

fn pump(state: &State, is_silent: &AtomicBool, mut from: TcpStream, mut to: TcpStream, is_sent: bool) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = from.read(&mut buffer).unwrap_or(0);
        let bytes = &buffer[..length];
        if is_silent.load(Ordering::SeqCst) && length > 0 {
            continue;
        }
        state.count(is_sent);
        let struck = state.strikes(bytes, is_sent);
        let (now, later) = bytes.split_at(struck.map_or(length, |(passes, _)| passes));
        let is_carried = length > 0 && to.write_all(now).is_ok();
        match struck.map(|(_, action)| action) {
            None if is_carried => continue,
            Some(Action::Swallow) => {
                is_silent.store(true, Ordering::SeqCst);
                let mut silent = state.silent.lock();
                silent.extend([from.try_clone().unwrap(), to.try_clone().unwrap()]);
                continue;
            }
            Some(Action::Late(time)) if is_sent => {
                let _ = from.shutdown(Shutdown::Both);
                // How late it comes, not a wait for anything.
                sleep(time);
                let _ = to.write_all(later);
            }
            None | Some(Action::Cut | Action::Late(_)) => {}
        }
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
        return;
    }
}

impl State {
    /// Counts trips, if they are counted.
    fn count(&self, is_sent: bool) {
        loop {
            let mut counting = self.trips.lock();
            let Some(trips) = counting.as_mut() else { return };
            if is_sent {
                (trips.last, trips.is_in_flight) = (Instant::now(), true);
                return;
            }
            let rest = QUIET.saturating_sub(trips.last.elapsed());
            if !trips.is_in_flight || rest.is_zero() {
                trips.count += usize::from(std::mem::take(&mut trips.is_in_flight));
                return;
            }
            drop(counting);
            // How long the answer takes, not a wait for anything.
            sleep(rest);
        }
    }

    /// How many of these bytes still pass, and what happens then, if the fault that is set strikes here.
    fn strikes(&self, bytes: &[u8], is_sent: bool) -> Option<(usize, Action)> {
        let mut waiting = self.fault.lock();
        let fault = waiting.as_mut()?;
        let commit = || bytes.windows(7).position(|window| window == b"COMMIT\0").filter(|_| is_sent);
        let passes = match &mut fault.point {
            Point::Sent(left) if is_sent => counted(left, bytes.len()),
            Point::Answered(left) if !is_sent => counted(left, bytes.len()),
            // The message begins with a letter and four bytes of its length.
            Point::BeforeCommit => commit().map(|at| at.saturating_sub(5)),
            Point::AfterCommit => commit().map(|at| at + 7),
            Point::Sent(_) | Point::Answered(_) => None,
        }?;
        let action = fault.action;
        *waiting = None;
        self.struck.notify_all();
        Some((passes, action))
    }
}

/// How many of so many bytes pass if the last that may is among them.
fn counted(left: &mut usize, length: usize) -> Option<usize> {
    if *left < length {
        return Some(*left);
    }
    *left -= length;
    None
}
