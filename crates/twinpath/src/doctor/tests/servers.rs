//! TWAMP servers: in memory, one that does all as the standards demand and those that err in what is judged;
//! in `quirks` those that err on the connection, on loopback; in `captured` other programs' sessions.

use std::net::SocketAddr;
use std::time::Duration;

use twinpath_proto::{Refusal, Step, TestFeatures};
use twinpath_runtime::probe::{
    Accepted, Connection, Departure, DialogueEnd, DialogueSeen, PacketForm, Parting, Reply,
    SessionSeen, SessionTrain, TrainSeen, WantedSession,
};
use twinpath_wire::control::{Modes, SecurityMode};
use twinpath_wire::{Delta, ErrorEstimate, Mono, ReflectorOpen, Rung, Stamp, Tos, Wall, WireTime};

use super::{examined_with, greeting, with};
use crate::doctor::dialogue::{AGAIN, Dialogue, DialogueAsk, SESSION, ZERO_ADDRESSES, packet};
use crate::doctor::fakes::FakeFar;
use crate::doctor::{Checked, Keys, Status, Verdict};

mod captured;
mod connections;
mod errors;
mod logins;
mod quirks;
mod quirky_server;
mod refusals;
mod silence;

const STARTED: Wall = Wall::from_unix_ns(1_795_392_000_000_000_000);
/// UDP port of a server that chooses it.
const CHOSEN: u16 = 18_760;
const ALL_OPEN: u32 = 1 | 16 | 32 | 64 | 256 | 512;

fn after(delay: Duration) -> Stamp {
    Stamp {
        at: STARTED + Delta::from_duration(delay),
        rung: Rung::Kernel,
    }
}

/// A dialogue in which all goes well.
pub(in crate::doctor) fn honest(ask: &DialogueAsk) -> Dialogue {
    Dialogue::new(agreed(ask))
}

/// One in which sessions are accepted, and no packet is answered.
pub(in crate::doctor) fn silent(ask: &DialogueAsk) -> Dialogue {
    let mut seen = agreed(ask);
    silence::deaf(&mut seen);
    Dialogue::new(seen)
}

/// One whose replies have no T2.
pub(in crate::doctor) fn without_t2(ask: &DialogueAsk) -> Dialogue {
    let mut seen = agreed(ask);
    each_reply(&mut seen, |reply| reply.octets[16..24].fill(0));
    Dialogue::new(seen)
}

/// What comes of it.
pub(in crate::doctor) fn agreed(ask: &DialogueAsk) -> DialogueSeen {
    let plan = ask.plan(&Keys::default(), Duration::from_secs(9));
    let modes = Modes::from_bits(plan.security.modes().bits() | plan.features.bits());
    let sessions = plan.sessions.iter().enumerate();
    DialogueSeen {
        server: ask.server,
        end: DialogueEnd::Done(Some(Parting::Closed)),
        near: None,
        offered: modes,
        modes,
        sessions: sessions
            .map(|(index, wanted)| session(ask, index, wanted, modes))
            .collect(),
        held: None,
        begun: Mono::from_ns(0),
        took: Duration::from_millis(40),
    }
}

fn session(ask: &DialogueAsk, index: usize, wanted: &WantedSession, modes: Modes) -> SessionSeen {
    let mut plan = wanted.plan;
    plan.sender_port = 40_000 + u16::try_from(index).unwrap();
    if wanted.wishes_own_port {
        plan.receiver_port = plan.sender_port;
    }
    let port = if plan.receiver_port == 0 {
        CHOSEN
    } else {
        plan.receiver_port
    };
    let form = PacketForm {
        features: TestFeatures {
            modes,
            padding_to_reflect: plan.padding_to_reflect,
            server_octets: 0,
        },
        plan,
    };
    let mut far = ask.server;
    far.set_port(port);
    let opening = u32::from(ask.kind.has_opening);
    let count = u32::try_from(ask.kind.count).unwrap();
    SessionSeen {
        plan,
        answer: Some(Ok(Accepted {
            port,
            server_octets: 0,
            octets_reflected: true,
        })),
        started: true,
        stop_refused: None,
        load: None,
        train: Some(SessionTrain {
            far,
            form,
            started: STARTED,
            opening: train(far, &form, 0..opening, 0),
            paced: train(far, &form, opening + 3..opening + 3 + count, opening),
            forged: 0,
        }),
    }
}

fn train(
    far: SocketAddr,
    form: &PacketForm,
    numbers: std::ops::Range<u32>,
    own: u32,
) -> (Vec<Vec<u8>>, TrainSeen) {
    let mut requests = Vec::new();
    let mut seen = TrainSeen::default();
    for (number, own) in numbers.zip(own..) {
        let left = after(Duration::from_millis(10) * own);
        let (octets, tos) = packet(form, number, left.at);
        seen.departures.push(Departure::Left(left));
        seen.replies.push(Reply {
            at: after(Duration::from_millis(10) * own + Duration::from_millis(4)),
            from: far,
            octets: reflected(form, own, &octets, tos, left.at),
            ttl: Some(62),
            tos: Some(tos),
            fragment_octets: None,
        });
        requests.push(octets);
    }
    (requests, seen)
}

/// The reply to an open packet.
fn reflected(form: &PacketForm, own: u32, request: &[u8], tos: Tos, left: Wall) -> Vec<u8> {
    let features = form.features;
    let format = features.reflector_format();
    let time = |after_us| {
        let at = left + Delta::from_duration(Duration::from_micros(after_us));
        WireTime::write(at, format, 37)
    };
    let mut reply = vec![0; ReflectorOpen::OCTETS];
    let (head, _) = ReflectorOpen::view_mut(&mut reply).unwrap();
    head.head.seq.set(own);
    (head.head.t2, head.head.t3) = (time(2_000), time(2_020));
    head.head.error = ErrorEstimate::new(true, format, Duration::from_micros(50));
    head.sender_ttl = 252;
    reply[24..38].copy_from_slice(&request[..14]);
    if features.monitors_dscp() {
        reply.extend([tos.0, 0, 0]);
    }
    let from = features.padding_from();
    reply.extend(&request[from..from + features.reflected()]);
    reply.resize(request.len().max(reply.len()), 0);
    reply
}

/// What doctor says of a far end that is a server alone, with these modes in its greeting.
fn of_server(
    modes: u32,
    server: impl FnMut(&DialogueAsk) -> Dialogue + 'static,
) -> (Vec<Checked>, Verdict) {
    of_server_with(Keys::default(), modes, server)
}

/// The same with keys.
fn of_server_with(
    keys: Keys,
    modes: u32,
    server: impl FnMut(&DialogueAsk) -> Dialogue + 'static,
) -> (Vec<Checked>, Verdict) {
    let far = FakeFar {
        ports: Vec::new(),
        tcp: vec![(862, Connection::Open(greeting(modes, 1_024, 7)))],
        server: Box::new(server),
        ..FakeFar::honest()
    };
    examined_with(far, None, keys)
}

/// The same of one whose dialogues are `changed`.
fn erring(
    modes: u32,
    changed: impl Fn(&DialogueAsk, &mut DialogueSeen) + 'static,
) -> (Vec<Checked>, Verdict) {
    of_server(modes, move |ask| {
        let mut seen = agreed(ask);
        changed(ask, &mut seen);
        Dialogue::new(seen)
    })
}

fn refuses(seen: &mut DialogueSeen, octet: u8) {
    let step = Step::Request;
    for session in &mut seen.sessions {
        session.answer = Some(Err(Refusal { step, octet }));
        session.started = false;
        session.train = None;
    }
}

/// Changes the replies of all sessions of a dialogue.
fn each_reply(seen: &mut DialogueSeen, change: impl Fn(&mut Reply)) {
    for session in &mut seen.sessions {
        if let Some(train) = &mut session.train {
            for reply in &mut train.paced.1.replies {
                change(reply);
            }
        }
    }
}

fn found<'a>(checks: &'a [Checked], id: &str) -> &'a crate::doctor::Judged {
    let found = checks.iter().find(|checked| checked.id == id);
    &found.unwrap_or_else(|| panic!("no {id}")).judged
}

#[test]
fn nothing_is_wrong_with_a_server_that_does_all_as_it_must() {
    let (checks, verdict) = of_server(ALL_OPEN, honest);
    for status in [Status::Fail, Status::Warn, Status::Unknown] {
        assert_eq!(with(&checks, status), [""; 0], "{status:?}: {checks:#?}");
    }
    for id in [
        "control.session",
        "control.port",
        "control.start-delay",
        "control.stop",
        "control.any-port",
        "control.zero-addresses",
        "control.dscp",
        "control.padding",
        "control.start-time.past",
        "control.start-time.future",
        "control.feature.individual-control",
        "control.feature.reflect-octets",
        "control.feature.symmetrical-size",
        "control.feature.dscp-monitoring",
        "control.feature.ptp-timestamps",
        "session.one-reply",
        "session.copied",
        "session.numbers",
        "session.reply-size",
        "session.time-format",
        "session.residence",
        "session.sender-ttl",
        "session.reply-ttl",
    ] {
        assert_eq!(found(&checks, id).status, Status::Ok, "{id}");
    }
    assert_eq!(
        found(&checks, "session.numbers").data["numbering"],
        "stateful"
    );
    assert_eq!(verdict.command.as_deref(), Some("twinpath controller r1"));
    let ports = verdict.firewall.words();
    assert_eq!(
        ports.as_deref(),
        Some("TCP port 862, the UDP port that the controller asks for (--receiver-port sets it)")
    );
}

#[test]
fn a_server_is_asked_for_no_feature_that_it_does_not_offer() {
    let (checks, _) = of_server(1, |ask| {
        assert!(ask.kind.features.is_empty(), "{ask:?}");
        honest(ask)
    });
    let ptp = found(&checks, "control.feature.ptp-timestamps");
    assert_eq!(ptp.status, Status::Skipped);
    assert_eq!(ptp.data["offered"], false);
}

#[test]
fn each_accept_code_is_named_with_what_to_do() {
    for (octet, name) in [
        (1, "1, failure, reason unspecified"),
        (2, "2, internal error"),
        (3, "3, some aspect of the request is not supported"),
        (4, "4, permanent resource limitation"),
        (5, "5, temporary resource limitation"),
        (77, "77, read as 1, failure"),
    ] {
        let (checks, verdict) = erring(1, move |_, seen| refuses(seen, octet));
        let session = found(&checks, "control.session");
        assert_eq!(session.status, Status::Fail);
        let words = format!("the server refuses a session: Accept {name}");
        assert!(session.finding.starts_with(&words), "{}", session.finding);
        assert_eq!(session.data["accept"], octet);
        assert!(session.advice.is_some());
        // What fails for another reason is not said to fail too.
        assert_eq!(found(&checks, "control.dscp").status, Status::Skipped);
        assert_eq!(verdict.exit, crate::failure::Exit::AllLost);
    }
}

#[test]
fn a_server_that_refuses_all_sessions_is_not_recommended() {
    let (_, verdict) = erring(ALL_OPEN, |_, seen| refuses(seen, 1));
    assert_eq!(verdict.command, None);
    assert!(verdict.sentence.contains("speaks TWAMP-Control"));
}

#[test]
fn a_server_that_needs_a_key_is_not_recommended_without_one() {
    let (checks, verdict) = of_server(2 | 4, honest);
    assert_eq!(verdict.command, None);
    let session = found(&checks, "control.session");
    assert_eq!(session.advice.as_deref(), Some("give the key: --keys FILE"));
    let said = &verdict.sentence;
    let needs = "r1 speaks TWAMP-Control, whose sessions need a key (--keys FILE); ";
    assert!(said.starts_with(needs), "{said}");
    assert!(said.ends_with(" checks could not tell"), "{said}");
}

#[test]
fn a_refusal_is_explained_by_the_request_that_is_accepted() {
    let (checks, verdict) = erring(ALL_OPEN, |ask, seen| {
        if ask.kind.name != ZERO_ADDRESSES.name && !ask.adapted.zero_addresses {
            refuses(seen, 3);
        }
    });
    let session = found(&checks, "control.session");
    assert_eq!(session.status, Status::Warn);
    assert!(
        session
            .finding
            .ends_with("one with zero addresses is accepted")
    );
    let command = verdict.command.as_deref();
    assert_eq!(command, Some("twinpath controller r1 --nat"));
    // Further dialogues do likewise.
    assert_eq!(found(&checks, "control.dscp").status, Status::Ok);
}

/// Packets of the opening that are not answered before the first that is.
fn deaf_for(seen: &mut DialogueSeen, unanswered: usize) {
    let train = seen.sessions[0].train.as_mut().unwrap();
    let (requests, seen) = &mut train.opening;
    let numbers = 0..=u32::try_from(unanswered).unwrap();
    *requests = Vec::new();
    seen.replies.clear();
    seen.departures.clear();
    for number in numbers.clone() {
        let left = after(Duration::from_millis(250) * number);
        requests.push(packet(&train.form, number, left.at).0);
        seen.departures.push(Departure::Left(left));
        if number == *numbers.end() {
            let octets = reflected(&train.form, 0, &requests[unanswered], Tos(0), left.at);
            seen.replies.push(Reply {
                at: left,
                from: train.far,
                octets,
                ttl: None,
                tos: None,
                fragment_octets: None,
            });
        }
    }
}

#[test]
fn a_server_that_ignores_packets_at_first_needs_a_start_delay() {
    let (checks, verdict) = erring(1, |ask, seen| {
        if ask.kind.has_opening {
            deaf_for(seen, 4);
        } else {
            assert!(ask.adapted.start_delay >= Duration::from_secs(1), "{ask:?}");
        }
    });
    let start = found(&checks, "control.start-delay");
    assert_eq!(start.status, Status::Warn);
    assert_eq!(start.data["first_answered_ns"], 1_000_000_000);
    assert_eq!(start.data["unanswered"], 4);
    let command = verdict.command.as_deref();
    let with_delay = "twinpath controller r1 --start-delay 1.5";
    assert_eq!(command, Some(with_delay));
}

#[test]
fn the_longer_of_two_start_delays_is_waited_for_and_the_shorter_is_said() {
    for (first, again) in [(2, 5), (5, 2)] {
        let (checks, verdict) = erring(1, move |ask, seen| {
            if ask.kind.name == SESSION.name {
                deaf_for(seen, first);
            } else if ask.kind.name == AGAIN.name {
                deaf_for(seen, again);
            } else {
                assert_eq!(ask.adapted.start_delay, Duration::from_millis(1_350));
            }
        });
        let finding = &found(&checks, "control.start-delay").finding;
        let said = "the first that is leaves 500 ms after Start-Ack or later";
        assert!(finding.ends_with(said), "{finding}");
        let with_delay = "twinpath controller r1 --start-delay 1.5";
        assert_eq!(verdict.command.as_deref(), Some(with_delay));
    }
}

#[test]
fn a_single_loss_is_not_taken_for_a_start_delay() {
    let (checks, verdict) = erring(1, |ask, seen| {
        if ask.kind.name == SESSION.name {
            deaf_for(seen, 1);
        }
    });
    assert_eq!(found(&checks, "control.start-delay").status, Status::Ok);
    assert_eq!(verdict.command.as_deref(), Some("twinpath controller r1"));
    // Without the second session it is not known.
    let (checks, _) = erring(1, |ask, seen| {
        if ask.kind.name == SESSION.name {
            deaf_for(seen, 1);
        } else if ask.kind.name == AGAIN.name {
            seen.sessions.clear();
            seen.end = DialogueEnd::Mute;
        }
    });
    assert_eq!(
        found(&checks, "control.start-delay").status,
        Status::Unknown
    );
}

#[test]
fn each_error_of_a_server_is_found_by_its_check() {
    let mut wrong = Vec::new();
    for (id, finding, changed) in errors::ERRORS {
        let (checks, _) = erring(ALL_OPEN, changed);
        let judged = found(&checks, id);
        let is_ok = *id == "control.port";
        let is_right = judged.finding.contains(finding)
            && (is_ok || matches!(judged.status, Status::Fail | Status::Warn))
            && (is_ok || judged.advice.is_some());
        if !is_right {
            wrong.push(format!("{finding}: {judged:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn chosen_ports_are_what_a_firewall_lets_through() {
    let (_, verdict) = erring(1, |_, seen| {
        for (session, port) in seen.sessions.iter_mut().zip(CHOSEN..) {
            if let Some(Ok(accepted)) = &mut session.answer {
                accepted.port = port;
            }
        }
    });
    let ports = verdict.firewall.words();
    assert_eq!(ports.as_deref(), Some("TCP port 862, UDP port 18760"));
}

#[test]
fn a_firewall_lets_through_the_ports_of_the_recommended_mode() {
    let (_, verdict) = of_server_with(logins::a_key(), 1 | 8, |ask| {
        let mut seen = agreed(ask);
        let is_open = ask.mode == SecurityMode::Unauthenticated;
        for session in seen.sessions.iter_mut().filter(|_| is_open) {
            if let Some(Ok(accepted)) = &mut session.answer {
                accepted.port = CHOSEN;
            }
        }
        Dialogue::new(seen)
    });
    let command = verdict.command.as_deref();
    assert!(command.is_some_and(|command| command.contains("--mode mixed")));
    let ports = verdict.firewall.words();
    assert_eq!(
        ports.as_deref(),
        Some("TCP port 862, the UDP port that the controller asks for (--receiver-port sets it)")
    );
}
