//! Limits of connections and sessions, and how a server says that it has them (RFC 4656 sections 3.1, 3.3).

use twinpath_runtime::probe::{Connection, Crowd};
use twinpath_wire::control::ServerGreeting;

use super::ACCEPT_SESSION;
use crate::doctor::strict::Outcome;
use crate::doctor::strict::steps::{Transcript, named};

/// Connections that say nothing.
pub(super) const IDLE: usize = 20;
/// Requests on one connection.
pub(super) const MANY: usize = 20;

/// A server may limit connections: by Modes 0 in its greeting it says so. Those that it serves go on.
pub(super) fn beside_idle(seen: &Transcript) -> Outcome {
    match seen.accept(0) {
        Some(0) => {}
        Some(accept) => {
            return Outcome::unclear(format!(
                "beside idle connections a request is refused with Accept {}",
                named(accept)
            ));
        }
        None => {
            return Outcome::fail("beside idle connections a request is not answered").by_silence();
        }
    }
    let last = match &seen.crowd {
        Some(Crowd::Made(last)) => last,
        Some(Crowd::Limited { made, why }) => return limited(*made, why),
        Some(Crowd::Stopped) | None => {
            return Outcome::unclear("no further connection was tried");
        }
    };
    match ServerGreeting::view(&last.octets) {
        Ok(greeting) if greeting.modes.get() == 0 => {
            Outcome::pass("the last is greeted with Modes 0: a limit, and it is said")
        }
        Ok(_) => Outcome::pass("each is greeted, and the request is accepted"),
        Err(_) if last.is_closed => Outcome::unclear(
            "the last is closed without a greeting: a limit, for which RFC 4656 has Modes 0",
        ),
        Err(_) => Outcome::unclear(
            "the last gets no greeting: idle connections keep others out, and they are not told",
        )
        .by_silence(),
    }
}

/// Of a connection beside idle ones that was not made.
fn limited(made: usize, why: &Connection) -> Outcome {
    let number = made + 1;
    let limit = |how: &str| {
        Outcome::unclear(format!(
            "connection {number} of {IDLE} {how}: a limit, for which RFC 4656 has Modes 0"
        ))
    };
    match why {
        Connection::Refused => limit("is refused"),
        Connection::Rejected { .. } => limit("is rejected by an ICMP error"),
        Connection::Silent | Connection::Open(_) => limit("is not answered").by_silence(),
        Connection::Failed(kind) => {
            Outcome::unclear(format!("connection {number} of {IDLE} fails: {kind}"))
        }
    }
}

/// All requests are accepted, or a refusal names a limit.
pub(super) fn many_sessions(seen: &Transcript) -> Outcome {
    let octets = seen.octets(0);
    let accepts: Vec<u8> = octets
        .chunks(ACCEPT_SESSION)
        .filter_map(|answer| answer.first().copied())
        .collect();
    if octets.len() < MANY * ACCEPT_SESSION {
        return if seen.is_closed(0) {
            Outcome::unclear(format!(
                "the connection is closed after {} answers",
                accepts.len()
            ))
        } else {
            Outcome::fail(format!("{} of {MANY} requests are answered", accepts.len())).by_silence()
        };
    }
    match accepts.iter().find(|accept| **accept != 0) {
        None => Outcome::pass(format!("all {MANY} are accepted")),
        Some(accept @ (4 | 5)) => {
            let made = accepts.iter().take_while(|accept| **accept == 0).count();
            Outcome::pass(format!(
                "{made} are accepted, then Accept {}",
                named(*accept)
            ))
        }
        Some(accept) => Outcome::unclear(format!(
            "refused with Accept {}, and 4 or 5 name a limit",
            named(*accept)
        )),
    }
}
