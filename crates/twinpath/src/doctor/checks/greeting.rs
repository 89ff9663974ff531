//! What a Server offers in its greeting (RFC 4656 section 3.1, RFC 5357 section 3.1).

use std::net::SocketAddr;

use twinpath_runtime::probe::Connection;
use twinpath_wire::control::{Modes, ServerGreeting};

use super::tcp::{OfPort, TWAMP, best, is_greeting};
use crate::args::{CUSTOMARY_PBKDF2_COUNT, MOST_PBKDF2_COUNT};
use crate::doctor::{Judged, Seen};

/// The least Count of RFC 4656.
const LEAST_COUNT: u32 = 1_024;

/// Its modes.
pub(super) static OFFERED: OfPort = OfPort {
    id: "control.modes",
    port: TWAMP,
    judge: offered,
};

fn offered(seen: &Seen) -> Judged {
    let Some((far, greeting)) = greeting(seen) else {
        return Judged::skipped("no TWAMP server");
    };
    let modes = Modes::from_bits(greeting.modes.get());
    let data = |judged: Judged| judged.with("modes", modes.bits());
    if modes.is_empty() {
        return data(
            Judged::fail(format!("{far} offers no mode: it does not serve this host"))
                .advise("allow this host in the server's list of clients"),
        );
    }
    if modes.and(Modes::SECURITY).is_empty() {
        return data(
            Judged::fail(format!(
                "{far} offers features and no security mode: {modes}"
            ))
            .advise("no session can be agreed on: report it to the vendor"),
        );
    }
    let unknown = modes.bits() & !(Modes::SECURITY.bits() | Modes::FEATURES.bits());
    let judged = if unknown == 0 {
        Judged::ok(format!("the server offers: {modes}"))
    } else {
        Judged::warn(format!("the server offers: {modes}"))
            .advise("twinpath does not choose them; report it to the vendor")
    };
    data(judged)
}

/// Its Count, and what must be random or zero.
pub(super) static FORM: OfPort = OfPort {
    id: "control.greeting",
    port: TWAMP,
    judge: form,
};

fn form(seen: &Seen) -> Judged {
    let Some((_, greeting)) = greeting(seen) else {
        return Judged::skipped("no TWAMP server");
    };
    let modes = Modes::from_bits(greeting.modes.get());
    let count = greeting.count.get();
    let data = |judged: Judged| judged.with("count", count);
    if modes.is_empty() {
        // Nothing else of it has a meaning (RFC 4656 section 3.1).
        return data(Judged::skipped("the server offers no mode"));
    }
    let is_secured = !modes.and(Modes::SECURED).is_empty();
    if is_secured && greeting.challenge == [0; 16] {
        return data(
            Judged::fail("the Challenge of the greeting is zero: who recorded a login can repeat it")
                .advise("do not use the secured modes of this server; report it to the vendor (RFC 4656 section 3.1)"),
        );
    }
    if !is_secured && count < LEAST_COUNT {
        return data(
            Judged::warn(format!(
                "the Count of the greeting is {count}: RFC 4656 wants {LEAST_COUNT} at least"
            ))
            .advise(
                "no mode that is offered uses it: measure as usual, and report it to the vendor",
            ),
        );
    }
    if is_secured && (count < LEAST_COUNT || !count.is_power_of_two()) {
        return data(
            Judged::warn(format!("the Count of the greeting is {count}: RFC 4656 wants a power of 2 from {LEAST_COUNT} on"))
                .advise("passphrases are easier to guess; report it to the vendor"),
        );
    }
    if is_secured && count > MOST_PBKDF2_COUNT {
        return data(
            Judged::warn(format!(
                "the Count of the greeting is {count}: a controller accepts {MOST_PBKDF2_COUNT} at most"
            ))
            .advise("lower the Count of the server"),
        );
    }
    if is_secured && count > accepted(seen) {
        return data(
            Judged::warn(format!(
                "the Count of the greeting is {count}: a controller accepts {CUSTOMARY_PBKDF2_COUNT} by default"
            ))
            .advise(format!(
                "give the controller --max-pbkdf2-count {count}, or lower the Count of the server"
            )),
        );
    }
    data(Judged::ok("the greeting is as RFC 4656 has it"))
}

/// The Count that is accepted.
#[cfg(feature = "control")]
fn accepted(seen: &Seen) -> u32 {
    seen.plan.keys.most_pbkdf2_count.max(CUSTOMARY_PBKDF2_COUNT)
}

#[cfg(not(feature = "control"))]
const fn accepted(_: &Seen) -> u32 {
    CUSTOMARY_PBKDF2_COUNT
}

/// Where a TWAMP server greets.
pub(crate) fn control_server(seen: &Seen) -> Option<SocketAddr> {
    greeting(seen).map(|(far, _)| far)
}

/// A TWAMP server greets.
pub(super) fn greets(seen: &Seen) -> bool {
    greeting(seen).is_some()
}

/// The server that greets, and its greeting.
pub(super) fn greeting(seen: &Seen) -> Option<(SocketAddr, &ServerGreeting)> {
    let (far, connection) = best(seen, TWAMP)?;
    let Connection::Open(said) = connection else {
        return None;
    };
    let greeting = ServerGreeting::view(said.get(..ServerGreeting::OCTETS)?).ok()?;
    is_greeting(said).then_some((far, greeting))
}
