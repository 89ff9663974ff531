//! What it all comes to: one sentence, and the command that measures this far end.

use std::net::SocketAddr;

use serde::Serialize;
use twinpath_wire::{LIGHT_PORT, TWAMP_TEST_PORT};

use super::checks::elsewhere;
use super::{Checked, FarEndPlan, Seen, Status, Untold, stress};
use crate::failure::Exit;
use crate::output::units::count;

/// One sentence, and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) sentence: String,
    /// The command that measures this far end best; `None`: none is known to work.
    pub(crate) command: Option<String>,
    /// Others that measure it.
    pub(crate) further: Vec<String>,
    /// Ports that a firewall in between must let through.
    pub(crate) firewall: Firewall,
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

/// Ports of the far end that are used, each kind in order; replies come back from the UDP ports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Firewall {
    pub(crate) tcp: Vec<u16>,
    pub(crate) udp: Vec<u16>,
    /// Those of sessions are the ones that a controller asks for, if it asks for one.
    pub(crate) as_wished: bool,
}

impl Firewall {
    /// In one line; `None`: nothing answers.
    pub(crate) fn words(&self) -> Option<String> {
        let named = |name: &str, ports: &[u16]| {
            (!ports.is_empty()).then(|| {
                let word = if ports.len() == 1 { "port" } else { "ports" };
                format!("{name} {word} {}", ranges(ports))
            })
        };
        let wished = self.as_wished.then(|| {
            "the UDP port that the controller asks for (--receiver-port sets it)".to_owned()
        });
        let all = [named("TCP", &self.tcp), named("UDP", &self.udp), wished];
        let all: Vec<String> = all.into_iter().flatten().collect();
        (!all.is_empty()).then(|| all.join(", "))
    }
}

/// Ports in order, those that follow each other as a range.
fn ranges(ports: &[u16]) -> String {
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    for port in ports {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*port) => *last = *port,
            _ => ranges.push((*port, *port)),
        }
    }
    let words = ranges.into_iter().map(|(first, last)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    });
    words.collect::<Vec<_>>().join(", ")
}

/// What a far end speaks, and what follows from it.
#[derive(Default)]
struct Spoken {
    speaks: Vec<String>,
    /// The best first.
    commands: Vec<String>,
    firewall: Firewall,
}

fn spoken(seen: &Seen, checks: &[Checked]) -> Spoken {
    let to = |far: SocketAddr, port: &str, protocol: &str| {
        let (host, option) = as_named(&seen.plan, far);
        // Senders do not count replies from elsewhere, and one that answers no more counts losses alone.
        let is_measurable = elsewhere(seen, far).is_none() && !has_stopped(checks);
        is_measurable.then(|| format!("twinpath sender {host}{port}{protocol}{option}"))
    };
    let is_ok = |id: &str| {
        let found = checks.iter().find(|checked| checked.id == id);
        found.is_some_and(|checked| checked.judged.status == Status::Ok)
    };
    let Spoken {
        mut speaks,
        mut commands,
        mut firewall,
    } = Spoken::default();
    let (light, stamp) = (seen.light(), seen.stamp());
    // Without its Session Identifier it may be TWAMP Light that took the packet for its own.
    let answers_stamp = checks.iter().any(|checked| {
        // Where the examination ended early, other places were not waited for.
        let is_known = checked.judged.status == Status::Ok || checked.judged.untold == Untold::Cut;
        checked.id == "stamp.answers" && is_known
    });
    let stamp = stamp.filter(|exchange| answers_stamp && (exchange.has_ssid() || light.is_none()));
    let at = |default: u16, port: u16| {
        if port == default {
            String::new()
        } else {
            format!(":{port}")
        }
    };
    if let Some(stamp) = stamp {
        let port = stamp.far.port();
        speaks.push(format!("STAMP (UDP port {port})"));
        firewall.udp.push(port);
        commands.extend(to(stamp.far, &at(TWAMP_TEST_PORT, port), " --stamp"));
    }
    if let Some(far) = seen.authenticated().map(|exchange| exchange.far) {
        let port = far.port();
        speaks.push(format!("authenticated STAMP (UDP port {port})"));
        firewall.udp.push(port);
        let protocol = format!(" --stamp --authenticated{}", seen.plan.keys.stamp_option);
        commands.splice(0..0, to(far, &at(TWAMP_TEST_PORT, port), &protocol));
    }
    if let Some(light) = light {
        let port = light.far.port();
        speaks.push(format!("TWAMP Light (UDP port {port})"));
        firewall.udp.push(port);
        commands.extend(to(light.far, &at(LIGHT_PORT, port), ""));
    }
    if is_ok("control.connect") {
        speaks.push("TWAMP-Control".to_owned());
        match control(seen, &mut firewall) {
            Some((command, true)) => commands.insert(0, command),
            Some((command, false)) => commands.push(command),
            None => {}
        }
    }
    for ports in [&mut firewall.tcp, &mut firewall.udp] {
        ports.sort_unstable();
        ports.dedup();
    }
    Spoken {
        speaks,
        commands,
        firewall,
    }
}

/// The far end answered at first, and then nothing more.
fn has_stopped(checks: &[Checked]) -> bool {
    let mut all = checks.iter();
    all.any(|checked| checked.judged.data.get("stopped") == Some(&true.into()))
}

pub(crate) fn verdict(seen: &Seen, checks: &[Checked]) -> Verdict {
    let name = &seen.plan.name;
    let Spoken {
        speaks,
        commands,
        firewall,
    } = spoken(seen, checks);
    let mut commands = commands.into_iter();
    let with = |status: Status| {
        let of = checks
            .iter()
            .filter(|checked| checked.judged.status == status)
            .filter(|checked| checked.judged.untold == Untold::Unclear);
        of.count() as u64
    };
    let is_cut = |checked: &&Checked| checked.judged.untold == Untold::Cut;
    let not_made = checks.iter().filter(is_cut).count() as u64;
    let Some((last, others)) = speaks.split_last() else {
        return unanswered(name, not_made, firewall);
    };
    let speaks = if others.is_empty() {
        last.clone()
    } else {
        format!("{} and {last}", others.join(", "))
    };
    let all = checks;
    let checks = |number: u64| count(number, "check", "checks");
    let unknown = with(Status::Unknown);
    let (rest, exit) = match (with(Status::Fail), with(Status::Warn)) {
        (0, 0) if unknown + not_made == 0 => {
            ("and nothing is wrong with it".to_owned(), Exit::Done)
        }
        (0, 0) if wants_key(seen) => (
            "whose sessions need a key (--keys FILE)".to_owned(),
            Exit::Done,
        ),
        (0, 0) => ("and nothing wrong was found".to_owned(), Exit::Done),
        (0, warned) => (
            format!("with {}", count(warned, "warning", "warnings")),
            Exit::Done,
        ),
        _ if has_stopped(all) => (
            "and stopped answering during the examination".to_owned(),
            Exit::AllLost,
        ),
        (failed, _) => (format!("and {} failed", checks(failed)), Exit::AllLost),
    };
    let untold = match unknown {
        0 => String::new(),
        unknown => format!("; {} could not tell", checks(unknown)),
    };
    let is_stress = |checked: &Checked| checked.id == stress::ID;
    let early = if not_made == 0 {
        String::new()
    } else if all.iter().filter(is_cut).all(is_stress) {
        "; the examination ended early, during the load of --stress".to_owned()
    } else {
        let were = if not_made == 1 { "was" } else { "were" };
        format!(
            "; the examination ended early, and {} {were} not made",
            checks(not_made)
        )
    };
    Verdict {
        sentence: format!("{name} speaks {speaks}, {rest}{untold}{early}"),
        command: commands.next(),
        further: commands.collect(),
        firewall,
        exit,
    }
}

/// Of a far end that answers neither.
fn unanswered(name: &str, not_made: u64, firewall: Firewall) -> Verdict {
    let sentence = if not_made == 0 {
        format!("{name} answers neither TWAMP nor STAMP")
    } else {
        format!(
            "it is not known whether {name} answers TWAMP or STAMP: the examination ended early"
        )
    };
    Verdict {
        sentence,
        command: None,
        further: Vec::new(),
        firewall,
        exit: Exit::CouldNot,
    }
}

/// The server has sessions with a key alone, and none was given.
#[cfg(feature = "control")]
fn wants_key(seen: &Seen) -> bool {
    seen.plan.keys.control.is_none() && super::checks::control::needs_key(seen)
}

#[cfg(not(feature = "control"))]
const fn wants_key(_: &Seen) -> bool {
    false
}

/// The command that measures by TWAMP-Control, and whether it is the best: the user gave a key for it, and it
/// works. `None`: no session works.
#[cfg(feature = "control")]
fn control(seen: &Seen, firewall: &mut Firewall) -> Option<(String, bool)> {
    use super::checks::control;
    use twinpath_wire::control::CONTROL_PORT;

    let server = control::server(seen);
    let port = server.map_or(CONTROL_PORT, |far| far.port());
    let (host, family) = server.map_or_else(
        || (seen.plan.host.clone(), ""),
        |far| as_named(&seen.plan, far),
    );
    firewall.tcp.push(port);
    let keys = &seen.plan.keys;
    let secured = control::strongest(seen).filter(|_| keys.control.is_some());
    // Of the recommended mode; where none is, of all that were tried.
    let mode = secured.or_else(|| control::reflected_mode(seen));
    let ports = control::ports(seen, mode);
    firewall.udp.extend(ports.chosen);
    firewall.as_wished = ports.as_wished;
    if !control::reflects(seen) {
        return None;
    }
    let at = if port == CONTROL_PORT {
        String::new()
    } else {
        format!(":{port}")
    };
    let mode = match secured {
        Some(mode) => format!(" --mode {}{}", mode.name(), keys.control_options),
        None => String::new(),
    };
    let options = control::options(seen);
    let command = format!("twinpath controller {host}{at}{mode}{options}{family}");
    Some((command, secured.is_some()))
}

/// Without a controller in this build.
#[cfg(not(feature = "control"))]
fn control(_: &Seen, firewall: &mut Firewall) -> Option<(String, bool)> {
    firewall.tcp.push(TWAMP_TEST_PORT);
    None
}
