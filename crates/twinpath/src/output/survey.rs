//! The capabilities of this host, as found by `twinpath selftest`.

use std::io::{self, Write};

use serde::Serialize;
use twinpath_runtime::host::HostSurvey;
use twinpath_wire::Rung;

use super::table::{clock, fact};
use super::words::host::buys;

/// For people.
///
/// # Errors
/// Errors of writing to `out`.
pub(crate) fn text(survey: &HostSurvey, out: &mut impl Write) -> io::Result<()> {
    if let Some(system) = &survey.system {
        fact(out, "Host", system)?;
    }
    fact(
        out,
        "Timestamps",
        &format!(
            "delivered over loopback: transmit {}, receive {}",
            names(&survey.transmit).join(" "),
            names(&survey.receive).join(" ")
        ),
    )?;
    fact(out, "Clock", &clock(survey.clock))?;
    let octets = survey.receive_buffer_octets;
    fact(
        out,
        "Receive buffer",
        &format!("{} KiB granted of 4096 requested", octets / 1024),
    )?;
    for &(capability, held) in &survey.privileges {
        let standing = if held { "held" } else { "missing; it allows" };
        let text = format!("{} {standing}: {}", capability.name(), buys(capability));
        fact(out, "Privilege", &text)?;
    }
    out.flush()
}

/// For machines.
#[derive(Serialize)]
pub(crate) struct Survey {
    system: Option<String>,
    transmit: Vec<&'static str>,
    receive: Vec<&'static str>,
    clock_synchronized: bool,
    clock_error_ns: Option<u64>,
    receive_buffer_octets: usize,
    privileges: Vec<Privilege>,
}

#[derive(Serialize)]
struct Privilege {
    name: &'static str,
    held: bool,
    buys: &'static str,
}

impl From<&HostSurvey> for Survey {
    fn from(survey: &HostSurvey) -> Self {
        Self {
            system: survey.system.clone(),
            transmit: names(&survey.transmit),
            receive: names(&survey.receive),
            clock_synchronized: survey.clock.synchronized,
            clock_error_ns: survey.clock.error_ns,
            receive_buffer_octets: survey.receive_buffer_octets,
            privileges: survey
                .privileges
                .iter()
                .map(|&(capability, held)| Privilege {
                    name: capability.name(),
                    held,
                    buys: buys(capability),
                })
                .collect(),
        }
    }
}

fn names(rungs: &[Rung]) -> Vec<&'static str> {
    rungs.iter().map(|rung| rung.name()).collect()
}

#[cfg(test)]
mod tests {
    use twinpath_report::ClockState;

    use super::*;

    #[test]
    fn a_survey_names_what_was_delivered() {
        let survey = HostSurvey {
            system: Some("Linux 6.12.0".into()),
            transmit: vec![Rung::Kernel, Rung::Queue, Rung::User],
            receive: vec![Rung::Kernel, Rung::User],
            clock: ClockState {
                synchronized: true,
                error_ns: Some(812_000),
            },
            privileges: Vec::new(),
            receive_buffer_octets: 425_984,
        };
        let mut out = Vec::new();
        text(&survey, &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
        let json = serde_json::to_value(Survey::from(&survey)).unwrap();
        assert_eq!(json["transmit"][1], "queue");
        assert_eq!(json["clock_error_ns"], 812_000);
    }
}
