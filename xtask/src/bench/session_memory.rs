//! Resident memory of many measured sessions in one process, without a network.

use std::time::Duration;

use anyhow::Result;

use super::{Bench, Found};
use crate::measured::Kept;
use crate::measured::KeptSeries::{Figures, Records};
use crate::outcome::{Bar, Row, Unit};
use crate::process::{Place, Process};
use crate::role::Role;

/// Packets that each session sends: one a second for a minute.
const PACKETS: u64 = 60;
/// A session may take this many octets in all.
const MOST: f64 = 5_000.0;

pub(super) fn measure(bench: &Bench) -> Result<Found> {
    let kept = |series, sender| Kept { series, sender };
    let cases = [
        ("records", kept(Some(Records), false), Bar::Open),
        ("figures", kept(Some(Figures), false), Bar::Open),
        ("sender's engine", kept(None, true), Bar::Open),
        (
            "a session in all",
            kept(Some(Records), true),
            Bar::AtMost(MOST),
        ),
    ];
    let mut rows = Vec::new();
    for (name, kept, bar) in cases {
        let mut row = Row::new(
            format!("{name}, {PACKETS} packets"),
            Unit::SessionOctets,
            bar,
        );
        for _ in 0..bench.runs {
            let role = Role::Hold {
                sessions: bench.sessions,
                packets: PACKETS,
                kept,
            };
            let process = Process::role(&bench.scratch, Place::default(), &role)?;
            let ended = process.succeed(Duration::from_mins(10))?;
            row.twinpath.push(serde_json::from_str(&ended.stdout)?);
        }
        rows.push(row);
    }
    let remark = format!(
        "each figure is the resident memory of {} sessions, divided",
        bench.sessions
    );
    Ok((rows, vec![remark]))
}
