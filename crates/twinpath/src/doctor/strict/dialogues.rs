//! Trials by control connections: each one of its own, written and read message by message.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use twinpath_wire::control::{AcceptSession, ServerGreeting, ServerStart, StartAck};

use super::control::messages;
use super::exchange::OPEN_PADDING;
use super::steps::{Cipher, Line, Open, PACKET, PATIENCE, Step, Transcript, lead, named};
use super::{Keys, Link, Listed, Outcome, SILENT_ATTEMPTS, Subjects, Trial, Tried, is_open};

/// After so long no further connection begins.
const LONGEST: Duration = Duration::from_secs(45);
/// Trials that end one after the other without a greeting before the rest is left out.
const MOST_UNGREETED: usize = 3;
/// Ordinary sessions at most: two before the first attempts, and one before and after further ones.
const ORDINARY_SESSIONS: usize = SILENT_ATTEMPTS + 2;

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

/// A dialogue that can be had.
pub(super) trait Led {
    /// What follows a greeting; `Err`: why it is not tried.
    fn opening(
        &self,
        greeting: &ServerGreeting,
        keys: &Keys,
        link: &mut dyn Link,
    ) -> Result<Opening, &'static str>;
    /// The same where all is ordinary.
    fn ordinary(
        &self,
        greeting: &ServerGreeting,
        keys: &Keys,
        link: &mut dyn Link,
    ) -> Result<Opening, &'static str>;
    /// Why no ordinary session may be had; `None`: it says no more than the trials.
    fn needs(&self, ordinary: &Transcript) -> Option<String>;
    fn steps(&self) -> &'static [Step];
    fn judge(&self, seen: &Transcript) -> Outcome;
}

/// The answer to a greeting.
pub(super) struct Opening {
    /// The Set-Up-Response.
    pub(super) message: Vec<u8>,
    /// Padding of the sessions' packets.
    pub(super) padding: u32,
    /// Opens the Server-Start, and protects what follows.
    pub(super) cipher: Box<OpensStart>,
}

/// Opens a Server-Start, and protects what follows.
type OpensStart = dyn FnOnce(&mut [u8]) -> Box<dyn Cipher>;

impl Opening {
    /// Of the unauthenticated mode.
    fn open(message: Vec<u8>) -> Self {
        Self {
            message,
            padding: OPEN_PADDING,
            cipher: Box::new(|_| Box::new(Open)),
        }
    }
}

impl Led for Dialogue {
    fn opening(
        &self,
        greeting: &ServerGreeting,
        _: &Keys,
        _: &mut dyn Link,
    ) -> Result<Opening, &'static str> {
        let message = (self.opening)(greeting.modes.get());
        message
            .map(Opening::open)
            .ok_or("the server's modes do not allow it")
    }

    fn ordinary(
        &self,
        _: &ServerGreeting,
        _: &Keys,
        _: &mut dyn Link,
    ) -> Result<Opening, &'static str> {
        Ok(Opening::open(messages::set_up(1)))
    }

    fn needs(&self, _: &Transcript) -> Option<String> {
        None
    }

    fn steps(&self) -> &'static [Step] {
        self.steps
    }

    fn judge(&self, seen: &Transcript) -> Outcome {
        (self.judge)(seen)
    }
}

/// An ordinary session, and three packets of it.
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
pub(super) fn most_packets(trials: &[Trial<impl Led>]) -> usize {
    let each = trials.iter().map(|trial| packets_of(trial.how.steps()));
    ORDINARY_SESSIONS * packets_of(ORDINARY) + SILENT_ATTEMPTS * each.sum::<usize>()
}

/// How long these trials take at most: the last connection begins before [`LONGEST`].
pub(super) fn most_time(trials: &[Trial<impl Led>]) -> Duration {
    let each = trials.iter().map(|trial| time_of(trial.how.steps()));
    LONGEST + each.chain([time_of(ORDINARY)]).max().unwrap_or_default()
}

/// Makes these trials.
pub(super) fn run<How: Led>(
    trials: &[Trial<How>],
    subjects: &Subjects,
    keys: &Keys,
    link: &mut dyn Link,
) -> Vec<Tried> {
    let all_skipped = |why: &str| -> Vec<Tried> {
        let each = trials.iter();
        each.map(|trial| Tried::of(Listed::of(trial), Outcome::skipped(why)))
            .collect()
    };
    let (Some(far), Some(first)) = (subjects.control, trials.first()) else {
        return all_skipped("no TWAMP-Control server answers");
    };
    let mut run = Run {
        far,
        keys,
        until: Instant::now() + LONGEST,
        ordinary: None,
        is_unanswered: false,
        is_lossy: false,
        ungreeted: 0,
    };
    let mut had = run.have_ordinary(&first.how, link);
    if run.ordinary.is_none() {
        // A lost connection tells nothing of the server.
        had = run.have_ordinary(&first.how, link);
    }
    if let Err(why) = had {
        return all_skipped(&why);
    }
    let mut states = vec![State::default(); trials.len()];
    for attempt in 0..SILENT_ATTEMPTS {
        let open = |state: &State| is_open(state.outcome.as_ref(), state.attempts);
        let mut repeated = states.iter().filter(|state| open(state));
        if attempt > 0 && repeated.any(State::is_silent) {
            run.doubt(&first.how, link);
        }
        let each = trials.iter().zip(&mut states);
        for (trial, state) in each.filter(|(_, state)| open(state)) {
            if !run.attempt(&trial.how, state, link) {
                break;
            }
        }
    }
    if states.iter().any(State::is_silent) {
        run.doubt(&first.how, link);
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
struct Run<'a> {
    far: SocketAddr,
    keys: &'a Keys,
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

impl Run<'_> {
    /// Has an ordinary session: where that gets no answer, silence says nothing. `Err`: why no trial is made.
    fn have_ordinary(&mut self, how: &impl Led, link: &mut dyn Link) -> Result<(), String> {
        let is_over = Instant::now() >= self.until;
        let seen = if is_over {
            None
        } else {
            self.ordinary_session(how, link)?
        };
        let accept = seen.as_ref().and_then(|seen| seen.accept(0));
        let needed = seen.as_ref().and_then(|seen| how.needs(seen));
        self.ordinary = self.ordinary.or(accept);
        self.is_unanswered |= accept.is_none();
        self.is_lossy |= seen.is_none_or(|seen| seen.packets != [true; 3] || seen.is_lossy);
        needed.map_or(Ok(()), Err)
    }

    /// Has another one.
    fn doubt(&mut self, how: &impl Led, link: &mut dyn Link) {
        if self.have_ordinary(how, link).is_err() {
            self.is_unanswered = true;
        }
    }

    /// An ordinary session; `None`: there is no connection.
    fn ordinary_session(
        &self,
        how: &impl Led,
        link: &mut dyn Link,
    ) -> Result<Option<Transcript>, &'static str> {
        let now = link.now();
        let Some(Ok(mut server)) = link.connect(self.far, PATIENCE) else {
            return Ok(None);
        };
        let mut seen = Transcript::new(self.far.is_ipv6(), now, server.ports());
        let greeting = server.read(ServerGreeting::OCTETS, PATIENCE);
        let Ok(view) = ServerGreeting::view(&greeting.octets) else {
            return Ok(None);
        };
        let opening = how.ordinary(view, self.keys, link)?;
        let mut cipher = set_up(opening, &mut seen, &mut *server);
        if seen.start_accept() == Some(0) {
            let stopped = &|| link.is_stopped();
            let (request, session) = ORDINARY.split_at(2);
            lead(request, &mut seen, &mut *server, &mut *cipher, stopped);
            if seen.accept(0) == Some(0) {
                lead(session, &mut seen, &mut *server, &mut *cipher, stopped);
            }
        }
        Ok(Some(seen))
    }

    /// Makes a trial once; whether more can be made.
    fn attempt(&mut self, dialogue: &impl Led, state: &mut State, link: &mut dyn Link) -> bool {
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
    fn lead(&mut self, dialogue: &impl Led, link: &mut dyn Link) -> Option<Found> {
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
        let opening = match dialogue.opening(view, self.keys, link) {
            Ok(opening) => opening,
            Err(why) => return Some(Found::Judged(Outcome::skipped(why))),
        };
        let mut seen = Transcript {
            ordinary: self.ordinary,
            ..Transcript::new(far.is_ipv6(), now, server.ports())
        };
        let mut cipher = set_up(opening, &mut seen, &mut *server);
        if !dialogue.steps().is_empty() {
            match seen.start_accept() {
                Some(0) => {
                    let stopped = &|| link.is_stopped();
                    let steps = dialogue.steps();
                    lead(steps, &mut seen, &mut *server, &mut *cipher, stopped);
                    if link.is_stopped() {
                        return None;
                    }
                }
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
        Some(Found::Judged(dialogue.judge(&seen)))
    }
}

/// Answers a greeting, and reads the Server-Start.
fn set_up(opening: Opening, seen: &mut Transcript, server: &mut dyn Line) -> Box<dyn Cipher> {
    server.write(&opening.message);
    seen.padding = opening.padding;
    seen.start = server.read(ServerStart::OCTETS, PATIENCE);
    (opening.cipher)(&mut seen.start.octets)
}
