//! The rows of options that the responder has.

use super::*;

pub(super) fn rows() -> Vec<Row> {
    [
        sessions(),
        replies(),
        extensions(),
        several_replies(),
        output(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn sessions() -> Vec<Row> {
    vec![
        row("--allow", JSON, "--allow 192.0.2.0/24", |seen| {
            seen.packets.is_empty() && seen.json["ignored"]["not_allowed"] == 1
        }),
        Row {
            asked: (
                &[
                    (0, 60, 0),
                    (1, 60, 0),
                    (2, 60, 0),
                    (3, 60, 0),
                    (4, 60, 0),
                    (5, 60, 0),
                ],
                &[],
            ),
            ..row("--max-rate", JSON, "--max-rate 1", |seen| {
                seen.json["ignored"]["rate_limited"].as_u64() >= Some(1) && seen.packets.len() < 6
            })
        },
        Row {
            asked: (&[(5, 60, 0), (6, 60, 0)], &[(7, 60, 0)]),
            ..row("--max-sessions", JSON, "--max-sessions 1", |seen| {
                seen.json["sessions"]["live"] == 1 && seen.packets.len() == 3
            })
        },
        Row {
            asked: (&[(5, 60, 0), (6, 60, 0), (7, 60, 4_000)], &[]),
            ..row("--timer", JSON, "--timer 2s", |seen| {
                // Its counter begins again after it was idle.
                seen.numbers() == [0, 1, 0] && seen.json["sessions"]["expired"] == 1
            })
        },
        Row {
            asked: TWO,
            ..row("--stateless", JSON, "--stateless", |seen| {
                seen.numbers() == [5, 9]
            })
        },
        Row {
            multiplier: 0,
            ..row("--strict", JSON, "--strict", |seen| {
                seen.packets.is_empty() && seen.json["ignored"]["error_multiplier_zero"] == 1
            })
        },
        Row {
            asked: (&[(5, 44, 0)], &[]),
            ..row("--allow-ssid", JSON, "--allow-ssid 7,600-700", |seen| {
                seen.packets.is_empty() && seen.json["ignored"]["no_session"] == 1
            })
        },
        Row {
            asked: (&[(5, 44, 0)], &[]),
            ..row("--authenticated", KEYED, "--authenticated", |seen| {
                seen.packets.is_empty() && seen.json["ignored"]["unauthenticated"] == 1
            })
        },
        Row {
            // A STAMP packet, whose SSID a TWAMP reflector has no place for.
            asked: (&[(5, 44, 0)], &[]),
            ..row("--protocol", JSON, "--protocol twamp-light", |seen| {
                seen.all(|packet| packet.payload[14..16] == [0, 0])
            })
        },
        row(
            "--timestamp-format",
            "responder 127.0.0.1:{port} --json --protocol stamp",
            "--timestamp-format ptp",
            // The Z bit, and T2 and T3 in seconds since 1970.
            |seen| {
                seen.all(|packet| packet.payload[12] & 0x40 != 0)
                    && seen.all(|packet| packet.payload[4] < 0x80 && packet.payload[16] < 0x80)
            },
        ),
        row("--threads", JSON, "--threads 3", |seen| seen.threads == 3),
    ]
}

/// A row with one STAMP request that has these TLVs.
fn tlvs(
    option: &'static str,
    given: &'static str,
    chain: &'static [u8],
    sees: fn(&Seen) -> bool,
) -> Row {
    Row {
        asked: (&[(0, 44, 0)], &[]),
        chain,
        ..row(option, JSON, given, sees)
    }
}

/// Three replies, 1 ms apart, of 60 octets.
const CONTROL: &[u8] = &[0x80, 12, 0, 12, 0, 60, 0, 3, 0, 15, 0x42, 0x40, 0, 0, 0, 0];

/// A row with a request for three replies, of which there is one, because of a limit.
fn limit(option: &'static str, given: &'static str) -> Row {
    Row {
        base: "responder 127.0.0.1:{port} --json --allow-control 127.0.0.0/8 --control-unauthenticated",
        ..tlvs(option, given, CONTROL, |seen| {
            let over_limit = &seen.json["reflected_control"]["over_limit"];
            over_limit == 1 && seen.packets.len() == 1 && seen.packets[0].payload[44] == 0x10
        })
    }
}

fn several_replies() -> Vec<Row> {
    let are_three = |seen: &Seen| seen.numbers() == [0, 1, 2];
    vec![
        Row {
            further: 2,
            ..tlvs(
                "--allow-control",
                "--allow-control 127.0.0.0/8 --control-unauthenticated",
                CONTROL,
                are_three,
            )
        },
        Row {
            further: 2,
            base: "responder 127.0.0.1:{port} --json --allow-control 127.0.0.0/8 \
                   --hmac-key 00112233445566778899aabbccddeeff",
            ..tlvs(
                "--control-unauthenticated",
                "--control-unauthenticated",
                CONTROL,
                are_three,
            )
        },
        limit("--control-rate", "--control-rate 479999"),
        limit("--control-volume", "--control-volume 179"),
        limit("--control-count", "--control-count 2"),
    ]
}

fn extensions() -> Vec<Row> {
    const LOCATION: &[u8] = &[0x80, 2, 0, 4, 0, 0, 0, 0];
    vec![
        tlvs(
            "--allow-dscp",
            "--allow-dscp af41,ef",
            &[0x80, 4, 0, 4, 0xb8, 0, 0, 0],
            |seen| {
                let is_asked = |packet: &Packet| packet.tos == 0xb8;
                seen.all(|packet| {
                    is_asked(packet) && packet.payload[44..] == [0, 4, 0, 4, 0xb8, 0, 0, 0]
                })
            },
        ),
        tlvs("--location", "--location none", LOCATION, |seen| {
            seen.all(|packet| packet.payload[44..] == [0, 2, 0, 4, 0, 0, 0, 0])
        }),
        tlvs(
            "--micro-session-id",
            "--micro-session-id 5",
            &[0x80, 11, 0, 4, 0, 9, 0, 0],
            |seen| seen.all(|packet| packet.payload[44..] == [0, 11, 0, 4, 0, 9, 0, 5]),
        ),
        tlvs("--no-tlv", "--no-tlv", LOCATION, |seen| {
            seen.all(|packet| packet.payload[44..] == *LOCATION)
        }),
    ]
}

fn replies() -> Vec<Row> {
    vec![
        Row {
            asked: (&[(5, 300, 0)], &[]),
            ..row("--padding", JSON, "--padding 100", |seen| {
                seen.all(|packet| packet.payload.len() == 114)
            })
        },
        row(
            "--allow-larger-replies",
            "responder 127.0.0.1:{port} --json --padding 200",
            "--allow-larger-replies",
            |seen| seen.all(|packet| packet.payload.len() == 214),
        ),
        row("--dscp", JSON, "--dscp ef", |seen| {
            seen.all(|packet| packet.tos == 184)
        }),
        row("--ttl", JSON, "--ttl 9", |seen| {
            seen.all(|packet| packet.ttl == 9)
        }),
        row("--do-not-fragment", JSON, "--do-not-fragment", |seen| {
            seen.all(|packet| packet.dont_fragment)
        }),
        row("--ipv4", ANY, "--ipv4", |seen| {
            seen.listens_on([true, false])
        }),
        row("--ipv6", ANY, "--ipv6", |seen| {
            seen.listens_on([false, true])
        }),
        row("--timestamps", JSON, "--timestamps user", |seen| {
            seen.json["timestamps"]["receive"] == "user"
        }),
        row("--portable", JSON, "--portable", |seen| {
            seen.json["timestamps"]["receive"] == "user"
        }),
    ]
}

fn output() -> Vec<Row> {
    vec![
        row("--output", TEXT, "--output json", |seen| {
            seen.json["schema"] == "twinpath-responder-1"
        }),
        row("--json", TEXT, "--json", |seen| {
            seen.json["schema"] == "twinpath-responder-1"
        }),
        Row {
            // Longer than a second, the time between two log lines of a kind.
            asked: (&[(5, 60, 0), (6, 60, 1_500)], &[]),
            ..row(
                "--verbose",
                "responder 127.0.0.1:{port} --allow 192.0.2.0/24",
                "--verbose",
                |seen| seen.done.stderr.contains("ignored kind=\"not_allowed\""),
            )
        },
        row("--quiet", JSON, "--quiet", |seen| {
            seen.done.stderr.is_empty() && seen.packets.len() == 1
        }),
        row("--debug", JSON, "--debug", |seen| {
            seen.done.stderr.contains("stopped reflected=1")
        }),
        row("--log-format", JSON, "--log-format json", |seen| {
            seen.done.stderr.starts_with("{\"")
        }),
        row("--logfile", JSON, "--logfile {dir}/log", |seen| {
            file(seen.directory.path(), "log").contains("stopped reflected=1")
        }),
    ]
}

/// Options whose effect another test holds, by its name in this binary.
pub(super) const ELSEWHERE: [(&str, &str, &str); 15] = [
    (
        "--sandbox",
        "what_is_not_in_the_list_does_not_confine",
        include_str!("../../sandbox.rs"),
    ),
    (
        "--raw-t3",
        "raw_t3_is_said_to_be_sent_as_it_was_read",
        include_str!("../../advances.rs"),
    ),
    (
        "--hmac-key",
        "an_authenticated_request_is_answered_by_the_key_of_the_command_line_and_no_other",
        AUTHENTICATED,
    ),
    (
        "--hmac-key-file",
        "the_key_of_a_file_is_that_of_the_ssid_before_that_of_the_address",
        AUTHENTICATED,
    ),
    (
        "--insecure-key-file",
        "a_key_file_that_others_may_read_is_refused_unless_the_operator_says_otherwise",
        AUTHENTICATED,
    ),
    (
        "--require-hmac",
        "the_tlvs_of_an_open_request_are_processed_by_their_hmac",
        AUTHENTICATED,
    ),
    (
        "--accept-unverified-tlvs",
        "the_tlvs_of_an_open_request_are_processed_by_their_hmac",
        AUTHENTICATED,
    ),
    (
        "--allow-return-address",
        "a_reply_goes_to_another_address_where_that_is_allowed",
        WAYS,
    ),
    (
        "--join",
        "signed_requests_to_a_group_are_answered_from_an_address_of_the_host_and_all_else_is_not",
        include_str!("../../groups.rs"),
    ),
    (
        "--limits",
        "limits_are_read_again_and_sessions_go_on",
        include_str!("../../limits.rs"),
    ),
    (
        "--control-socket",
        "a_control_socket_is_where_it_is_wanted_and_nowhere_on_request",
        include_str!("../../status.rs"),
    ),
    (
        "--metrics",
        "a_responder_counts_what_it_answers_and_what_it_does_not",
        include_str!("../../metrics.rs"),
    ),
    (
        "--otlp",
        "a_responder_pushes_its_last_figures_when_it_ends",
        OTLP,
    ),
    (
        "--otlp-interval",
        "a_confined_responder_pushes_to_a_collector_that_it_finds_by_name",
        OTLP,
    ),
    (
        "--srv6-return",
        "a_reply_visits_the_segments_that_are_asked_for_where_that_is_allowed",
        WAYS,
    ),
];
const OTLP: &str = include_str!("../../otlp.rs");
const WAYS: &str = include_str!("../../ways.rs");
const AUTHENTICATED: &str = include_str!("../../authenticated.rs");
