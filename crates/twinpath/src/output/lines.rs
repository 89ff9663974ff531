//! A line for each packet, like ping (`-v`).

use std::io::{self, Write};

use twinpath_wire::{Exclusion, Fate, Sample};

use super::names::{SessionName, plain};
use super::units::Unit;

/// Writes `seq=12 rtt=1.204ms fwd=0.610ms bck=0.594ms ttl=60/61`, and the fate if it is not
/// "received". With several sessions, `session=2` comes first, and with several targets or paths
/// their names.
///
/// # Errors
/// Errors of writing to `out`.
pub(crate) fn write(
    session: Option<&SessionName>,
    sample: &Sample,
    out: &mut impl Write,
) -> io::Result<()> {
    if let Some(session) = session {
        write!(out, "session={} ", session.number)?;
        if let Some(target) = &session.target {
            write!(
                out,
                "target={} class={} ",
                plain(&target.name),
                session.class
            )?;
            if let Some(path) = target.path {
                write!(out, "path={path} ")?;
            }
        }
    }
    write!(out, "seq={}", sample.seq)?;
    if sample.fate != Fate::Received {
        write!(out, " {}", sample.fate.name())?;
    }
    // The round trip decides, as in the table.
    let unit = sample.round_trip().map_or(Unit::Milliseconds, |delay| {
        Unit::fit(delay.ns().unsigned_abs())
    });
    for (name, delay) in [
        ("rtt", sample.round_trip()),
        ("fwd", sample.forward()),
        ("bck", sample.backward()),
    ] {
        if let Some(delay) = delay {
            write!(out, " {name}={}", unit.delay(delay.ns()))?;
        }
    }
    if sample.t4.is_some() {
        let ttl = |ttl: Option<u8>| ttl.map_or_else(|| "-".to_owned(), |ttl| ttl.to_string());
        write!(
            out,
            " ttl={}/{}",
            ttl(sample.ttl_forward),
            ttl(sample.ttl_backward)
        )?;
    }
    match sample.excluded {
        None => {}
        Some(Exclusion::ClockStep) => write!(out, " excluded=clock-step")?,
        Some(Exclusion::Implausible) => write!(out, " excluded=implausible")?,
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::fixtures;

    #[test]
    fn a_line_under_a_millisecond_is_in_microseconds() {
        let mut sample = fixtures::samples()[0];
        let t3 = sample.t3.unwrap().unix_ns();
        sample.t4.as_mut().unwrap().at = twinpath_wire::Wall::from_unix_ns(t3 + 94_040);
        let mut out = Vec::new();
        write(Some(&SessionName::new(2, "ef")), &sample, &mut out).unwrap();
        let line = String::from_utf8(out).unwrap();
        assert_eq!(
            line,
            "session=2 seq=12 rtt=704.0us fwd=610.0us bck=94.0us ttl=60/61\n"
        );
    }

    #[test]
    fn a_line_of_ten_seconds_is_in_the_unit_of_the_table() {
        let mut sample = fixtures::samples()[0];
        let t3 = sample.t3.unwrap().unix_ns();
        sample.t4.as_mut().unwrap().at = twinpath_wire::Wall::from_unix_ns(t3 + 12_000_000_000);
        sample.fate = Fate::Late;
        let mut out = Vec::new();
        write(None, &sample, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "seq=12 late rtt=12.000610s fwd=0.000610s bck=12.000000s ttl=60/61\n"
        );
    }

    #[test]
    fn every_fate_has_its_line() {
        let mut out = Vec::new();
        for sample in fixtures::samples() {
            write(None, &sample, &mut out).unwrap();
        }
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
    }
}
