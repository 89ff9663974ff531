//! Trials by control connections: each one of its own, written and read message by message.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use twinpath_wire::control::{AcceptSession, ServerGreeting, ServerStart, StartAck};

use super::control::messages;
use super::steps::{PACKET, PATIENCE, Step, Transcript, lead, named};
use super::{Link, Listed, Outcome, SILENT_ATTEMPTS, Subjects, Trial, Tried, is_open};

/// After so long no further connection begins.
const LONGEST: Duration = Duration::from_secs(45);
/// Trials that end one after the other without a greeting before the rest is left out.
const MOST_UNGREETED: usize = 3;
/// Ordinary sessions at most: before the first attempts, and before and after further ones.
const ORDINARY_SESSIONS: usize = SILENT_ATTEMPTS + 1;

/// What is written and read on a connection, and its judge.
#[derive(Debug)]
pub(crate) struct Dialogue {
    /// The Set-Up-Response to a greeting of these modes; `None`: they do not offer what is tried.
    pub(super) opening: fn(u32) -> Option<Vec<u8>>,
    /// After a Server-Start that accepts.
    pub(super) steps: &'static [Step],
    /// What was read says.
    pub(super) judge: fn(&Transcript) -> Outcome,
}

/// An ordinary session in the unauthenticated mode, and three packets of it.
static ORDINARY: &[Step] = &[
    Step::Write(messages::request),
    Step::Read(AcceptSession::OCTETS),
    Step::Write(messages::start),
    Step::Read(StartAck::OCTETS),
    PACKET,
    PACKET,
    PACKET,
    Step::Write(messages::stop),
];

/// Connections and datagrams of these steps at most.
fn packets_of(steps: &[Step]) -> usize {
    1 + steps.iter().map(Step::packets).sum::<usize>()
}

/// How long a connection with these steps takes at most.
fn time_of(steps: &[Step]) -> Duration {
    PATIENCE * 4 + steps.iter().map(Step::longest).sum::<Duration>()
}

/// Connections and datagrams at most.
pub(super) fn most_packets(trials: &[Trial<Dialogue>]) -> usize {
    let each = trials.iter().map(|trial| packets_of(trial.how.steps));
    ORDINARY_SESSIONS * packets_of(ORDINARY) + SILENT_ATTEMPTS * each.sum::<usize>()
}

/// How long these trials take at most: the last connection begins before [`LONGEST`].
pub(super) fn most_time(trials: &[Trial<Dialogue>]) -> Duration {
    let each = trials.iter().map(|trial| time_of(trial.how.steps));
    LONGEST + each.chain([time_of(ORDINARY)]).max().unwrap_or_default()
}

/// Makes these trials.
pub(super) fn run(
    trials: &[Trial<Dialogue>],
    subjects: &Subjects,
    link: &mut dyn Link,
) -> Vec<Tried> {
    let Some(far) = subjects.control else {
        let skipped = trials.iter().map(|trial| {
            Tried::of(
                Listed::of(trial),
                Outcome::skipped("no TWAMP-Control server answers"),
            )
        });
        return skipped.collect();
    };
    let mut run = Run {
        far,
        until: Instant::now() + LONGEST,
        ordinary: None,
        is_unanswered: false,
        is_lossy: false,
        ungreeted: 0,
    };
    run.have_ordinary(link);
    let mut states = vec![State::default(); trials.len()];
    for attempt in 0..SILENT_ATTEMPTS {
        let open = |state: &State| is_open(state.outcome.as_ref(), state.attempts);
        let mut repeated = states.iter().filter(|state| open(state));
        if attempt > 0 && repeated.any(State::is_silent) {
            run.have_ordinary(link);
        }
        let each = trials.iter().zip(&mut states);
        for (trial, state) in each.filter(|(_, state)| open(state)) {
            if !run.attempt(&trial.how, state, link) {
                break;
            }
        }
    }
    if states.iter().any(State::is_silent) {
        run.have_ordinary(link);
    }
    let each = trials.iter().zip(states);
    each.map(|(trial, state)| Tried::of(Listed::of(trial), run.outcome(state)))
        .collect()
}

/// How a trial ended so far.
#[derive(Clone, Debug, Default)]
struct State {
    outcome: Option<Outcome>,
    attempts: usize,
}

impl State {
    fn is_silent(&self) -> bool {
        let outcome = self.outcome.as_ref();
        outcome.is_some_and(|outcome| outcome.silent_at.is_some())
    }
}

/// The trials of a part, as they go.
struct Run {
    far: SocketAddr,
    until: Instant,
    /// Accept of an ordinary request: where it is refused, the refusal of another one tells little.
    ordinary: Option<u8>,
    /// An ordinary request was not answered.
    is_unanswered: bool,
    /// Packets of an ordinary session were not answered, or had to be sent again.
    is_lossy: bool,
    /// Trials without a greeting, one after the other.
    ungreeted: usize,
}

enum Found {
    Judged(Outcome),
    NoGreeting(String),
}

impl Run {
    /// Has an ordinary session: where that gets no answer, silence says nothing.
    fn have_ordinary(&mut self, link: &mut dyn Link) {
        let is_over = Instant::now() >= self.until;
        let seen = (!is_over).then(|| ordinary(self.far, link)).flatten();
        let accept = seen.as_ref().and_then(|seen| seen.accept(0));
        self.ordinary = self.ordinary.or(accept);
        self.is_unanswered |= accept.is_none();
        self.is_lossy |= seen.is_none_or(|seen| seen.packets != [true; 3] || seen.is_lossy);
    }

    /// Makes a trial once; whether more can be made.
    fn attempt(&mut self, dialogue: &Dialogue, state: &mut State, link: &mut dyn Link) -> bool {
        if self.ungreeted >= MOST_UNGREETED || Instant::now() >= self.until {
            return false;
        }
        let Some(found) = self.lead(dialogue, link) else {
            return false;
        };
        let found = match found {
            Found::Judged(found) => {
                self.ungreeted = 0;
                found
            }
            Found::NoGreeting(why) => {
                self.ungreeted += 1;
                Outcome::unclear(why)
            }
        };
        state.attempts += 1;
        state.outcome = Some(match state.outcome.take() {
            None => found,
            Some(first) => found.after(first),
        });
        true
    }

    /// How a trial ends after its attempts.
    fn outcome(&self, state: State) -> Outcome {
        let Some(outcome) = state.outcome else {
            return Outcome::skipped(if self.ungreeted >= MOST_UNGREETED {
                "the server greets no more"
            } else {
                "stopped, or out of time"
            });
        };
        let outcome = outcome.settled(state.attempts);
        let why = if outcome.silent_at.is_none() {
            return outcome;
        } else if self.is_unanswered {
            "ordinary requests are not always answered either"
        } else if outcome.is_of_packets() && self.is_lossy {
            "packets of ordinary sessions are lost too"
        } else {
            return outcome;
        };
        Outcome::unclear(format!("{}; but {why}", outcome.evidence))
    }

    /// One connection; `None`: it was stopped.
    fn lead(&mut self, dialogue: &Dialogue, link: &mut dyn Link) -> Option<Found> {
        let far = self.far;
        let now = link.now();
        let mut server = match link.connect(far, PATIENCE)? {
            Ok(server) => server,
            Err(error) => return Some(Found::NoGreeting(format!("no connection: {error}"))),
        };
        let greeting = server.read(ServerGreeting::OCTETS, PATIENCE);
        let Ok(view) = ServerGreeting::view(&greeting.octets) else {
            let octets = greeting.octets.len();
            return Some(Found::NoGreeting(format!(
                "a greeting of {octets} octets came, not 64"
            )));
        };
        let modes = view.modes.get();
        let Some(opening) = (dialogue.opening)(modes) else {
            return Some(Found::Judged(Outcome::skipped(
                "the server's modes do not allow it",
            )));
        };
        let mut seen = Transcript {
            modes,
            ordinary: self.ordinary,
            ..Transcript::new(far.is_ipv6(), now, server.ports())
        };
        server.write(&opening);
        seen.start = server.read(ServerStart::OCTETS, PATIENCE);
        if !dialogue.steps.is_empty() {
            match seen.start_accept() {
                Some(0) => lead(dialogue.steps, &mut seen, &mut *server),
                Some(accept) => {
                    return Some(Found::Judged(Outcome::unclear(format!(
                        "the set-up was refused: Accept {}",
                        named(accept)
                    ))));
                }
                None => {
                    return Some(Found::Judged(Outcome::unclear(
                        "no Server-Start to an ordinary set-up",
                    )));
                }
            }
        }
        self.is_lossy |= seen.is_lossy;
        Some(Found::Judged((dialogue.judge)(&seen)))
    }
}

/// An ordinary session in the unauthenticated mode; `None`: there is no connection.
fn ordinary(far: SocketAddr, link: &mut dyn Link) -> Option<Transcript> {
    let now = link.now();
    let mut server = link.connect(far, PATIENCE)?.ok()?;
    let mut seen = Transcript::new(far.is_ipv6(), now, server.ports());
    server.read(ServerGreeting::OCTETS, PATIENCE);
    server.write(&messages::set_up(1));
    seen.start = server.read(ServerStart::OCTETS, PATIENCE);
    if seen.start_accept() == Some(0) {
        let (request, session) = ORDINARY.split_at(2);
        lead(request, &mut seen, &mut *server);
        if seen.accept(0) == Some(0) {
            lead(session, &mut seen, &mut *server);
        }
    }
    Some(seen)
}
