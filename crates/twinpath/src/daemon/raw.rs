//! Raw packets of the sessions that ask for them: one run for all of them, in files of an hour in the store's
//! directory. Sessions have numbers in the order in which they begin.

#[cfg(test)]
mod tests;

use std::iter;
use std::ops::Add;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tracing::warn;
use twinpath_metrics::Record;
use twinpath_proto::extension::ReplyTlvs;
use twinpath_report::SessionSetup;
use twinpath_runtime::measure::{SessionHandle, SessionNews};
use twinpath_runtime::wall;
use twinpath_wire::Wall;

use crate::output::Meta;
use crate::plan::{PlannedSession, identities};
use crate::saved::{FooterBegin, Opened, Saved, Saver};
use crate::store::{RawCounters, RawPlace};

/// How long a file takes packets.
const FILE: Duration = Duration::from_hours(1);
/// Sessions of a run: as many as readers of its files take.
const MOST_SESSIONS: usize = 10_000;
/// How soon a run with as many sessions, or one that could not begin, is followed by another one.
const NEXT_RUN: Duration = Duration::from_mins(1);
/// After a time without losses that long, another one is said.
const QUIET: Duration = Duration::from_mins(1);

/// What saves them. Never waits for the disk.
pub(super) struct RawPackets(Mutex<State>);

/// What is known of a session that is saved.
#[derive(Debug, Default)]
pub(super) struct RawSession {
    /// Its run and its number there.
    number: Option<(u64, u32)>,
    /// Records that it dropped, of those that were counted.
    dropped: u64,
}

struct State {
    place: RawPlace,
    run: Option<Run>,
    /// Runs that have begun.
    runs: u64,
    /// When the last one began, or was tried to.
    begun: Option<Instant>,
    /// Runs that are over, on their way to the disk.
    ending: Vec<Ending>,
    /// Of runs that are over.
    before: RawCounters,
    /// Records that no run has taken.
    dropped: u64,
    /// What was dropped when that was looked at, and until when more is not said.
    known_dropped: u64,
    said_until: Option<Instant>,
    is_closed: bool,
}

/// A run that is over, and what was known of it then.
struct Ending {
    thread: JoinHandle<Saved>,
    counters: RawCounters,
}

/// A run that is being saved.
struct Run {
    saver: Saver,
    facts: FooterBegin,
    /// The files lack the latest sessions.
    is_stale: bool,
}

impl RawPackets {
    /// None yet: the first run begins with its first packet.
    pub(super) fn new(place: RawPlace) -> Self {
        Self(Mutex::new(State {
            place,
            run: None,
            runs: 0,
            begun: None,
            ending: Vec::new(),
            before: RawCounters::default(),
            dropped: 0,
            known_dropped: 0,
            said_until: None,
            is_closed: false,
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what has happened in these sessions.
    pub(super) fn take(
        &self,
        raw: &mut [RawSession],
        planned: &[Arc<PlannedSession>],
        handles: &mut [SessionHandle],
    ) {
        let mut state = self.state();
        let now = wall();
        for ((raw, planned), handle) in raw.iter_mut().zip(planned).zip(handles) {
            let dropped = handle.records_dropped();
            state.dropped += dropped.saturating_sub(raw.dropped);
            raw.dropped = dropped;
            // More may come at any time: those are for the next turn.
            for _ in 0..handle.waiting() {
                if let Some(SessionNews::Record(record, tlvs)) = handle.next_news() {
                    let setup = || setup(planned, handle);
                    state.record(raw, setup, &record, tlvs.as_deref(), now);
                }
            }
        }
    }

    /// Hands over to the disk what is due, and says what went wrong.
    pub(super) fn look(&self) {
        self.state().look(wall());
    }

    /// What was saved and what was not; `None`: nothing was to be.
    pub(super) fn counters(&self) -> Option<RawCounters> {
        let state = self.state();
        let counters = state.counters();
        (state.begun.is_some() || counters.dropped > 0).then_some(counters)
    }

    /// Writes everything to the disk, and ends.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        state.end_run();
        for ending in std::mem::take(&mut state.ending) {
            state.ended(ending);
        }
    }
}

/// What is known of a session before its first packet.
fn setup(planned: &PlannedSession, handle: &SessionHandle) -> Option<SessionSetup> {
    let identity = identities(iter::once(planned), iter::once(handle)).next()?;
    Some(SessionSetup {
        identity,
        asked: None,
        duration_ns: None,
        metrics: handle.series_facts().metrics.clone(),
    })
}

impl State {
    /// Saves a record of a session; one that cannot be saved is counted.
    fn record(
        &mut self,
        raw: &mut RawSession,
        setup: impl FnOnce() -> Option<SessionSetup>,
        record: &Record,
        tlvs: Option<&ReplyTlvs>,
        now: Wall,
    ) {
        let number = self.number(raw, setup);
        let (Some(number), Some(run)) = (number, &mut self.run) else {
            self.dropped += 1;
            return;
        };
        run.tell_if_due(now);
        run.saver.record(number, record, tlvs);
    }

    /// The number of a session in the run under way.
    fn number(
        &mut self,
        raw: &mut RawSession,
        setup: impl FnOnce() -> Option<SessionSetup>,
    ) -> Option<u32> {
        if let Some((run, number)) = raw.number
            && run == self.runs
            && self.run.is_some()
        {
            return Some(number);
        }
        let is_full = |run: &Run| run.facts.sessions.len() >= MOST_SESSIONS;
        if self.run.as_ref().is_none_or(is_full) {
            self.begin()?;
        }
        let run = self.run.as_mut()?;
        let mut setup = setup()?;
        let place = run.facts.sessions.len() + 1;
        let number = u32::try_from(place).ok()?;
        setup.identity.number = place;
        run.facts.sessions.push(setup);
        run.is_stale = true;
        raw.number = Some((self.runs, number));
        Some(number)
    }

    /// Begins another run, unless one has just begun. `None`: there is no other one.
    fn begin(&mut self) -> Option<()> {
        let is_early = self.begun.is_some_and(|at| at.elapsed() < NEXT_RUN);
        if self.is_closed || is_early {
            return None;
        }
        self.end_run();
        self.begun = Some(Instant::now());
        let facts = FooterBegin::new(&Meta::here(&[]), wall(), Vec::new());
        let opened = {
            let place = &self.place;
            Opened::series(&place.path, FILE, place.most_octets, &place.sizes)
        };
        match opened.begin(&facts) {
            Ok(saver) => {
                self.runs += 1;
                self.run = Some(Run {
                    saver,
                    facts,
                    is_stale: false,
                });
                Some(())
            }
            Err(error) => {
                self.say(&format!("raw packets are not saved: {error}"));
                None
            }
        }
    }

    /// Ends the run under way, which takes a while on a slow disk.
    fn end_run(&mut self) {
        let Some(mut run) = self.run.take() else {
            return;
        };
        run.tell();
        let counters = run.counters();
        let close = thread::Builder::new().name("saver-end".to_owned());
        match close.spawn(move || run.saver.close(wall())) {
            Ok(thread) => self.ending.push(Ending { thread, counters }),
            Err(error) => self.say(&format!("the end of raw packets is not saved: {error}")),
        }
    }

    fn ended(&mut self, ending: Ending) {
        let saved = ending.thread.join();
        let counters = saved.map_or(ending.counters, |saved| RawCounters {
            records: saved.records,
            dropped: saved.of.saturating_sub(saved.records),
        });
        self.before = self.before + counters;
    }

    fn look(&mut self, now: Wall) {
        let is_over = |ending: &mut Ending| ending.thread.is_finished();
        let over: Vec<Ending> = self.ending.extract_if(.., is_over).collect();
        for ending in over {
            self.ended(ending);
        }
        let dropped = self.counters().dropped;
        if let Some(run) = &mut self.run {
            run.tell_if_due(now);
            if let Some(line) = run.saver.look(now) {
                self.say(&line);
            }
        }
        if dropped > self.known_dropped {
            self.known_dropped = dropped;
            let is_said = self.said_until.is_some_and(|until| Instant::now() < until);
            if is_said {
                self.said_until = Some(Instant::now() + QUIET);
            } else {
                self.say(
                    "records of raw packets are dropped, and counted in the status of the store",
                );
            }
        }
    }

    fn say(&mut self, line: &str) {
        self.said_until = Some(Instant::now() + QUIET);
        warn!("{line}");
    }

    fn counters(&self) -> RawCounters {
        let untaken = RawCounters {
            records: 0,
            dropped: self.dropped,
        };
        let ending = self.ending.iter().map(|ending| ending.counters);
        let run = self.run.iter().map(Run::counters);
        ending.chain(run).fold(self.before + untaken, Add::add)
    }
}

impl Run {
    fn counters(&self) -> RawCounters {
        let [records, dropped] = self.saver.counts();
        RawCounters { records, dropped }
    }

    /// Has the files name all sessions, before rows of the latest ones come into them.
    fn tell_if_due(&mut self, now: Wall) {
        if self.saver.is_due(now) {
            self.tell();
        }
    }

    fn tell(&mut self) {
        if std::mem::take(&mut self.is_stale) {
            self.saver.tell(&self.facts);
        }
    }
}
