//! The rows of options that the sender has, most of them of the controller too.

use super::*;
use crate::authenticated::hmac;

/// Nanoseconds in 64 bits of NTP.
fn ns(ntp: u64) -> u64 {
    u64::try_from((u128::from(ntp) * 1_000_000_000) >> 32).unwrap()
}

/// An authenticated STAMP packet with the right HMAC.
fn is_signed(packet: &Packet) -> bool {
    let (covered, tag) = packet.payload.split_at(96);
    tag == hmac(KEY, covered)
}

/// The rows of every command that sends.
pub(in super::super) fn sending() -> Vec<Row> {
    [
        schedule(),
        packets(),
        addresses(),
        sessions(),
        output(),
        figures(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Options whose effect needs two hosts: [`the_interface_leads`] tests them.
pub(in super::super) const ON_TWO_HOSTS: [&str; 1] = ["--interface"];

fn schedule() -> Vec<Row> {
    vec![
        row(
            "--count",
            "{measure} {far} 127.0.0.1:0 -i 1 --timeout 0.3 --json",
            "--count 5",
            |seen| seen.packets.len() == 5,
        ),
        row(
            "--interval",
            "{measure} {far} 127.0.0.1:0 -c 3 --timeout 0.3 --json",
            "--interval 400",
            |seen| {
                // Never before its time, by the packets' own T1.
                let t1: Vec<u64> = seen.packets.iter().map(|packet| ns(packet.t1())).collect();
                seen.session()["interval_ns"] == 400_000_000 && t1[2] - t1[0] > 500_000_000
            },
        ),
        row(
            "--schedule",
            "{measure} {far} 127.0.0.1:0 -c 6 --timeout 0.3 --json",
            "--schedule bursts:3/2500",
            |seen| {
                let t1: Vec<u64> = seen.packets.iter().map(|packet| ns(packet.t1())).collect();
                t1[3] - t1[2] > 2_000_000_000
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
            "{measure} {far} 127.0.0.1:0 -i 10 --timeout 0.3 --json",
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
                "{measure} {far} 127.0.0.1:0 -c 1 --json",
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
            // Gaps that it spins through whole, and that a busy machine leaves a sender to sleep in.
            ..row(
                "--spin",
                "{measure} {far} 127.0.0.1:0 -c 300 -i 15 --timeout 20 --json",
                "--spin",
                |seen| seen.sleeps < 0.1,
            )
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
    ]
}

fn sessions() -> Vec<Row> {
    vec![
        row("--paths", THREE, "--paths 3", |seen| {
            let mut ports: Vec<u16> = seen.packets.iter().map(|packet| packet.from_port).collect();
            ports.sort_unstable();
            ports.dedup();
            (seen.sessions(), ports.len()) == (3, 3)
        }),
        Row {
            during: During::Look,
            ..row(
                "--threads",
                "{measure} {far} --paths 20 -c 100 -i 20 --timeout 0.3 --json",
                "--threads 3",
                |seen| seen.threads == 3,
            )
        },
    ]
}

/// Those of the sender alone.
pub(super) fn uncontrolled() -> Vec<Row> {
    let mut rows = vec![
        row(
            "--near",
            "{measure} --to {far} -c 3 -i 2 --timeout 0.3 --json",
            "--near 127.0.0.1:{port}",
            |seen| {
                let port = seen.file("port").parse();
                seen.all(|packet| Ok(packet.from_port) == port)
            },
        ),
        row("--to", LOSING, "--to 127.0.0.1:{port}", |seen| {
            seen.sessions() == 2 && seen.json["sessions"][1]["packets"]["sent"] == 3
        }),
        row("--targets", LOSING, "--targets {dir}/targets", |seen| {
            seen.sessions() == 2 && seen.json["sessions"][1]["target"]["name"] == "other"
        }),
        row("--stamp", THREE, "--stamp", |seen| {
            seen.session()["protocol"] == "stamp" && seen.all(|packet| packet.payload.len() == 44)
        }),
        row(
            "--ssid",
            "{measure} {far} 127.0.0.1:0 --stamp -c 3 -i 2 --timeout 0.3 --json",
            "--ssid 513",
            |seen| seen.all(|packet| packet.payload[14..16] == [2, 1]),
        ),
        row(
            "--timestamp-format",
            "{measure} {far} 127.0.0.1:0 --stamp -c 3 -i 2 --timeout 0.3 --json",
            "--timestamp-format ptp",
            // The Z bit, and seconds that count from 1970.
            |seen| {
                seen.all(|packet| packet.payload[12] & 0x40 != 0 && packet.payload[4] < 0x80)
                    && seen.session()["implausible"] == 0
                    && seen.session()["timestamps"]["format"] == "ptp"
                    && seen.session()["timestamps"]["far_format"] == "ntp"
            },
        ),
        row(
            "--on-no-ssid",
            "{measure} {far} 127.0.0.1:0 --stamp --ssid 7 -c 300 -i 2 --timeout 1 --json",
            "--on-no-ssid stop",
            |seen| seen.packets.len() < 300 && !seen.packets.is_empty(),
        ),
        row(
            "--authenticated",
            "{measure} {far} 127.0.0.1:0 --stamp --hmac-key-file {dir}/secret -c 3 -i 2 --timeout 0.3 --json",
            "--authenticated",
            |seen| seen.session()["mode"] == "authenticated" && seen.all(is_signed),
        ),
        row(
            "--hmac-key",
            STAMP_WITH_KEY,
            "--hmac-key 00112233445566778899aabbccddeeff",
            |seen| seen.all(is_signed),
        ),
        row(
            "--hmac-key-file",
            STAMP_WITH_KEY,
            "--hmac-key-file {dir}/secret",
            |seen| seen.all(is_signed),
        ),
        row(
            "--insecure-key-file",
            "{measure} {far} 127.0.0.1:0 --stamp --authenticated --hmac-key-file {dir}/readable -c 3 -i 2 --timeout 0.3 --json",
            "--insecure-key-file",
            |seen| seen.all(is_signed),
        ),
        Row {
            far: Answers::Even,
            ..row("--reflector", LOSING, "--reflector stateful", |seen| {
                seen.session()["packets"]["lost_forward"].is_u64()
            })
        },
    ];
    rows.extend(tlvs());
    rows
}

fn tlvs() -> Vec<Row> {
    vec![
        row(
            "--tlv",
            "{measure} {far} 127.0.0.1:0 --stamp -c 3 -i 2 --timeout 0.3 --json",
            "--tlv cos=ef",
            |seen| seen.all(|packet| packet.payload[44..] == [0x80, 4, 0, 4, 46 << 2, 0, 0, 0]),
        ),
        row(
            "--micro-session",
            "{measure} {far} 127.0.0.1:0 --stamp -c 3 -i 2 --timeout 0.3 --json",
            "--micro-session 3:5,4",
            |seen| {
                let ids = |ids: [u8; 4]| {
                    let has = |packet: &&Packet| {
                        packet.payload[44..] == [&[0x80, 11, 0, 4], &ids[..]].concat()
                    };
                    seen.packets.iter().filter(has).count()
                };
                (seen.sessions(), ids([0, 3, 0, 5]), ids([0, 4, 0, 0])) == (2, 3, 3)
            },
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
        row(
            "--ipv4",
            "{measure} [::1]:9 [::1]:0 -c 1 --timeout 0.1",
            "--ipv4",
            |seen| seen.done.status == 2 && seen.packets.is_empty(),
        ),
        row("--ipv6", THREE, "--ipv6", |seen| {
            seen.done.status == 2 && seen.packets.is_empty()
        }),
        row(
            "--ports",
            "{measure} {far} 127.0.0.1 -c 3 -i 2 --timeout 0.3 --json",
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
        row("--output", TEXT, "--output prometheus", |seen| {
            seen.done.stdout.contains("\ntwinpath_packets_sent{")
        }),
        row("--json", TEXT, "--json", |seen| {
            seen.json["schema"] == "twinpath-report-1"
        }),
        row(
            "--report-interval",
            "{measure} {far} 127.0.0.1:0 -c 30 -i 10 --timeout 0.3 --json",
            "--report-interval 100ms",
            |seen| seen.done.stdout.contains("twinpath-interval-1"),
        ),
        row("--label", THREE, "--label site=lab", |seen| {
            seen.json["labels"]["site"] == "lab"
        }),
        row("--verbose", TEXT, "--verbose", |seen| {
            seen.done
                .stdout
                .lines()
                .any(|line| line.starts_with("seq=0 "))
        }),
        // The view itself needs a terminal: see `q_ends_a_run_with_its_report_on_a_terminal_as_it_was`
        // and `a_controller_shows_its_classes_and_ends_by_itself`.
        row("--live", TEXT, "--live", |seen| {
            seen.done.stderr.contains("no live view")
        }),
        // What is scraped: see `a_sender_serves_the_figures_of_its_sessions_while_it_measures`.
        row("--metrics", TEXT, "--metrics 127.0.0.1:0", |seen| {
            seen.done.stderr.contains("metrics at http://127.0.0.1:")
        }),
        // What is pushed: see `a_server_and_a_controller_push_their_last_figures_when_they_end`. Port 9 of loopback has
        // no collector.
        row("--otlp", TEXT, "--otlp http://127.0.0.1:9", |seen| {
            let warning = "metrics were not pushed to http://127.0.0.1:9/v1/metrics: ";
            seen.done.stderr.contains(warning)
        }),
        row("--otlp-interval", PUSHED, "--otlp-interval 1", |seen| {
            let said = &seen.done.stderr;
            // Without it the first push is the last one.
            let places = said.find("not pushed").zip(said.find("finished"));
            places.is_some_and(|(pushed, finished)| pushed < finished)
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
        row("--rotate", SAVED, "--rotate 1h", |seen| {
            let names = fs::read_dir(seen.directory.path()).unwrap();
            let names = names.map(|file| file.unwrap().file_name());
            let names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
            names.iter().any(|name| name.starts_with("a-20"))
                && !names.contains(&"a.parquet".into())
        }),
        Row {
            far: Answers::Nothing,
            ..row("--quiet", LOSING, "--quiet", |seen| {
                seen.done.stderr.is_empty()
            })
        },
        row("--debug", TEXT, "--debug", |seen| {
            seen.done.stderr.contains("finished")
        }),
        row("--logfile", TEXT, "--logfile {dir}/log", |seen| {
            seen.file("log").contains("finished")
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
        Row {
            far: Answers::Nothing,
            ..row("--failed-after", LOSING, "--failed-after 3", |seen| {
                seen.session()["state"] == "failed"
            })
        },
        row("--unavailable", THREE, "--unavailable 20%/3", |seen| {
            let availability = &seen.session()["availability"];
            (&availability["bad_above"], &availability["in_a_row"]) == (&0.2.into(), &3.into())
        }),
    ]
}
