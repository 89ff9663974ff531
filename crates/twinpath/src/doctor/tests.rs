//! Checks against far ends in memory. Each error is found by the check that it concerns.

use twinpath_runtime::probe::{Connection, IcmpKind, PingSeen};

use super::fakes::{FakeFar, Request, Sent};
use super::*;
use crate::failure::Exit;

mod addresses;
mod capture;
mod captured;
mod cut;
mod errors;
mod keyed;
mod refused;
#[cfg(feature = "control")]
pub(super) mod servers;
mod signed;
mod sizes;

const FAR: &str = "203.0.113.7:0";

/// A far end named r1, at one address.
fn plan() -> FarEndPlan {
    FarEndPlan {
        name: "r1".to_owned(),
        host: "r1".to_owned(),
        addresses: vec![FAR.parse().unwrap()],
        port: None,
        keys: Keys::default(),
    }
}

/// What the check of this name says.
fn judged<'a>(checks: &'a [Checked], id: &str) -> &'a Judged {
    let mut all = checks.iter();
    &all.find(|checked| checked.id == id).unwrap().judged
}

/// What the checks say of `far`, and the verdict.
fn examined(far: FakeFar, port: Option<u16>) -> (Vec<Checked>, Verdict) {
    examined_with(far, port, Keys::default())
}

/// The same with keys.
fn examined_with(mut far: FakeFar, port: Option<u16>, keys: Keys) -> (Vec<Checked>, Verdict) {
    let mut seen = Seen::new(FarEndPlan {
        port,
        keys,
        ..plan()
    });
    let checks = examine(CHECKS, &mut seen, &mut far);
    let most: usize = costs(CHECKS).values().sum();
    assert!(far.asked <= most, "{} asked, {most} announced", far.asked);
    let verdict = verdict(&seen, &checks);
    (checks, verdict)
}

/// Names of the checks with this status.
fn with(checks: &[Checked], status: Status) -> Vec<&'static str> {
    let of = checks
        .iter()
        .filter(|checked| checked.judged.status == status);
    of.map(|checked| checked.id).collect()
}

#[test]
fn names_are_each_of_one_check() {
    let mut names: Vec<_> = CHECKS.iter().map(|check| check.id()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), CHECKS.len());
}

#[test]
fn all_checks_together_ask_little() {
    let most: usize = costs(CHECKS).values().sum();
    assert!((100..=400).contains(&most), "{most}");
}

#[test]
fn nothing_is_wrong_with_a_far_end_that_does_all_as_it_must() {
    let (checks, verdict) = examined(FakeFar::honest(), None);
    assert_eq!(with(&checks, Status::Fail), [""; 0]);
    assert_eq!(with(&checks, Status::Warn), [""; 0]);
    // Round trips of 10 ms tell no skew in seconds.
    assert_eq!(with(&checks, Status::Unknown), ["clock.skew"]);
    assert!(
        verdict.sentence.ends_with(", and nothing is wrong with it"),
        "{verdict:?}"
    );
    let supported = |checked: &&Checked| checked.judged.data.get("supported") == Some(&true.into());
    // All but those that no far end supports.
    assert_eq!(checks.iter().filter(supported).count(), 7);
    assert_eq!(verdict.exit, Exit::Done);
    assert_eq!(
        verdict.command.as_deref(),
        Some("twinpath sender r1 --stamp")
    );
}

#[test]
fn a_reflector_that_supports_no_tlv_is_not_blamed_for_their_lengths() {
    let (checks, _) = examined(errors::tlv_with(0, 0x80), None);
    let status = |id| judged(&checks, id).status;
    assert_eq!(status("stamp.tlv.unknown"), Status::Ok);
    assert_eq!(status("stamp.tlv.malformed"), Status::Skipped);
    // It knows the type of the malformed one.
    let knows = FakeFar::changing(|_, reply| {
        if reply.get(45) == Some(&4) && reply.get(47) == Some(&3) {
            reply[44] = 0x80;
        }
    });
    let (checks, _) = examined(knows, None);
    assert_eq!(judged(&checks, "stamp.tlv.malformed").status, Status::Warn);
}

#[test]
fn a_far_end_that_stops_answering_is_said_to() {
    let mut requests = 0;
    let vanishes = FakeFar::erring(move |_, mut replies| {
        requests += 1;
        replies.retain(|_| requests <= 6);
        replies
    });
    let (checks, verdict) = examined(vanishes, None);
    let said = judged(&checks, "test.one-reply");
    assert_eq!(said.status, Status::Fail, "{said:?}");
    assert_eq!(verdict.exit, Exit::AllLost);
    let sentence = &verdict.sentence;
    assert!(
        sentence.contains(", and stopped answering during the examination; "),
        "{sentence}"
    );
    // A sender would count losses alone.
    assert_eq!((verdict.command, verdict.further), (None, vec![]));
}

#[test]
fn one_that_stops_answering_in_the_middle_is_said_to_and_losses_are_not() {
    for (last, has_stopped) in [(10, true), (16, true), (24, false)] {
        let mut requests = 0;
        // After the first six, the 20 in a row come first.
        let vanishes = FakeFar::erring(move |_, mut replies| {
            requests += 1;
            replies.retain(|_| requests <= 6 + last || (!has_stopped && requests % 3 == 0));
            replies
        });
        let (checks, verdict) = examined(vanishes, None);
        let said = judged(&checks, "test.one-reply");
        let status = if has_stopped {
            Status::Fail
        } else {
            Status::Warn
        };
        assert_eq!(said.status, status, "{last}: {said:?}");
        assert_eq!(
            verdict.command.is_none(),
            has_stopped,
            "{last}: {verdict:?}"
        );
        // What it left open is one row.
        let early = "it stopped answering before this was known";
        let sizes = &judged(&checks, "test.reply-size").finding;
        assert_eq!(sizes == early, has_stopped, "{last}: {sizes}");
    }
}

#[test]
fn timestamps_are_compared_as_far_as_the_round_trip_lets_them() {
    for (late_ms, status) in [(0, Status::Ok), (200, Status::Ok), (400, Status::Unknown)] {
        let far = FakeFar::erring(move |_, mut replies| {
            for reply in &mut replies {
                reply.late = std::time::Duration::from_millis(late_ms);
            }
            replies
        });
        let (checks, _) = examined(far, None);
        let said = judged(&checks, "test.time-unit");
        assert_eq!(said.status, status, "{late_ms}: {said:?}");
    }
}

#[test]
fn an_echo_that_a_host_does_not_answer_is_filtered_or_lost_where_it_answers_otherwise() {
    for (ports, said) in [
        (vec![862], "no answer to ICMP Echo: filtered, or lost"),
        (
            Vec::new(),
            "no answer to ICMP Echo: filtered, or no host has that address",
        ),
    ] {
        let far = FakeFar {
            ping: PingSeen::Silent,
            tcp: vec![(862, Connection::Silent)],
            closed: None,
            ports: ports.clone(),
            ..FakeFar::honest()
        };
        let (checks, _) = examined(far, None);
        assert_eq!(judged(&checks, "reach.icmp").finding, said);
        let tcp = &judged(&checks, "control.connect").finding;
        assert_eq!(tcp.contains("the host is down"), ports.is_empty(), "{tcp}");
    }
}

#[test]
fn a_far_end_that_does_not_answer_is_described_by_what_came_back() {
    let deaf = |_: &Request<'_>, _: Vec<Sent>| Vec::new();
    for (closed, finding) in [
        (Some(IcmpKind::PortUnreachable), "nothing listens on"),
        (Some(IcmpKind::Prohibited), "a firewall rejects"),
        (
            Some(IcmpKind::HostUnreachable),
            "203.0.113.7 cannot be reached (says 203.0.113.7)",
        ),
        (None, "no reply and no error from"),
    ] {
        let far = FakeFar {
            ports: Vec::new(),
            closed,
            ping: PingSeen::Silent,
            ..FakeFar::erring(deaf)
        };
        let (checks, verdict) = examined(far, None);
        assert_eq!(with(&checks, Status::Fail), ["reach.udp"]);
        let udp = checks
            .iter()
            .find(|checked| checked.id == "reach.udp")
            .unwrap();
        assert!(udp.judged.finding.starts_with(finding), "{udp:?}");
        assert_eq!((verdict.exit, verdict.command), (Exit::CouldNot, None));
    }
}

#[test]
fn a_port_that_is_silent_is_not_said_to_be_closed() {
    let far = FakeFar {
        ports: vec![862],
        ..FakeFar::erring(|_, _| Vec::new())
    };
    let (checks, _) = examined(far, None);
    let udp = checks
        .iter()
        .find(|checked| checked.id == "reach.udp")
        .unwrap();
    let finding = &udp.judged.rows[0].finding;
    assert!(
        finding.starts_with("no reply and no error from UDP port 862 of 203.0.113.7:"),
        "{finding}"
    );
    assert!(!finding.contains("20001"), "{finding}");
}

#[cfg(feature = "control")]
#[test]
fn a_server_needs_no_reflector_beside_it() {
    let far = FakeFar {
        ports: Vec::new(),
        tcp: vec![(862, Connection::Open(greeting(1, 1_024, 7)))],
        ..FakeFar::honest()
    };
    let (checks, verdict) = examined(far, None);
    assert_eq!(with(&checks, Status::Fail), [""; 0]);
    assert_eq!(verdict.exit, Exit::Done);
    assert_eq!(verdict.command.as_deref(), Some("twinpath controller r1"));
}

#[test]
fn each_error_is_found_by_its_check() {
    let mut wrong = Vec::new();
    for (id, finding, far) in errors::all() {
        let (checks, _) = examined(far, None);
        let found = checks.iter().find(|checked| checked.id == id).unwrap();
        let judged = &found.judged;
        let is_right = judged.finding.contains(finding)
            && matches!(judged.status, Status::Fail | Status::Warn)
            && judged.advice.is_some();
        if !is_right {
            wrong.push(format!("{finding}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_far_end_that_demands_the_hmac_of_tlvs_is_said_to_do_so_once() {
    let (checks, verdict) = examined(errors::tlv_with(0, 0x20), None);
    let tlvs: Vec<&Judged> = checks
        .iter()
        .filter(|checked| checked.id.starts_with("stamp.tlv."))
        .map(|checked| &checked.judged)
        .collect();
    assert_eq!(tlvs.len(), 9);
    for judged in &tlvs {
        assert_eq!(judged.status, Status::Unknown, "{judged:?}");
        let row = (&judged.finding, &judged.advice);
        assert_eq!(row, (&tlvs[0].finding, &tlvs[0].advice));
    }
    assert!(tlvs[0].finding.contains("refused without a right HMAC"));
    assert_eq!(verdict.exit, Exit::Done);
    // What it marks besides tells something.
    let (checks, _) = examined(errors::tlv_with(0, 0xa0), None);
    let is_unknown = |id: &str| with(&checks, Status::Unknown).contains(&id);
    assert!(!is_unknown("stamp.tlv.unknown"));
    assert!(is_unknown("stamp.tlv.malformed"));
}

#[test]
fn losses_are_not_taken_for_what_a_far_end_does_not_support() {
    for period in 2..9 {
        for phase in 0..period {
            let (checks, _) =
                examined(errors::losing(move |number| number % period == phase), None);
            assert_eq!(with(&checks, Status::Fail), [""; 0], "{period} {phase}");
            let mut warned = with(&checks, Status::Warn);
            warned.retain(|id| *id != "light.answers");
            assert_eq!(warned, ["test.one-reply"], "{period} {phase}");
        }
    }
}

/// A greeting with these modes and this Count.
fn greeting(modes: u32, count: u32, challenge: u8) -> Vec<u8> {
    let mut said = vec![0; 12];
    said.extend(modes.to_be_bytes());
    said.extend([challenge; 32]);
    said.extend(count.to_be_bytes());
    said.extend([0; 12]);
    said
}

#[test]
fn what_listens_on_the_control_port_is_judged_by_what_it_says() {
    let text = b"SSH-2.0-OpenSSH_9.2p1 and a comment that makes it as long as a greeting";
    for (said, wrong) in [
        (greeting(1, 1_024, 7), vec![]),
        (greeting(0x37f, 1_024, 7), vec![]),
        (greeting(0, 0, 0), vec!["control.modes"]),
        (greeting(0x60, 1_024, 7), vec!["control.modes"]),
        (greeting(1, 0, 0), vec!["control.greeting"]),
        (greeting(0x1000_0001, 1_024, 7), vec!["control.modes"]),
        (greeting(7, 1_000, 7), vec!["control.greeting"]),
        (greeting(7, 1_024, 0), vec!["control.greeting"]),
        (greeting(7, 1 << 15, 7), vec![]),
        (greeting(7, 1 << 16, 7), vec!["control.greeting"]),
        (greeting(7, 1 << 20, 7), vec!["control.greeting"]),
        (greeting(7, 1 << 24, 7), vec!["control.greeting"]),
        // Its Count is of no use in the open mode.
        (greeting(1, 1 << 16, 7), vec![]),
        (Vec::new(), vec!["control.connect"]),
        (text.to_vec(), vec!["control.connect"]),
    ] {
        let far = FakeFar {
            tcp: vec![(862, Connection::Open(said.clone()))],
            ..FakeFar::honest()
        };
        let (checks, verdict) = examined(far, None);
        let found = [with(&checks, Status::Fail), with(&checks, Status::Warn)].concat();
        assert_eq!(found, wrong, "{said:?}");
        let speaks = verdict.sentence.contains("TWAMP-Control");
        assert_eq!(
            speaks,
            wrong.first() != Some(&"control.connect"),
            "{verdict:?}"
        );
    }
}

#[test]
fn a_closed_port_is_found_although_its_host_limits_icmp_errors() {
    // The errors of the first packets are those that the host does not send.
    let mut limited = Limited {
        far: FakeFar {
            ports: Vec::new(),
            ..FakeFar::honest()
        },
        rounds: 0,
    };
    let mut seen = Seen::new(plan());
    let checks = examine(CHECKS, &mut seen, &mut limited);
    let udp = checks.iter().find(|checked| checked.id == "reach.udp");
    let finding = &udp.unwrap().judged.finding;
    assert!(finding.starts_with("nothing listens on"), "{finding}");
}

#[test]
fn requests_that_overtake_others_leave_the_numbers_of_replies_as_they_must_be() {
    // The reflector counts, and two by two its requests come in the other order.
    let far = FakeFar::changing(|_, reply| {
        let copied = u32::from_be_bytes(*reply[24..].first_chunk().unwrap());
        let own = (copied - train::FIRST) ^ 1;
        reply[..4].copy_from_slice(&own.to_be_bytes());
    });
    let (checks, _) = examined(far, None);
    let numbers = checks.iter().find(|checked| checked.id == "test.numbers");
    let judged = &numbers.unwrap().judged;
    assert_eq!(judged.status, Status::Ok, "{judged:?}");
    assert_eq!(judged.data["numbering"], "stateful");
}

#[test]
fn a_far_end_that_answers_only_when_asked_again_is_not_said_to_be_silent() {
    // As one whose rate limit has no reserve left.
    let mut left = 6;
    let (checks, verdict) = examined(
        FakeFar::erring(move |_, replies| {
            let is_dropped = left > 0;
            left -= i32::from(is_dropped);
            if is_dropped { Vec::new() } else { replies }
        }),
        None,
    );
    let light = checks.iter().find(|checked| checked.id == "light.answers");
    let finding = &light.unwrap().judged.finding;
    assert_eq!(
        finding,
        "203.0.113.7:862 answers TWAMP Light: 2 of 5 packets"
    );
    // STAMP is tried once more too.
    let command = verdict.command.as_deref();
    assert_eq!(command, Some("twinpath sender r1 --stamp"));
    assert_eq!(verdict.further, ["twinpath sender r1:862"]);
    assert_eq!(with(&checks, Status::Fail), [""; 0]);
}

#[test]
fn silence_may_be_that_of_a_far_end_that_wants_a_key() {
    let far = FakeFar::erring(|_, _| Vec::new());
    let (checks, _) = examined(far, Some(862));
    let udp = checks.iter().find(|checked| checked.id == "reach.udp");
    let advice = udp.unwrap().judged.advice.as_ref().unwrap();
    assert!(advice.contains("--hmac-key-file FILE"), "{advice}");
}

/// A far end that is asked for so many rounds.
struct Stopped {
    far: FakeFar,
    rounds: usize,
}

impl World for Stopped {
    fn ask(&mut self, asks: &[Ask]) -> Vec<Answer> {
        let Some(rounds) = self.rounds.checked_sub(1) else {
            return Vec::new();
        };
        self.rounds = rounds;
        self.far.ask(asks)
    }
}

#[test]
fn what_an_examination_that_ends_early_has_not_asked_is_not_judged() {
    for rounds in 0..3 {
        let mut stopped = Stopped {
            far: FakeFar::honest(),
            rounds,
        };
        let mut seen = Seen::new(plan());
        let checks = examine(CHECKS, &mut seen, &mut stopped);
        for status in [Status::Fail, Status::Warn] {
            assert_eq!(with(&checks, status), [""; 0], "{rounds}");
        }
        let silent = checks.iter().find(|checked| {
            let finding = &checked.judged.finding;
            // The first round shows whether there is one.
            let is_early = rounds == 0 && finding.contains("no TWAMP server");
            finding.contains("no replies") || is_early
        });
        assert_eq!(silent, None, "{rounds}");
        let verdict = verdict(&seen, &checks);
        if rounds == 0 {
            assert_eq!(verdict.exit, Exit::CouldNot);
            let said =
                "it is not known whether r1 answers TWAMP or STAMP: the examination ended early";
            assert_eq!(verdict.sentence, said);
        } else {
            let said = &verdict.sentence;
            assert!(
                said.contains("; the examination ended early, and "),
                "{said}"
            );
            assert!(!said.contains("nothing is wrong"), "{said}");
        }
    }
}

/// A far end without ICMP errors in the first round.
struct Limited {
    far: FakeFar,
    rounds: usize,
}

impl World for Limited {
    fn ask(&mut self, asks: &[Ask]) -> Vec<Answer> {
        self.rounds += 1;
        self.far.closed = (self.rounds > 1).then_some(IcmpKind::PortUnreachable);
        self.far.ask(asks)
    }
}
