//! Resident memory of many measured sessions in one process, without a network.

use std::time::Duration;

use anyhow::Result;

use super::{Bench, Found};
use crate::measured::Kept;
use crate::outcome::{Bar, Row, Unit};
use crate::process::{Place, Process};
use crate::role::Role;

/// Packets that each session sends: one a second for a minute.
const PACKETS: u64 = 60;
/// A session may take this many octets in all.
const MOST: f64 = 13_000.0;

pub(super) fn measure(bench: &Bench) -> Result<Found> {
    let none = Kept {
        metrics: false,
        clocks: false,
        sender: false,
    };
    let all = Kept {
        metrics: true,
        clocks: true,
        sender: true,
    };
    let cases = [
        (
            "metrics",
            Kept {
                metrics: true,
                ..none
            },
            Bar::Open,
        ),
        (
            "clocks",
            Kept {
                clocks: true,
                ..none
            },
            Bar::Open,
        ),
        (
            "sender's engine",
            Kept {
                sender: true,
                ..none
            },
            Bar::Open,
        ),
        ("a session in all", all, Bar::AtMost(MOST)),
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
