//! Dialogues with a TWAMP server: what is asked after its greeting, and how it ends (RFC 4656 section 3,
//! RFC 5357 section 3).

mod connections;
mod features;
mod requests;
mod secured;
mod session;
mod start;
mod train;

use std::net::SocketAddr;
use std::time::Duration;

use twinpath_proto::Refusal;
use twinpath_proto::control::ClientError;
use twinpath_report::Advice;
use twinpath_runtime::probe::{Connection, DialogueEnd, SessionSeen};
use twinpath_wire::control::{Accept, Modes, SecurityMode};

pub(super) use connections::Connections;
pub(super) use features::{INDIVIDUAL, MONITORED, PTP, REFLECT_OCTETS, SYMMETRICAL};
pub(super) use requests::{ANY_PORT, DSCP, PADDING, START_FUTURE, START_PAST, ZERO_ADDRESSES};
pub(crate) use secured::strongest;
pub(super) use secured::{AUTHENTICATED, ENCRYPTED, MIXED, UNKNOWN_KEY, WRONG_KEY};
pub(super) use session::{PORT, SESSION};
pub(super) use start::{START_DELAY, STOP};
pub(super) use train::{
    COPIED, NUMBERS, ONE_REPLY, REPLY_SIZE, REPLY_TTL, RESIDENCE, SENDER_TTL, TIME_FORMAT,
};

use super::greeting::greeting;
use crate::doctor::dialogue::{
    self, Adapted, Dialogue, DialogueAsk, DialogueKind, KeyUse, Security,
};
use crate::doctor::{Ask, Check, Cost, FarEndPlan, Judged, Seen, Status, patience};
use crate::output::words::{error::Remedy as _, refusal};

/// Dialogues that a server refuses alike for want of resources: it has none for any.
const SEVERAL: usize = 3;

/// A check of what comes of dialogues.
pub(super) struct OfDialogues {
    pub(super) id: &'static str,
    /// What is had, in this order.
    pub(super) kinds: &'static [&'static DialogueKind],
    pub(super) judge: fn(&Seen) -> Judged,
}

impl Check for OfDialogues {
    fn id(&self) -> &'static str {
        self.id
    }

    fn costs(&self) -> Vec<Cost> {
        let cost = |kind: &&DialogueKind| (kind.name.to_owned(), kind.packets());
        self.kinds.iter().map(cost).collect()
    }

    fn is_able(&self, plan: &FarEndPlan) -> bool {
        let has_key = plan.keys.control.is_some();
        self.kinds
            .iter()
            .any(|kind| has_key || kind.security == Security::Any)
    }

    fn asks(&self, seen: &Seen) -> Vec<Ask> {
        let ask = |kind: &&'static DialogueKind| ask(seen, kind);
        self.kinds.iter().filter_map(ask).collect()
    }

    fn judge(&self, seen: &Seen) -> Judged {
        (self.judge)(seen)
    }
}

/// To have a dialogue, where all that it depends on is known.
fn ask(seen: &Seen, kind: &'static DialogueKind) -> Option<Ask> {
    let (server, greeting) = greeting(seen)?;
    let offered = Modes::from_bits(greeting.modes.get());
    let mode = kind.mode(offered, seen.plan.keys.control.is_some())?;
    if mode != SecurityMode::Unauthenticated && !may_login(seen, kind) {
        return None;
    }
    let adapted = if kind.name == dialogue::SESSION.name {
        first_adapted(seen)
    } else {
        adapted(seen, kind)?
    };
    Some(Ask::Dialogue(DialogueAsk {
        server,
        kind,
        mode,
        adapted,
    }))
}

/// The dialogue that is the first to use the user's key; `None`: none does.
fn first_login(seen: &Seen) -> Option<&'static DialogueKind> {
    let (_, greeting) = greeting(seen)?;
    seen.plan.keys.control.as_ref()?;
    if needs_key(seen) {
        return Some(&dialogue::SESSION);
    }
    let offered = Modes::from_bits(greeting.modes.get());
    let secured = [
        &dialogue::MIXED,
        &dialogue::AUTHENTICATED,
        &dialogue::ENCRYPTED,
    ];
    let mut secured = secured.into_iter();
    secured.find(|kind| kind.mode(offered, true).is_some())
}

/// The server lets this host in with the user's key; `None`: that was not tried yet.
fn is_key_taken(seen: &Seen) -> Option<bool> {
    let first = seen.dialogue(first_login(seen)?)?;
    let is_before_sessions = first_session(first).is_none_or(|session| session.answer.is_none());
    Some(!(is_before_sessions && is_login_failed(&first.seen.end)))
}

/// Logins that fail may lock this host out: where the key is not taken, one with a made-up key is enough to compare.
fn may_login(seen: &Seen, kind: &'static DialogueKind) -> bool {
    if first_login(seen).is_some_and(|first| first.name == kind.name) {
        return true;
    }
    match is_key_taken(seen) {
        None => false,
        Some(true) => true,
        Some(false) => kind.key == KeyUse::UnknownName,
    }
}

/// What the first dialogues say of further ones; `None`: they are not had, or not yet.
fn adapted(seen: &Seen, kind: &'static DialogueKind) -> Option<Adapted> {
    let first = seen.dialogue(&dialogue::SESSION)?;
    if kind.name == dialogue::AGAIN.name {
        let is_late = start::answered_after(first).is_some_and(|after| after.unanswered > 0);
        return is_late.then(|| first_adapted(seen));
    }
    // An answer, even a refusal.
    let session = first.seen.sessions.first();
    let Some(answer) = session.and_then(|session| session.answer) else {
        let is_about_key = kind.security != Security::Any && is_login_failed(&first.seen.end);
        return is_about_key.then(|| first_adapted(seen));
    };
    let mut adapted = first_adapted(seen);
    if answer.is_ok() && answered(first, 0).1 == 0 {
        adapted.patience = round_trip(seen).map_or(adapted.patience, patience::short);
    }
    if let Some(after) = start::answered_after(first)
        && after.unanswered > 0
    {
        let again = start::answered_after(seen.dialogue(&dialogue::AGAIN)?);
        adapted.start_delay = start::later(&after, again.as_ref()) + start::MARGIN;
    }
    let explains = [&dialogue::ZERO_ADDRESSES, &dialogue::ANY_PORT];
    if answer.is_err() && !explains.iter().any(|other| other.name == kind.name) {
        adapted.zero_addresses = is_accepted(seen.dialogue(&dialogue::ZERO_ADDRESSES)?);
        adapted.no_wished_port = is_accepted(seen.dialogue(&dialogue::ANY_PORT)?);
        if !adapted.zero_addresses && !adapted.no_wished_port {
            return None;
        }
        adapted.no_wished_port &= !adapted.zero_addresses;
    }
    Some(adapted)
}

/// What the server's connection says of dialogues: on a long way replies take longer.
fn first_adapted(seen: &Seen) -> Adapted {
    let adapted = Adapted::default();
    Adapted {
        patience: round_trip(seen).map_or(adapted.patience, patience::usual),
        ..adapted
    }
}

/// What the connection to the server took: one round trip.
fn round_trip(seen: &Seen) -> Option<Duration> {
    Some(seen.connection(server(seen)?)?.took)
}

/// The server did not let this host in: another mode or key may tell why.
fn is_login_failed(end: &DialogueEnd) -> bool {
    let DialogueEnd::Failed(error) = end else {
        return matches!(end, DialogueEnd::Refused(_));
    };
    matches!(
        error,
        ClientError::EndedBefore(_) | ClientError::Count { .. } | ClientError::Forged
    )
}

/// The server that greets.
pub(crate) fn server(seen: &Seen) -> Option<SocketAddr> {
    greeting(seen).map(|(server, _)| server)
}

/// It offers secured modes alone.
pub(crate) fn needs_key(seen: &Seen) -> bool {
    greeting(seen).is_some_and(|(_, greeting)| {
        let offered = Modes::from_bits(greeting.modes.get());
        !offered.contains(Modes::UNAUTHENTICATED) && !offered.and(Modes::SECURED).is_empty()
    })
}

/// UDP ports of sessions.
pub(crate) struct SessionPorts {
    /// Those that the server chose.
    pub(crate) chosen: Vec<u16>,
    /// It gives the wished ones.
    pub(crate) as_wished: bool,
}

/// The ports of the sessions so far that had this mode; `None`: of all. A server may give ports by mode or key.
pub(crate) fn ports(seen: &Seen, mode: Option<SecurityMode>) -> SessionPorts {
    let mut ports = SessionPorts {
        chosen: Vec::new(),
        as_wished: false,
    };
    let of_mode = seen
        .dialogues()
        .filter(|dialogue| mode.is_none() || dialogue.seen.modes.security() == mode);
    for session in of_mode.flat_map(|dialogue| &dialogue.seen.sessions) {
        if let Some(Ok(accepted)) = session.answer {
            let wished = session.plan.receiver_port;
            if accepted.port == wished {
                ports.as_wished = true;
            } else if wished != 0 {
                ports.chosen.push(accepted.port);
            }
        }
    }
    // A server that chooses for once still takes wishes.
    if !ports.chosen.is_empty() {
        ports.as_wished = false;
    }
    ports
}

/// The controller's options that this server needs, each after a space.
pub(crate) fn options(seen: &Seen) -> String {
    let mut options: Vec<String> = Vec::new();
    if is_first_refused(seen) {
        let accepts = |kind| seen.dialogue(kind).filter(|dialogue| is_accepted(dialogue));
        if accepts(&dialogue::ZERO_ADDRESSES).is_some() {
            options.push(" --nat".to_owned());
        } else if let Some(port) = accepts(&dialogue::ANY_PORT).and_then(session::given_port) {
            options.push(format!(" --receiver-port {port}"));
        }
    }
    if let Some(delay) = start::advised_delay(seen) {
        options.push(format!(" --start-delay {}", delay.as_secs_f64()));
    }
    options.concat()
}

/// The first session was asked for and not accepted.
fn is_first_refused(seen: &Seen) -> bool {
    let first = seen.dialogue(&dialogue::SESSION);
    first.is_some_and(|first| !is_accepted(first))
}

/// Its session was accepted.
fn is_accepted(dialogue: &Dialogue) -> bool {
    let first = dialogue.seen.sessions.first();
    first.is_some_and(|session| matches!(session.answer, Some(Ok(_))))
}

/// Packets of a session that were sent, and how many were answered.
fn answered(dialogue: &Dialogue, index: usize) -> (usize, usize) {
    let Some(Some(train)) = dialogue.open.get(index) else {
        return (0, 0);
    };
    let exchange = crate::doctor::Exchange::of_session(([0, 0, 0, 0], 0).into(), train);
    let answered = (0..train.requests.len())
        .filter(|place| exchange.replies_to(*place).next().is_some())
        .count();
    (train.requests.len(), answered)
}

/// Some session is reflected: a controller can measure, and one that is not says something of itself.
pub(crate) fn reflects(seen: &Seen) -> bool {
    seen.dialogues().any(|dialogue| answered(dialogue, 0).1 > 0)
}

/// To have the dialogue of a load: a session like the first that is reflected; `None`: none is.
pub(crate) fn loaded(seen: &Seen) -> Option<DialogueAsk> {
    let mode = reflected_mode(seen)?;
    let Ask::Dialogue(like) = ask(seen, &dialogue::LOADED)? else {
        return None;
    };
    Some(DialogueAsk { mode, ..like })
}

/// The mode of the first session that is reflected.
pub(crate) fn reflected_mode(seen: &Seen) -> Option<SecurityMode> {
    let mut reflected = seen
        .dialogues()
        .filter(|dialogue| answered(dialogue, 0).1 > 0);
    reflected.next()?.seen.modes.security()
}

/// What is said of an accepted session without replies, where that does not tell anything of it; `None`: other
/// sessions are reflected without losses.
fn silence_of_others(seen: &Seen, what: &str) -> Option<Judged> {
    if !reflects(seen) {
        // The same for all of them: one row.
        return Some(Judged::unknown(
            "the session is accepted, and packets of no session are answered",
        ));
    }
    loses(seen).then(|| {
        Judged::unknown(format!(
            "{what} is accepted and not answered, and packets of other sessions are lost too"
        ))
    })
}

/// Packets of a session are answered in part: silence of another says nothing of it.
fn loses(seen: &Seen) -> bool {
    seen.dialogues().any(|dialogue| {
        let (sent, came) = answered(dialogue, 0);
        came > 0 && came < sent
    })
}

/// The first session of a dialogue that got so far.
fn first_session(dialogue: &Dialogue) -> Option<&SessionSeen> {
    dialogue.seen.sessions.first()
}

/// A refusal, in words.
fn refused(status: Status, what: &str, refused: Refusal) -> Judged {
    Judged::new(
        status,
        format!("the server refuses {what}: Accept {refused}"),
    )
    .advise(refusal::advice(refused, Advice::AsRefused))
    .with("accept", refused.octet)
    .of_answers()
}

/// A refusal that is not about `what` was asked for; `None`: it may be.
fn refused_otherwise(seen: &Seen, refusal: Refusal) -> Option<Judged> {
    let first = seen.dialogue(&dialogue::SESSION)?;
    let answer = first_session(first)?.answer?;
    if let Err(of_first) = answer {
        return (of_first.octet == refusal.octet)
            .then(|| Judged::skipped("refused as the first session is"));
    }
    let is_alike = |session: &SessionSeen| {
        let refused = session.answer.and_then(Result::err);
        refused.is_some_and(|other| other.octet == refusal.octet)
    };
    let of_dialogue = |dialogue: &&Dialogue| first_session(dialogue).is_some_and(is_alike);
    let is_full = match refusal.accept() {
        Accept::TemporaryLimit => true,
        // A limit of one request is another matter.
        Accept::PermanentLimit => seen.dialogues().filter(of_dialogue).count() >= SEVERAL,
        Accept::Ok | Accept::Failure | Accept::InternalError | Accept::NotSupported => false,
    };
    is_full.then(|| {
        Judged::unknown(format!(
            "the server takes no further session: Accept {refusal}"
        ))
        .advise("it takes few sessions at once, and ended ones may count until their timeout: see its limits, and try again in some seconds")
        .with("accept", refusal.octet)
        .of_answers()
    })
}

/// Why a dialogue went no further than it did, apart from refusals of sessions; `None`: it went to its end.
fn broken(status: Status, what: &str, end: &DialogueEnd) -> Option<Judged> {
    let judged = |finding: String| Judged::new(status, finding);
    Some(match end {
        DialogueEnd::Done(_) => return None,
        DialogueEnd::Refused(refusal) => refused(status, what, *refusal),
        DialogueEnd::NotConnected(connection) => {
            let how = match connection {
                Connection::Refused => "is refused".to_owned(),
                Connection::Rejected { .. } => "is rejected by an ICMP error".to_owned(),
                Connection::Silent | Connection::Open(_) => "is not answered".to_owned(),
                Connection::Failed(kind) => format!("fails: {kind}"),
            };
            Judged::unknown(format!(
                "a further connection to the server, for {what}, {how}"
            ))
            .advise("see how many connections the server allows for each client")
        }
        DialogueEnd::Mute => judged(format!(
            "a further connection, for {what}, gets no greeting"
        ))
        .advise("see how many connections the server allows for each client"),
        DialogueEnd::NotTwamp(said) => judged(format!(
            "a further connection, for {what}, gets \"{said}\" in place of a greeting"
        ))
        .advise("see what listens on that port"),
        DialogueEnd::Here(why) => {
            Judged::unknown(format!("this host cannot ask for {what}: {why}"))
        }
        DialogueEnd::Failed(error) => failed(status, what, error),
        DialogueEnd::Ended => {
            judged(format!("the server ends the connection during {what}")).advise("see its log")
        }
        // The same for all of them: one row.
        DialogueEnd::CutShort => {
            Judged::unknown("no time was left: dialogues with this server take long")
        }
    })
}

fn failed(status: Status, what: &str, error: &ClientError) -> Judged {
    let judged = Judged::new(status, format!("{what} fails: {error}"));
    match error.remedy() {
        Some(remedy) => judged.advise(remedy),
        None => judged.advise("see the server's log"),
    }
}

/// Why there was no dialogue.
fn not_had(seen: &Seen) -> Judged {
    let Some((_, greeting)) = greeting(seen) else {
        return Judged::skipped("no TWAMP server");
    };
    let offered = Modes::from_bits(greeting.modes.get());
    let has_key = seen.plan.keys.control.is_some();
    if needs_key(seen) && !has_key {
        return Judged::unknown(format!(
            "no session without a key: the server offers {offered}"
        ))
        .advise("give the key: --keys FILE");
    }
    if is_open(seen) {
        return Judged::not_made();
    }
    Judged::skipped("no session was agreed on")
}

/// Dialogues that others depend on were not had to their end.
fn is_open(seen: &Seen) -> bool {
    let first = [
        &dialogue::SESSION,
        &dialogue::AGAIN,
        &dialogue::ZERO_ADDRESSES,
        &dialogue::ANY_PORT,
    ];
    let mut first = first.into_iter().chain(first_login(seen));
    first.any(|kind| ask(seen, kind).is_some_and(|ask| !seen.has(&ask)))
}
