//! A line for each packet, as ping has it (`-v`).

use std::io::{self, Write};

use twinpath_wire::{Delta, Exclusion, Fate, Sample};

/// Writes `seq=12 rtt=1.204ms fwd=0.610ms bck=0.594ms ttl=60/61`, and the fate where it is not
/// "received".
///
/// # Errors
/// Those of `out`.
pub(crate) fn write(sample: &Sample, out: &mut impl Write) -> io::Result<()> {
    write!(out, "seq={}", sample.seq)?;
    if sample.fate != Fate::Received {
        write!(out, " {}", sample.fate.name())?;
    }
    for (name, delay) in [
        ("rtt", sample.round_trip()),
        ("fwd", sample.forward()),
        ("bck", sample.backward()),
    ] {
        if let Some(delay) = delay {
            write!(out, " {name}={}", milliseconds(delay))?;
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

fn milliseconds(delay: Delta) -> String {
    super::units::Unit::Milliseconds.delay(delay.ns())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::fixtures;

    #[test]
    fn every_fate_has_its_line() {
        let mut out = Vec::new();
        for sample in fixtures::samples() {
            write(&sample, &mut out).unwrap();
        }
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
    }
}
