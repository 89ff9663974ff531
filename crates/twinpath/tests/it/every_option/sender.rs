//! `twinpath sender`.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::{Answers, FarEnd, Packet, acts, complete, each_row, file, free_port, json, judged};
use crate::program::{Done, Running, run, twinpath};

/// What a run came to.
pub(super) struct Seen {
    pub(super) done: Done,
    /// The document, or its last one; null where there is none.
    pub(super) json: Value,
    pub(super) directory: tempfile::TempDir,
    /// What the far end got.
    packets: Vec<Packet>,
    /// The same of a second run with the same arguments, where the row has one.
    again: Vec<Packet>,
    begun: SystemTime,
    /// How often the sender's thread gave the processor back, for each packet.
    sleeps: f64,
}

impl Seen {
    pub(super) fn session(&self) -> &Value {
        &self.json["sessions"][0]
    }

    pub(super) fn file(&self, name: &str) -> String {
        file(self.directory.path(), name)
    }

    pub(super) fn of(done: Done, directory: tempfile::TempDir) -> Self {
        Self {
            json: json(&done.stdout),
            done,
            directory,
            packets: Vec::new(),
            again: Vec::new(),
            begun: UNIX_EPOCH,
            sleeps: 0.0,
        }
    }

    fn all(&self, is: impl FnMut(&Packet) -> bool) -> bool {
        !self.packets.is_empty() && self.packets.iter().all(is)
    }
}

/// An option that is given, and what is seen then.
struct Row {
    option: &'static str,
    /// The command without it. `{far}`, `{dir}` and `{port}` are the run's own.
    base: &'static str,
    /// It with its value.
    given: &'static str,
    far: Answers,
    sees: fn(&Seen) -> bool,
    /// Beside what it does when it is given, the run without it is no proof of the contrary.
    alone: bool,
    /// What happens while it runs.
    during: During,
}

#[derive(Clone, Copy, PartialEq)]
enum During {
    Nothing,
    /// It is stopped for a while, and misses departures.
    Stall,
    /// Its thread is looked at.
    Look,
    /// It is run a second time.
    Again,
}

const fn row(
    option: &'static str,
    base: &'static str,
    given: &'static str,
    sees: fn(&Seen) -> bool,
) -> Row {
    Row {
        option,
        base,
        given,
        far: Answers::All,
        sees,
        alone: false,
        during: During::Nothing,
    }
}

const THREE: &str = "sender {far} 127.0.0.1:0 -c 3 -i 2 --timeout 0.3 --json";
const TEXT: &str = "sender {far} 127.0.0.1:0 -c 3 -i 2 --timeout 0.3";
const LONG: &str = "sender {far} 127.0.0.1:0 -c 400 -i 1 --timeout 0.3 --json";
const CALL: &str = "sender {far} 127.0.0.1:0 -c 3 -i 2 --timeout 0.3 --json --voice g711";
const DRAWN: &str = "sender {far} 127.0.0.1:0 -c 3 -i 2 --timeout 0.3 --graph {dir}/a.svg";

/// Nanoseconds in 64 bits of NTP.
fn ns(ntp: u64) -> u64 {
    u64::try_from((u128::from(ntp) * 1_000_000_000) >> 32).unwrap()
}

fn rows() -> Vec<Row> {
    [schedule(), packets(), addresses(), output(), figures()]
        .into_iter()
        .flatten()
        .collect()
}

fn schedule() -> Vec<Row> {
    vec![
        row(
            "--count",
            "sender {far} 127.0.0.1:0 -i 1 --timeout 0.3 --json",
            "--count 5",
            |seen| seen.packets.len() == 5,
        ),
        row(
            "--interval",
            "sender {far} 127.0.0.1:0 -c 3 --timeout 0.3 --json",
            "--interval 400",
            |seen| {
                // Never before its time, by the packets' own T1.
                let t1: Vec<u64> = seen.packets.iter().map(|packet| ns(packet.t1())).collect();
                seen.session()["interval_ns"] == 400_000_000 && t1[2] - t1[0] > 500_000_000
            },
        ),
        row(
            "--schedule",
            "sender {far} 127.0.0.1:0 -c 6 --timeout 0.3 --json",
            "--schedule bursts:3/600",
            |seen| {
                let t1: Vec<u64> = seen.packets.iter().map(|packet| ns(packet.t1())).collect();
                t1[3] - t1[2] > 300_000_000
            },
        ),
        Row {
            during: During::Again,
            ..row("--seed", THREE, "--seed 7", |seen| {
                let padding = |packet: &Packet| packet.payload[14..].to_vec();
                let paddings = |of: &[Packet]| of.iter().map(padding).collect::<Vec<_>>();
                seen.session()["seed"] == 7 && paddings(&seen.packets) == paddings(&seen.again)
            })
        },
        row(
            "--duration",
            "sender {far} 127.0.0.1:0 -i 10 --timeout 0.3 --json",
            "--duration 95ms",
            |seen| {
                (1..=10).contains(&seen.packets.len())
                    && seen.session()["packets"]["asked"].is_null()
            },
        ),
        Row {
            far: Answers::After(400),
            ..row(
                "--timeout",
                "sender {far} 127.0.0.1:0 -c 1 --json",
                "--timeout 50ms",
                |seen| seen.session()["packets"]["lost"] == 1,
            )
        },
        Row {
            // How long a start takes is the host's affair.
            alone: true,
            ..row("--start-delay", THREE, "--start-delay 1", |seen| {
                let unix = ns(seen.packets[0].t1()) - 2_208_988_800 * 1_000_000_000;
                UNIX_EPOCH + Duration::from_nanos(unix) > seen.begun + Duration::from_millis(999)
            })
        },
        Row {
            during: During::Stall,
            ..row("--max-burst", LONG, "--max-burst 3", |seen| {
                let burst = &seen.session()["packets"]["largest_burst"];
                burst.as_u64().is_some_and(|burst| (2..=3).contains(&burst))
            })
        },
        Row {
            during: During::Look,
            ..row("--spin", LONG, "--spin", |seen| seen.sleeps < 0.5)
        },
    ]
}

fn packets() -> Vec<Row> {
    vec![
        row("--padding", THREE, "--padding 100", |seen| {
            seen.all(|packet| packet.payload.len() == 114)
        }),
        row("--fill", THREE, "--fill zero", |seen| {
            seen.all(|packet| packet.payload[14..].iter().all(|octet| *octet == 0))
        }),
        row("--stamp", THREE, "--stamp", |seen| {
            seen.session()["protocol"] == "stamp" && seen.all(|packet| packet.payload.len() == 44)
        }),
        row(
            "--ssid",
            "sender {far} 127.0.0.1:0 --stamp -c 3 -i 2 --timeout 0.3 --json",
            "--ssid 513",
            |seen| seen.all(|packet| packet.payload[14..16] == [2, 1]),
        ),
    ]
}

fn addresses() -> Vec<Row> {
    vec![
        row("--dscp", THREE, "--dscp ef,cs1", |seen| {
            let marked = |tos| {
                seen.packets
                    .iter()
                    .filter(|packet| packet.tos == tos)
                    .count()
            };
            (marked(184), marked(32)) == (3, 3)
        }),
        row("--tos", THREE, "--tos 0x21", |seen| {
            seen.all(|packet| packet.tos == 0x21)
        }),
        row("--ttl", THREE, "--ttl 7", |seen| {
            seen.all(|packet| packet.ttl == 7)
        }),
        row("--do-not-fragment", THREE, "--do-not-fragment", |seen| {
            seen.all(|packet| packet.dont_fragment)
        }),
        row("--interface", THREE, "--interface no-such-dev", |seen| {
            seen.done.status == 1 && seen.done.stderr.contains("no-such-dev")
        }),
        row(
            "--ipv4",
            "sender [::1]:9 [::1]:0 -c 1 --timeout 0.1",
            "--ipv4",
            |seen| [1, 2].contains(&seen.done.status) && seen.packets.is_empty(),
        ),
        row("--ipv6", THREE, "--ipv6", |seen| {
            [1, 2].contains(&seen.done.status) && seen.packets.is_empty()
        }),
        row(
            "--ports",
            "sender {far} 127.0.0.1 -c 3 -i 2 --timeout 0.3 --json",
            "--ports {port}-{port}",
            |seen| {
                let port = seen.file("port").parse();
                seen.all(|packet| Ok(packet.from_port) == port)
            },
        ),
        row("--timestamps", THREE, "--timestamps user", |seen| {
            seen.session()["timestamps"]["transmit"] == "user"
        }),
        row("--portable", THREE, "--portable", |seen| {
            let stamps = &seen.session()["timestamps"];
            stamps["transmit"] == "user" && seen.session()["ttl_backward"].is_null()
        }),
    ]
}

fn output() -> Vec<Row> {
    vec![
        row("--output", TEXT, "--output csv", |seen| {
            seen.done.stdout.starts_with("seq,t1_ns,")
        }),
        row("--json", TEXT, "--json", |seen| {
            seen.json["schema"] == "twinpath-report-1"
        }),
        row(
            "--report-interval",
            "sender {far} 127.0.0.1:0 -c 30 -i 10 --timeout 0.3 --json",
            "--report-interval 100ms",
            |seen| seen.done.stdout.contains("twinpath-interval-1"),
        ),
        row("--label", THREE, "--label site=lab", |seen| {
            seen.json["labels"]["site"] == "lab"
        }),
        row("--verbose", TEXT, "--verbose", |seen| {
            seen.done.stdout.starts_with("seq=0 ")
        }),
        row("--live", TEXT, "--live", |seen| {
            seen.done.stderr.contains("no live view")
        }),
        row("--graph", TEXT, "--graph {dir}/a.svg", |seen| {
            seen.file("a.svg").contains("<svg")
        }),
        row("--html", TEXT, "--html {dir}/a.html", |seen| {
            seen.file("a.html").contains("</html>")
        }),
        row("--theme", DRAWN, "--theme dark", |seen| {
            let svg = seen.file("a.svg");
            svg.contains("<svg") && !svg.contains("prefers-color-scheme")
        }),
        row("--save", TEXT, "--save {dir}/a.parquet", |seen| {
            seen.file("a.parquet").starts_with("PAR1")
        }),
        Row {
            far: Answers::Nothing,
            ..row("--quiet", THREE, "--quiet", |seen| {
                seen.done.stderr.is_empty()
            })
        },
        row("--debug", TEXT, "--debug", |seen| {
            seen.done.stderr.contains("sending")
        }),
        row("--logfile", TEXT, "--logfile {dir}/log", |seen| {
            seen.file("log").contains("sending")
        }),
    ]
}

fn figures() -> Vec<Row> {
    vec![
        row("--bins", THREE, "--bins 1ms,2ms", |seen| {
            seen.session()["bins"].is_object()
        }),
        row("--voice", THREE, "--voice g729a", |seen| {
            seen.session()["voice"]["codec"] == "G.729A"
        }),
        row("--jitter-buffer", CALL, "--jitter-buffer 80", |seen| {
            seen.session()["voice"]["jitter_buffer_ns"] == 80_000_000
        }),
        row(
            "--percentiles-with-loss",
            THREE,
            "--percentiles-with-loss",
            |seen| seen.session()["percentiles_with_loss"].is_object(),
        ),
        row("--loss-noticeable", THREE, "--loss-noticeable 5", |seen| {
            seen.session()["loss_periods"]["delta"] == 5
        }),
        row("--unavailable", THREE, "--unavailable 20%/3", |seen| {
            let availability = &seen.session()["availability"];
            (&availability["bad_above"], &availability["in_a_row"]) == (&0.2.into(), &3.into())
        }),
        Row {
            far: Answers::Even,
            ..row("--reflector", THREE, "--reflector stateful", |seen| {
                seen.session()["packets"]["lost_forward"].is_u64()
            })
        },
    ]
}

/// Runs a row's command; `None` where the wire cannot be seen.
fn observe(row: &Row, given: &str) -> Option<Seen> {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port([127, 0, 0, 1].into()).to_string();
    fs::write(directory.path().join("port"), &port).unwrap();
    let far = FarEnd::start(row.far)?;
    let line = format!("{} {given}", row.base)
        .replace("{far}", &far.at)
        .replace("{dir}", &directory.path().display().to_string())
        .replace("{port}", &port);
    let begun = SystemTime::now();
    let mut running = Running::spawn(twinpath(&line));
    let mut sleeps = 0.0;
    match row.during {
        During::Nothing | During::Again => {}
        During::Stall => {
            wait_until(&mut running, || far.count() > 20);
            running.signal(&["STOP"]);
            std::thread::sleep(Duration::from_millis(200));
            running.signal(&["CONT"]);
        }
        During::Look => {
            wait_until(&mut running, || far.count() > 300);
            let sent = far.count();
            #[expect(clippy::cast_precision_loss, reason = "hundreds")]
            let share = voluntary_switches(running.0.id()) as f64 / sent as f64;
            sleeps = share;
        }
    }
    let done = running.finish();
    let again = if row.during == During::Again {
        let first = far.count();
        run(&line);
        first
    } else {
        usize::MAX
    };
    // What is on the way to the tap.
    let mut packets = far.finish();
    let again = packets.split_off(again.min(packets.len()));
    Some(Seen {
        packets,
        again,
        begun,
        sleeps,
        ..Seen::of(done, directory)
    })
}

/// Waits for something in a run, or for its end.
fn wait_until(running: &mut Running, mut is: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !is() && running.0.try_wait().unwrap().is_none() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// How often the sender's thread of this process gave the processor back by itself.
fn voluntary_switches(process: u32) -> u64 {
    let threads = fs::read_dir(format!("/proc/{process}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let of = |thread: &Path| -> Option<u64> {
        if fs::read_to_string(thread.join("comm")).ok()?.trim() != "sender" {
            return None;
        }
        let status = fs::read_to_string(thread.join("status")).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        line.trim().parse().ok()
    };
    threads.filter_map(|thread| of(&thread.path())).sum()
}

#[test]
fn every_option_of_the_sender_acts() {
    let rows = rows();
    complete("sender", rows.iter().map(|row| row.option));
    each_row(&rows, |row| {
        acts(row.option, row.given, row.alone, |given| {
            let seen = observe(row, given)?;
            Some(judged(&seen, &seen.done, row.sees))
        })
    });
}
