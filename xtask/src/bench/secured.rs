//! What the secured modes cost a reflector: the highest rate of an agreed session, beside that of an
//! open one of the same server, in the same run, with packets of the same size.

use anyhow::{Result, bail};
use twinpath_wire::control::SecurityMode;

use super::reflection::{TRIAL_MS, highest_rate, trial_at};
use super::{Bench, Found};
use crate::outcome::{Bar, Row, Unit};
use crate::process::Place;
use crate::role::Role;
use crate::session::{KEY_ID, PASSPHRASE};

/// As long as their replies in every mode.
const OCTETS: usize = 112;

pub(super) fn measure(bench: &Bench) -> Result<Found> {
    if bench.cores < 2 {
        bail!("the generator and the reflector need a core each");
    }
    let Some(tool) = &bench.tool else {
        bail!("the secured modes have no limit without twinpath")
    };
    let keys = bench.scratch.secret(&format!("{KEY_ID} {PASSPHRASE}\n"))?;
    let row = |mode: SecurityMode, bar| {
        let name = format!("{}, {OCTETS} octets: highest rate", mode.name());
        let cost = format!("{}: processor time for a reply", mode.name());
        (
            Row::new(name, Unit::PacketsPerSecond, bar),
            Row::new(cost, Unit::Nanoseconds, Bar::Open),
        )
    };
    let mut modes = [
        (
            SecurityMode::Authenticated,
            row(SecurityMode::Authenticated, Bar::AtLeastTimes(0.4)),
        ),
        (
            SecurityMode::Encrypted,
            row(SecurityMode::Encrypted, Bar::AtLeastTimes(0.4)),
        ),
    ];
    let far = bench.reflector_v4();
    let place = Place::at(&bench.link.reflector).on_core(1);
    for run in 1..=bench.runs {
        let line = format!(
            "server {far} --mode unauthenticated,authenticated,encrypted --keys {} {}",
            keys.display(),
            bench.responder_options
        );
        let server = tool.listen(&bench.scratch, place, &line)?;
        let rate = |mode: SecurityMode| {
            highest_rate(bench, &server, &|pps| {
                Role::SessionFlood(far, mode.name().to_owned(), trial_at(pps, OCTETS))
            })
        };
        let open = rate(SecurityMode::Unauthenticated)?;
        for (mode, (highest, cost)) in &mut modes {
            let secured = rate(*mode)?;
            highest.twinpath.push(secured.0);
            cost.twinpath.push(secured.1);
            highest.limit.push(open.0);
            cost.limit.push(open.1);
        }
        eprintln!("secured: run {run} of {}", bench.runs);
    }
    let notes = vec![format!(
        "one packet again and again, which the reflector opens, answers and seals each time; highest \
         rate with under 0.1 % lost in a trial of {TRIAL_MS} ms, generator on core 0, server on core 1"
    )];
    let rows = modes.into_iter().flat_map(|(_, (rate, cost))| [rate, cost]);
    Ok((rows.collect(), notes))
}
