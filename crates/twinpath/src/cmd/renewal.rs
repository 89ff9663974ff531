//! Targets whose names have other addresses than before, or have one at last. Names are looked up on
//! threads of their own; what is measured never waits for them.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use twinpath_proto::sender::Limit;
use twinpath_report::FailedTarget;
use twinpath_runtime::SenderPlan;
use twinpath_runtime::measure::SessionHandle;

use crate::args::MOST_SESSIONS;
use crate::failure::Failure;
use crate::plan::{Ends, NamedEnd, PlannedSession, Target, WaitingTarget, jitter};

/// A target is silent when nothing came back for this long at least.
const SILENCE: Duration = Duration::from_secs(10);
/// Between two looks at all targets.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long after a look-up the next one is, which doubles each time.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_mins(5);
/// Names are looked up by this many threads at most.
const MOST_LOOKUPS: usize = 16;

/// Looks names up as the host does, or as a test does.
type Resolver = fn(&str, u16) -> io::Result<Vec<SocketAddr>>;

/// The targets of a run that are given by name.
pub(super) struct Renewal {
    targets: Vec<Watched>,
    resolver: Resolver,
    found: (Sender<Found>, Receiver<Found>),
    running: usize,
    next_look: Instant,
    /// Sessions that may still move.
    room: usize,
}

/// What has become of a target's name.
type Found = (usize, Result<Option<Ends>, Failure>);

struct Watched {
    end: Arc<NamedEnd>,
    state: State,
    /// When its sessions began.
    begun: Instant,
    /// When something came back last, or measuring ended.
    since: Instant,
    next: Instant,
    wait: Duration,
    is_looked_up: bool,
}

enum State {
    /// It has no address yet.
    Waiting(WaitingTarget),
    /// In these sessions, from 0. `received`: of all of them, when it was looked at last.
    Measured {
        sessions: Range<usize>,
        received: u64,
    },
    /// These sessions are about to end, and others begin then.
    Moving { sessions: Range<usize>, to: Ends },
}

/// Sessions that can begin now.
pub(super) struct Due {
    /// Whose.
    pub(super) target: usize,
    pub(super) sessions: Vec<PlannedSession>,
    /// In whose place, from 0.
    pub(super) instead_of: Option<Range<usize>>,
    /// For how long the target was not measured.
    pub(super) unmeasured: Duration,
}

impl Renewal {
    /// Of sessions that begin now, and of those that wait.
    pub(super) fn new(
        sessions: &[PlannedSession],
        waiting: Vec<WaitingTarget>,
        resolver: Resolver,
    ) -> Self {
        let now = Instant::now();
        let waiting = waiting.into_iter().map(|target| {
            let end = Arc::clone(&target.end);
            Watched::new(end, State::Waiting(target), now)
        });
        let mut targets: Vec<Watched> = waiting.collect();
        for (number, session) in sessions.iter().enumerate() {
            let Some(end) = session.end.as_ref().filter(|end| end.is_name()) else {
                continue;
            };
            match targets.last_mut().map(|last| (&last.end, &mut last.state)) {
                Some((last, State::Measured { sessions, .. })) if Arc::ptr_eq(last, end) => {
                    sessions.end = number + 1;
                }
                Some(_) | None => {
                    let state = State::of(number..number + 1);
                    targets.push(Watched::new(Arc::clone(end), state, now));
                }
            }
        }
        Self {
            targets,
            resolver,
            found: channel(),
            running: 0,
            next_look: now + LOOK_EVERY,
            room: MOST_SESSIONS,
        }
    }

    /// Something may begin yet, though all sessions are over.
    pub(super) fn is_pending(&self) -> bool {
        let mut states = self.targets.iter().map(|target| &target.state);
        states.any(|state| !matches!(state, State::Measured { .. }))
    }

    /// The targets that were never measured, and why.
    pub(super) fn unmeasured(self) -> impl Iterator<Item = FailedTarget> {
        let states = self.targets.into_iter().map(|target| target.state);
        states.filter_map(|state| match state {
            State::Waiting(target) => Some(target.failed),
            State::Measured { .. } | State::Moving { .. } => None,
        })
    }

    /// What can begin. `planned` and `handles`: all sessions of the run so far. Those whose far end has
    /// moved are told to stop.
    pub(super) fn look(
        &mut self,
        planned: &[PlannedSession],
        handles: &[SessionHandle],
    ) -> Vec<Due> {
        let now = Instant::now();
        if now < self.next_look {
            return Vec::new();
        }
        self.next_look = now + LOOK_EVERY;
        let mut due = Vec::new();
        while let Ok((number, found)) = self.found.1.try_recv() {
            self.running -= 1;
            if let Some(target) = self.targets.get_mut(number) {
                target.is_looked_up = false;
                due.extend(target.found(number, found, handles, &mut self.room));
            }
        }
        for number in 0..self.targets.len() {
            let Some(target) = self.targets.get_mut(number) else {
                continue;
            };
            due.extend(target.when_over(number, planned, handles));
            if self.running < MOST_LOOKUPS && target.is_due(planned, handles, now) {
                self.look_up(number, planned);
            }
        }
        due
    }

    /// The sessions of a target could not begin: they are tried again. Whether that is new.
    pub(super) fn wait(
        &mut self,
        target: usize,
        sessions: Vec<PlannedSession>,
        failed: FailedTarget,
    ) -> bool {
        let Some(target) = self.targets.get_mut(target) else {
            return false;
        };
        let error = match &target.state {
            State::Waiting(waiting) => Some(&waiting.failed.error),
            State::Measured { .. } | State::Moving { .. } => None,
        };
        let is_new = error != Some(&failed.error);
        target.state = State::Waiting(WaitingTarget {
            end: Arc::clone(&target.end),
            sessions,
            failed,
        });
        is_new
    }

    /// The sessions of a target have begun, as these.
    pub(super) fn begun(&mut self, target: usize, sessions: Range<usize>) {
        if let Some(target) = self.targets.get_mut(target) {
            let end = Arc::clone(&target.end);
            *target = Watched::new(end, State::of(sessions), Instant::now());
        }
    }

    fn look_up(&mut self, number: usize, planned: &[PlannedSession]) {
        let Some(target) = self.targets.get_mut(number) else {
            return;
        };
        let used = match &target.state {
            State::Measured { sessions, .. } => planned.get(sessions.start),
            State::Waiting(_) | State::Moving { .. } => None,
        };
        let used = used.map(|session| session.target.address);
        let (end, results, resolver) =
            (Arc::clone(&target.end), self.found.0.clone(), self.resolver);
        let work = move || {
            // The run may be over.
            let _ = results.send((number, end.moved(used, &resolver)));
        };
        let builder = thread::Builder::new().name("names".to_owned());
        if builder.spawn(work).is_ok() {
            self.running += 1;
            target.is_looked_up = true;
        }
    }
}

impl State {
    fn of(sessions: Range<usize>) -> Self {
        Self::Measured {
            sessions,
            received: 0,
        }
    }
}

impl Watched {
    fn new(end: Arc<NamedEnd>, state: State, now: Instant) -> Self {
        Self {
            end,
            next: now + FIRST_WAIT,
            state,
            begun: now,
            since: now,
            wait: FIRST_WAIT,
            is_looked_up: false,
        }
    }

    /// Its name is to be looked up now.
    fn is_due(
        &mut self,
        planned: &[PlannedSession],
        handles: &[SessionHandle],
        now: Instant,
    ) -> bool {
        if let State::Measured { sessions, received } = &mut self.state {
            let handles = handles.get(sessions.clone()).unwrap_or_default();
            let so_far = handles
                .iter()
                .map(|handle| handle.progress().received)
                .sum();
            let goes_on = handles.iter().any(|handle| !handle.is_finished());
            if so_far != *received {
                *received = so_far;
                self.since = now;
                self.wait = FIRST_WAIT;
            }
            let planned = planned.get(sessions.clone()).unwrap_or_default();
            let silence = planned
                .iter()
                .map(PlannedSession::silence)
                .max()
                .unwrap_or(SILENCE);
            if !goes_on || now < self.since + silence {
                return false;
            }
        }
        let is_moving = matches!(self.state, State::Moving { .. });
        if is_moving || self.is_looked_up || now < self.next {
            return false;
        }
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        self.next = now + self.wait.mul_f64(jitter());
        true
    }

    /// Its name was looked up.
    fn found(
        &mut self,
        number: usize,
        found: Result<Option<Ends>, Failure>,
        handles: &[SessionHandle],
        room: &mut usize,
    ) -> Option<Due> {
        match (&mut self.state, found) {
            (State::Measured { sessions, received }, Ok(Some(to))) => {
                let sessions = sessions.clone();
                let old = handles.get(sessions.clone()).unwrap_or_default();
                let so_far: u64 = old.iter().map(|handle| handle.progress().received).sum();
                // Else it answers after all.
                if so_far == *received && *room >= sessions.len() {
                    *room -= sessions.len();
                    old.iter().for_each(SessionHandle::stop);
                    self.since = Instant::now();
                    self.state = State::Moving { sessions, to };
                }
                None
            }
            (State::Waiting(target), Ok(Some(to))) => {
                let sessions = target.sessions.iter();
                let sessions = sessions.map(|session| {
                    let has_moved = session.target.has_moved;
                    moved(session, &self.end, to, has_moved)
                });
                Some(Due {
                    target: number,
                    sessions: sessions.collect::<Result<_, _>>().ok()?,
                    instead_of: None,
                    unmeasured: self.since.elapsed(),
                })
            }
            _ => None,
        }
    }

    /// Its earlier sessions are over, and others can begin.
    fn when_over(
        &mut self,
        number: usize,
        planned: &[PlannedSession],
        handles: &[SessionHandle],
    ) -> Option<Due> {
        let State::Moving { sessions, to } = &self.state else {
            return None;
        };
        let (sessions, to) = (sessions.clone(), *to);
        let handles = handles.get(sessions.clone())?;
        if !handles.iter().all(SessionHandle::is_finished) {
            return None;
        }
        let earlier = planned.get(sessions.clone())?.iter().zip(handles);
        let next = earlier.filter_map(|(earlier, handle)| {
            let elapsed = self.begun.elapsed();
            let limit = rest(&earlier.plan, handle.progress().sent, elapsed)?;
            let mut next = moved(earlier, &self.end, to, true).ok()?;
            next.plan.limit = limit;
            next.plan.start_delay = Duration::ZERO;
            next.plan.earlier_port = Some(handle.sender().port());
            Some(next)
        });
        let next: Vec<PlannedSession> = next.collect();
        let unmeasured = self.since.elapsed();
        self.state = State::of(sessions.clone());
        (!next.is_empty()).then_some(Due {
            target: number,
            sessions: next,
            instead_of: Some(sessions),
            unmeasured,
        })
    }
}

/// What is left to send of a session that began so long ago.
fn rest(plan: &SenderPlan, sent: u64, elapsed: Duration) -> Option<Limit> {
    match plan.limit {
        Limit::Count(count) => count
            .checked_sub(sent)
            .filter(|left| *left > 0)
            .map(Limit::Count),
        Limit::Duration(duration) => {
            let sending = elapsed.saturating_sub(plan.start_delay);
            duration.checked_sub(sending).map(Limit::Duration)
        }
        Limit::Endless => Some(Limit::Endless),
    }
}

/// The session with these ends.
fn moved(
    session: &PlannedSession,
    end: &NamedEnd,
    to: Ends,
    has_moved: bool,
) -> Result<PlannedSession, Failure> {
    Ok(PlannedSession {
        plan: end.aim(session.plan.clone(), to)?,
        target: Target {
            address: to.0,
            has_moved,
            ..session.target.clone()
        },
        ..session.clone()
    })
}

#[cfg(test)]
mod tests {
    use twinpath_runtime::measure;

    use super::*;
    use crate::args::SenderArgs;
    use crate::plan::sessions;

    fn lookup(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let found = name.ends_with(".example");
        let here = || vec![([127, 0, 0, 1], port).into()];
        found
            .then(here)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// A session that is over.
    fn over() -> SessionHandle {
        let plan = SenderPlan {
            limit: Limit::Count(1),
            timeout: Duration::from_millis(10),
            ..SenderPlan::to(([127, 0, 0, 1], 9).into())
        };
        let handle = measure::start(plan).unwrap();
        let patience = Instant::now() + Duration::from_mins(1);
        while !handle.is_finished() {
            assert!(Instant::now() < patience, "it does not end");
            thread::sleep(Duration::from_millis(5));
        }
        handle
    }

    #[test]
    fn what_is_left_of_a_duration_counts_from_where_the_sessions_began() {
        let minute = Duration::from_mins(1);
        let args = SenderArgs::of("far.example --to other.example --duration 180 --start-delay 60");
        let mut planned = sessions(&args, &lookup, |_, _| {}).unwrap().sessions;
        planned.truncate(1);
        let mut renewal = Renewal::new(&planned, Vec::new(), lookup);
        let handles = [over(), over()];
        let to = renewal.targets[0].end.ends(&lookup).unwrap();
        // It moves twice, each time after two minutes.
        for (session, left) in [(0, 2), (1, 0)] {
            let target = &mut renewal.targets[0];
            target.begun = Instant::now().checked_sub(2 * minute).unwrap();
            let sessions = session..session + 1;
            target.state = State::Moving { sessions, to };
            let due = target.when_over(0, &planned, &handles);
            let Some(due) = due else {
                assert_eq!(left, 0);
                return;
            };
            let [next] = &*due.sessions else {
                panic!("one session")
            };
            let Limit::Duration(limit) = next.plan.limit else {
                panic!("{:?}", next.plan.limit)
            };
            let most = left * minute;
            assert!(
                limit <= most && limit + Duration::from_secs(30) >= most,
                "{limit:?}"
            );
            planned.push(next.clone());
            renewal.begun(0, 1..2);
            assert!(renewal.targets[0].begun.elapsed() < minute);
        }
        panic!("nothing is left");
    }
}
