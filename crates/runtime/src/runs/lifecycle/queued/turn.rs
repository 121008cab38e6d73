//! The turn of a queued run: whichever process comes first begins it, once its time has come, its thread is free and it is the next.

use std::future::pending;
use std::time::Duration;

use bailiwick_model::{Error, Result};
use bailiwick_tenancy::{ATTEMPTS, Access, Area, Change, Committed, Durability, Limits, When, contended};

use super::super::begin::Place;
use super::super::result::result;
use super::super::start::LOOK_EVERY;
use super::QueuedRun;
use crate::handle::Runs;
use crate::runs::driver::{Driver, given_up};
use crate::runs::events::{CutOff, Event, FailureCode, Nothing, RunFailed, RunFailure};
use crate::runs::follow::Registered;
use crate::runs::host::Callbacks;
use crate::runs::journal::tokens::TokenTurns;
use crate::runs::journal::{KIND, RunStatus, run_name};
use crate::threads::thread_is_there;
use crate::work;

/// The first pause before a process looks again; each doubles it, up to [`LOOK_EVERY`].
const FIRST_LOOK: Duration = Duration::from_millis(5);
/// When a run looks again whose time has come and whose thread has a full queue, in milliseconds.
const FULL_MS: u64 = 10_000;

/// What became of a queued run.
enum Turn<'a> {
    Began(Box<Driver<'a>>),
    /// It is not queued any more.
    Over,
    Waits(Box<Waits>),
}

/// Whether a run that is the next has begun.
enum Begun<'a> {
    Yes(Box<Driver<'a>>),
    /// A condition did not hold.
    Conflict,
    /// It never can, and ends with this event.
    Never(Box<Event>),
}

/// A run that waits.
pub(super) struct Waits {
    pub(super) run: QueuedRun,
    /// For its time, in epoch milliseconds.
    until: Option<u64>,
    /// For this run.
    pub(super) behind: Option<String>,
}

/// What a queued run does next.
enum Step {
    Begins,
    /// Enters the queue of its thread.
    Joins,
    /// Cancels the run that has its thread.
    Replaces,
    Waits,
}

impl Step {
    fn of(run: &QueuedRun, place: &Place) -> Self {
        let run_id = run.head.run_id.as_str();
        let is_in = place.queue.has(run_id);
        let is_next = match place.queue.first() {
            Some(first) => first == run_id || (run.replaces() && !is_in),
            None => true,
        };
        match &place.owner {
            None if is_next => Self::Begins,
            _ if !is_in => Self::Joins,
            Some(_) if is_next && run.replaces() => Self::Replaces,
            _ => Self::Waits,
        }
    }
}

impl<'a> Runs<'a> {
    /// Waits for the turn of a queued run, begins it, and works at it until there is a result. `None`: it is not queued any more.
    ///
    /// # Errors
    /// `Closed` if this process is to wait no longer, those of a run that begins, and those of the store. The run stays queued.
    pub(in crate::runs::lifecycle) async fn wait_turn(
        self,
        run_id: &str,
        registered: &Registered,
        host: &dyn Callbacks,
    ) -> Result<Option<String>> {
        let Some(access) = self.handle.scope.existing().await? else { return Err(Error::NotFound) };
        let live = &registered.live;
        let (mut known, mut before, mut pause, mut refused) = (None, None, FIRST_LOOK, None);
        loop {
            if live.cancelled.is_cancelled() {
                let cancelled = Event::RunCancelled(Nothing {}, CutOff::default());
                self.end_queued(&access, run_id, cancelled, Some(live)).await?;
                return Ok(None);
            }
            let waits = match self.next_turn(&access, run_id, known.take(), registered, host, None).await? {
                Turn::Began(mut driver) => {
                    driver.work().await?;
                    return Ok(Some(result(&driver.state).await));
                }
                Turn::Over => return Ok(None),
                Turn::Waits(waits) => *waits,
            };
            if Box::pin(self.steer(&access, &waits, &mut refused, live, host)).await? {
                known = Some(waits.run);
                continue;
            }
            // Another run is before it: that one may be short.
            pause = if waits.behind == before { (2 * pause).min(LOOK_EVERY) } else { FIRST_LOOK };
            let left = waits.until.map(|at| Duration::from_millis(at.saturating_sub(access.now())));
            let gone = async {
                match waits.behind.as_deref().filter(|behind| self.live().get(behind).is_some()) {
                    Some(behind) => self.ended_here(behind).await,
                    None => pending().await,
                }
            };
            let given = async {
                tokio::select! {
                    () = live.leaves_queue.cancelled() => {}
                    () = live.yields.cancelled() => {}
                    () = live.released.cancelled() => {}
                }
            };
            tokio::select! {
                biased;
                () = live.cancelled.cancelled() => {}
                () = given => {
                    self.wake_work(access.now()).await?;
                    return Err(given_up());
                }
                () = gone => {}
                () = tokio::time::sleep(left.map_or(pause, |left| left.min(LOOK_EVERY))) => {}
            }
            (known, before) = (Some(waits.run), waits.behind);
        }
    }

    /// Begins a queued run if it is its turn, and works at it until there is a result. `None`: it is not queued any more. `row`: the time
    /// of its row on the list of work, if it has one. The row is removed.
    ///
    /// # Errors
    /// `ThreadBusy` if it is not its turn, those of a run that begins, and those of the store.
    pub(in crate::runs::lifecycle) async fn begin_in_turn(
        self,
        access: &Access,
        run_id: &str,
        host: &dyn Callbacks,
        row: Option<u64>,
    ) -> Result<Option<String>> {
        let queued = |message: &str| Error::run_busy(message, run_id, RunStatus::Queued.name());
        let registered = self.live().register(run_id).ok_or_else(|| {
            queued("This run is queued, and this process begins it in its turn. Follow it with runs.follow.")
        })?;
        match self.next_turn(access, run_id, None, &registered, host, row).await? {
            Turn::Began(mut driver) => {
                driver.work().await?;
                Ok(Some(result(&driver.state).await))
            }
            Turn::Over => Ok(None),
            Turn::Waits(waits) => match waits.behind {
                Some(behind) => Err(self.busy_with(access, &behind).await?),
                None => Err(queued("The time of this run has not come. It begins by itself then; or cancel it.")),
            },
        }
    }

    async fn next_turn<'b>(
        self,
        access: &Access,
        run_id: &str,
        mut known: Option<QueuedRun>,
        registered: &Registered,
        host: &'b dyn Callbacks,
        row: Option<u64>,
    ) -> Result<Turn<'b>>
    where
        'a: 'b,
    {
        let turns = self.handle.scope.shared::<TokenTurns>();
        let mut turn = None;
        let name = run_name(access, run_id);
        for _ in 0..ATTEMPTS {
            let Some(run) = QueuedRun::read(access, run_id, known.take()).await? else { return Ok(Turn::Over) };
            if let Some(at) = run.queued.start_at.filter(|at| *at > access.now()) {
                self.not_due(access, run_id, row, Some(at)).await?;
                return Ok(Turn::Waits(Box::new(Waits { run, until: Some(at), behind: None })));
            }
            let thread_id = run.request.thread_id.as_str();
            let place = self.place(access, thread_id).await?;
            let behind = place.first().map(str::to_owned);
            let step = Step::of(&run, &place);
            if !matches!(step, Step::Waits) && turn.is_none() {
                // What others of this process are about to change is not looked at in vain.
                turn = Some(turns.0.lock().await);
                known = Some(run);
                continue;
            }
            let not_due = row.map(|at| work::not_due(name, at));
            match step {
                Step::Begins => match self.begin_queued(access, &run, &place, not_due, registered, host).await? {
                    Begun::Yes(driver) => return Ok(Turn::Began(driver)),
                    Begun::Conflict => {}
                    Begun::Never(last) => {
                        drop(turn);
                        self.end_queued(access, run_id, *last, Some(&registered.live)).await?;
                        return Ok(Turn::Over);
                    }
                },
                Step::Joins => {
                    if !self.join(access, &run, &place, not_due).await? {
                        self.not_due(access, run_id, row, Some(access.now().saturating_add(FULL_MS))).await?;
                        return Ok(Turn::Waits(Box::new(Waits { run, until: None, behind })));
                    }
                }
                Step::Replaces => {
                    turn = None;
                    if let Some(owner) = &place.owner {
                        self.make_way(owner).await?;
                    }
                }
                Step::Waits => {
                    let waits = Turn::Waits(Box::new(Waits { run, until: None, behind }));
                    let Some(not_due) = not_due else { return Ok(waits) };
                    // The end of the run before it makes it due again.
                    let changes = vec![place.unchanged(), place.queue.unchanged(), not_due];
                    if access.commit(changes, &Limits::default(), Durability::Sync).await? == Committed::Done {
                        return Ok(waits);
                    }
                }
            }
        }
        Err(contended())
    }

    /// Begins a queued run whose turn it is.
    async fn begin_queued<'b>(
        self,
        access: &Access,
        run: &QueuedRun,
        place: &Place,
        not_due: Option<Change>,
        registered: &Registered,
        host: &'b dyn Callbacks,
    ) -> Result<Begun<'b>>
    where
        'a: 'b,
    {
        let needs_thread = run.request.continues || run.queued.continues.is_some();
        if needs_thread && !thread_is_there(access, &run.request.thread_id).await? {
            // The rest of a conversation that is gone is not done any more.
            return Ok(Begun::Never(Box::new(Event::RunCancelled(Nothing {}, CutOff::default()))));
        }
        let new = self.begun_from(run, access.now())?;
        let mut others = vec![place.queue.without(&[&run.head.run_id], self.unfinished_until(access)?)];
        others.extend(not_due);
        match self.try_begin(access.clone(), &new, Some(run), place, others, registered, host).await {
            Ok(Some(driver)) => Ok(Begun::Yes(Box::new(driver))),
            Ok(None) => Ok(Begun::Conflict),
            // A file of its prompt is gone, or its thread does not take the prompt: it never will.
            Err(error @ (Error::NotFound | Error::InvalidInput(_))) => Ok(Begun::Never(Box::new(unable(&error)))),
            Err(error) => Err(error),
        }
    }

    /// Puts a run whose time has come into the queue of its thread, unless the run or the thread has changed. `false`: the queue is full.
    async fn join(self, access: &Access, run: &QueuedRun, place: &Place, not_due: Option<Change>) -> Result<bool> {
        let (run_id, expires_at) = (run.head.run_id.as_str(), self.unfinished_until(access)?);
        let Ok(joined) = place.queue.with(run_id, run.request.when_busy, expires_at) else { return Ok(false) };
        let (kind, area, name, when) = (KIND, Area::Record, run_name(access, run_id), When::Version(run.version));
        let mut changes = vec![place.unchanged(), Change::Check { kind, area, name, when }, joined];
        // It is due again in its turn. One that replaces others stays due: the run that has the thread may not end by itself.
        changes.extend(not_due.filter(|_| !run.replaces()));
        changes.extend(self.owner_due(access, run.request.when_busy, place, expires_at));
        access.commit(changes, &Limits::default(), Durability::Sync).await?;
        Ok(true)
    }
}

/// The end of a run that cannot begin.
fn unable(error: &Error) -> Event {
    let message = match error {
        Error::NotFound => "A file of the prompt does not exist any more.".to_owned(),
        error => error.to_string(),
    };
    let error = RunFailure { code: FailureCode::Internal, message, retryable: false, retry_after_ms: None };
    Event::RunFailed(RunFailed { error }, CutOff::default())
}
