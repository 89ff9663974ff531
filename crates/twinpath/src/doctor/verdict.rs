//! What it all comes to: one sentence, and the command that measures this far end.

use std::net::SocketAddr;

use twinpath_wire::{LIGHT_PORT, TWAMP_TEST_PORT};

use super::checks::elsewhere;
use super::{Checked, FarEndPlan, Seen, Status};
use crate::failure::Exit;

/// One sentence, and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) sentence: String,
    /// The command that measures this far end best; `None`: nothing answers.
    pub(crate) command: Option<String>,
    pub(crate) exit: Exit,
}

/// How a command line names this address of the far end: the host, and an option for its family.
fn as_named(plan: &FarEndPlan, far: SocketAddr) -> (String, &'static str) {
    let mut addresses = plan.addresses.iter().map(SocketAddr::ip);
    let first_of_family = plan
        .addresses
        .iter()
        .find(|address| address.is_ipv4() == far.is_ipv4());
    if addresses.next() == Some(far.ip()) {
        (plan.host.clone(), "")
    } else if first_of_family.map(SocketAddr::ip) == Some(far.ip()) {
        let option = if far.is_ipv4() { " -4" } else { " -6" };
        (plan.host.clone(), option)
    } else if far.is_ipv4() {
        (far.ip().to_string(), "")
    } else {
        (format!("[{}]", far.ip()), "")
    }
}

pub(crate) fn verdict(seen: &Seen, checks: &[Checked]) -> Verdict {
    let (name, host) = (&seen.plan.name, &seen.plan.host);
    let to = |far: SocketAddr, port: &str, protocol: &str| {
        let (host, option) = as_named(&seen.plan, far);
        // Senders do not count replies from elsewhere.
        let is_measurable = elsewhere(seen, far).is_none();
        is_measurable.then(|| format!("twinpath sender {host}{port}{protocol}{option}"))
    };
    let is_ok = |id: &str| {
        let found = checks.iter().find(|checked| checked.id == id);
        found.is_some_and(|checked| checked.judged.status == Status::Ok)
    };
    let mut speaks = Vec::new();
    let (light, stamp) = (seen.light(), seen.stamp());
    // Without its Session Identifier it may be TWAMP Light that took the packet for its own.
    let stamp =
        stamp.filter(|exchange| is_ok("stamp.answers") && (exchange.has_ssid() || light.is_none()));
    let at = |default: u16, port: u16| {
        if port == default {
            String::new()
        } else {
            format!(":{port}")
        }
    };
    let mut command = None;
    if let Some(stamp) = stamp {
        let port = stamp.far.port();
        speaks.push(format!("STAMP (UDP port {port})"));
        command = to(stamp.far, &at(TWAMP_TEST_PORT, port), " --stamp");
    }
    if let Some(light) = light {
        let port = light.far.port();
        speaks.push(format!("TWAMP Light (UDP port {port})"));
        command = command.or_else(|| to(light.far, &at(LIGHT_PORT, port), ""));
    }
    if is_ok("control.connect") {
        speaks.push("TWAMP-Control".to_owned());
        command = command.or_else(|| Some(format!("twinpath controller {host}")));
    }
    let failed = checks
        .iter()
        .filter(|checked| checked.judged.status == Status::Fail)
        .count();
    let warned = checks
        .iter()
        .filter(|checked| checked.judged.status == Status::Warn)
        .count();
    let Some((last, others)) = speaks.split_last() else {
        return Verdict {
            sentence: format!("{name} answers neither TWAMP nor STAMP"),
            command: None,
            exit: Exit::CouldNot,
        };
    };
    let speaks = if others.is_empty() {
        last.clone()
    } else {
        format!("{} and {last}", others.join(", "))
    };
    let (rest, exit) = match (failed, warned) {
        (0, 0) => ("and nothing is wrong with it".to_owned(), Exit::Done),
        (0, warned) => (
            format!(
                "with {}",
                crate::output::units::count(warned as u64, "warning", "warnings")
            ),
            Exit::Done,
        ),
        (failed, _) => (
            format!(
                "and {} failed",
                crate::output::units::count(failed as u64, "check", "checks")
            ),
            Exit::AllLost,
        ),
    };
    Verdict {
        sentence: format!("{name} speaks {speaks}, {rest}"),
        command,
        exit,
    }
}
