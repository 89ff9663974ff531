//! TWAMP-Control servers (RFC 4656 section 3, RFC 5357 section 3, RFC 5938, RFC 6038).

mod individual;
mod limits;
pub(super) mod messages;
mod opening;
#[cfg(feature = "control")]
mod packets;
mod requests;
#[cfg(feature = "control")]
mod secured;
mod sessions;

use twinpath_wire::control::{AcceptSession, StartAck};

use super::steps::{Step, Transcript, named};
use super::{Outcome, Status};

pub(super) use individual::PART as INDIVIDUAL;
pub(super) use opening::PART as SET_UP;
#[cfg(feature = "control")]
pub(super) use packets::{
    AUTHENTICATED_HMACS, AUTHENTICATED_PACKETS, ENCRYPTED_HMACS, ENCRYPTED_PACKETS, OPEN_PACKETS,
    OTHER_PACKETS,
};
pub(super) use requests::PART as REQUESTS;
#[cfg(feature = "control")]
pub(super) use secured::{AUTHENTICATED, ENCRYPTED, MIXED};
pub(super) use sessions::PART as SESSIONS;

/// Octets of an Accept-Session, and of a Start-Ack.
const ACCEPT_SESSION: usize = AcceptSession::OCTETS;
const START_ACK: usize = StartAck::OCTETS;

/// The largest Accept that is defined (RFC 4656 section 3.3).
const LARGEST_ACCEPT: u8 = 5;

/// The unauthenticated mode, where it is offered.
fn open(modes: u32) -> Option<Vec<u8>> {
    with_features(modes, 0)
}

/// The unauthenticated mode with these features, where they are offered.
fn with_features(modes: u32, features: u32) -> Option<Vec<u8>> {
    let wanted = 1 | features;
    (modes & wanted == wanted).then(|| messages::set_up(wanted))
}

/// An ordinary session is requested, answered and started.
const REQUEST: Step = Step::Write(messages::request);
const READ_SESSION: Step = Step::Read(ACCEPT_SESSION);
const START: Step = Step::Write(messages::start);
const READ_START: Step = Step::Read(START_ACK);
const STOP: Step = Step::Write(messages::stop);

/// The answer at this place is an Accept-Session that refuses as it must: without a port, with a value that is
/// defined. Where ordinary requests are refused too, only a value that must be is worth anything.
fn refused(seen: &Transcript, place: usize, must: Option<u8>) -> Outcome {
    let octets = seen.octets(place);
    let Some(accept) = seen.accept(place) else {
        return if seen.is_closed(place) {
            let status = must.map_or(Status::Unclear, |_| Status::Fail);
            Outcome::new(status, "the connection is closed without an answer")
        } else {
            Outcome::fail("no answer, and the connection stays open").by_silence()
        };
    };
    if octets.len() < ACCEPT_SESSION {
        return Outcome::fail(format!(
            "an answer of {} octets, and an Accept-Session has {ACCEPT_SESSION}",
            octets.len()
        ));
    }
    if accept == 0 {
        return Outcome::fail("accepted");
    }
    if accept > LARGEST_ACCEPT {
        return Outcome::fail(format!(
            "refused with Accept {accept}, which is not defined"
        ));
    }
    if let Some(must) = must
        && accept != must
    {
        return Outcome::fail(format!(
            "refused with Accept {}, not {}",
            named(accept),
            named(must)
        ));
    }
    if seen.port(place) != Some(0) {
        return Outcome::fail("refused, with a port that is not 0");
    }
    match seen.ordinary {
        Some(1..) if must.is_none() => {
            return Outcome::unclear("refused, and ordinary requests are refused too");
        }
        None if must.is_none() => {
            return Outcome::unclear("refused, and an ordinary request was not answered");
        }
        Some(_) | None => {}
    }
    Outcome::pass(format!("refused with Accept {}", named(accept)))
}

/// The answer at this place accepts, as it does with ordinary requests.
fn accepted(seen: &Transcript, place: usize) -> Outcome {
    match seen.accept(place) {
        Some(0) => Outcome::pass("accepted"),
        _ if seen.ordinary != Some(0) => {
            Outcome::unclear("ordinary requests are not accepted either")
        }
        Some(accept) => Outcome::fail(format!("refused with Accept {}", named(accept))),
        None if seen.is_closed(place) => Outcome::fail("the connection is closed"),
        None => Outcome::fail("no answer").by_silence(),
    }
}

/// The answer at this place, to an ordinary request, does not accept: nothing can be tried.
fn not_made(seen: &Transcript, place: usize) -> Option<Outcome> {
    let outcome = accepted(seen, place);
    (seen.accept(place) != Some(0)).then(|| {
        Outcome::unclear(format!(
            "an ordinary request was not accepted: {}",
            outcome.evidence
        ))
    })
}
