//! Examinations that are cut short within a question.

use super::*;

/// Trains to port 20001 are cut short, which ends the examination.
struct CutShort(FakeFar);

impl World for CutShort {
    fn ask(&mut self, asks: &[Ask]) -> Vec<Answer> {
        let answers = asks.iter().zip(self.0.ask(asks));
        let cut = answers.map(|(ask, answer)| {
            let is_cut = matches!(ask, Ask::Train(far, ..) if far.port() == 20_001);
            if is_cut {
                Answer::Cut { sent: 2 }
            } else {
                answer
            }
        });
        cut.collect()
    }
}

fn cut_short(far: FakeFar) -> (Seen, Vec<Checked>, Verdict) {
    let mut seen = Seen::new(plan());
    let checks = examine(CHECKS, &mut seen, &mut CutShort(far));
    let verdict = verdict(&seen, &checks);
    (seen, checks, verdict)
}

#[test]
fn what_was_answered_before_is_known_and_what_was_sent_is_counted() {
    let (seen, checks, verdict) = cut_short(FakeFar::honest());
    let said = &verdict.sentence;
    assert!(said.starts_with("r1 speaks STAMP (UDP port 862)"), "{said}");
    assert!(
        said.contains("; the examination ended early, and "),
        "{said}"
    );
    // An Echo, two connections, six packets, and those of two trains that were cut short.
    assert_eq!(seen.packets(), 1 + 2 + 6 + 2 + 2);
    assert_eq!(with(&checks, Status::Fail), [""; 0]);
}

#[test]
fn a_far_end_that_was_not_waited_for_is_not_said_to_answer_nothing() {
    let silent = FakeFar {
        ports: Vec::new(),
        closed: None,
        ..FakeFar::honest()
    };
    let (_, checks, verdict) = cut_short(silent);
    assert_eq!(
        verdict.sentence,
        "it is not known whether r1 answers TWAMP or STAMP: the examination ended early"
    );
    assert_eq!(with(&checks, Status::Fail), [""; 0]);
}

/// The 20 packets in a row are interrupted, once so many of them are answered.
struct PartOfPaced {
    far: FakeFar,
    answered: usize,
}

impl World for PartOfPaced {
    fn ask(&mut self, asks: &[Ask]) -> Vec<Answer> {
        let answers = asks.iter().zip(self.far.ask(asks));
        let cut = answers.map(|(ask, answer)| match (ask, answer) {
            (Ask::Train(_, kind, _), Answer::Train(mut requests, Ok(mut seen)))
                if **kind == train::PACED =>
            {
                requests.truncate(self.answered + 1);
                seen.departures.truncate(self.answered + 1);
                seen.replies.truncate(self.answered);
                Answer::Part(requests, seen)
            }
            (_, answer) => answer,
        });
        cut.collect()
    }
}

#[test]
fn packets_that_were_answered_before_the_end_are_judged() {
    let of = |far: FakeFar| {
        let mut seen = Seen::new(plan());
        let checks = examine(CHECKS, &mut seen, &mut PartOfPaced { far, answered: 8 });
        (checks, seen.packets())
    };
    let (checks, sent) = of(FakeFar::honest());
    for id in [
        "test.numbers",
        "test.copied",
        "test.residence",
        "test.sender-ttl",
    ] {
        let said = judged(&checks, id);
        assert_eq!(said.status, Status::Ok, "{id}: {said:?}");
        assert!(said.finding.ends_with(" (interrupted)"), "{id}: {said:?}");
    }
    // That there is no server was known before.
    #[cfg(feature = "control")]
    {
        let session = judged(&checks, "control.start-delay");
        assert_eq!(session.finding, "no TWAMP server", "{session:?}");
    }
    // The last had no time for its reply.
    let lost = judged(&checks, "test.one-reply");
    assert_eq!(lost.status, Status::Skipped, "{lost:?}");
    assert_eq!(with(&checks, Status::Fail), [""; 0]);
    assert_eq!(with(&checks, Status::Warn), [""; 0]);
    let (whole, all) = {
        let mut seen = Seen::new(plan());
        let checks = examine(CHECKS, &mut seen, &mut FakeFar::honest());
        (checks, seen.packets())
    };
    assert!(sent < all, "{sent} of {all}");
    assert_eq!(judged(&whole, "test.numbers").status, Status::Ok);
    // An error in replies that came stands.
    let swapped = FakeFar::changing(|_, reply| {
        let (t3, t2) = (reply[4..12].to_vec(), reply[16..24].to_vec());
        reply[4..12].copy_from_slice(&t2);
        reply[16..24].copy_from_slice(&t3);
    });
    let (checks, _) = of(swapped);
    let said = judged(&checks, "test.residence");
    assert_eq!(said.status, Status::Fail, "{said:?}");
    assert!(said.finding.ends_with(" (interrupted)"), "{said:?}");
}

/// The first session is interrupted, once so many of its packets are answered.
#[cfg(feature = "control")]
struct Interrupted {
    far: FakeFar,
    answered: usize,
}

#[cfg(feature = "control")]
impl World for Interrupted {
    fn ask(&mut self, asks: &[Ask]) -> Vec<Answer> {
        let mut answers = self.far.ask(asks);
        for answer in &mut answers {
            if let Answer::Dialogue(dialogue) = answer {
                let mut seen = dialogue.seen.clone();
                seen.end = twinpath_runtime::probe::DialogueEnd::CutShort;
                if let Some(train) = seen.sessions.iter_mut().find_map(|one| one.train.as_mut()) {
                    train.paced.1.replies.truncate(self.answered);
                    train.paced.1.departures.truncate(self.answered + 2);
                }
                **dialogue = dialogue::Dialogue::new(seen);
                assert!(!dialogue.is_whole() && dialogue.has_answer());
                dialogue.is_interrupted = true;
            }
        }
        answers
    }
}

#[cfg(feature = "control")]
fn interrupted(answered: usize, server: FakeFar) -> (Vec<Checked>, Verdict) {
    let mut seen = Seen::new(plan());
    let far = FakeFar {
        ports: Vec::new(),
        tcp: vec![(862, Connection::Open(greeting(1, 1_024, 7)))],
        ..server
    };
    let checks = examine(CHECKS, &mut seen, &mut Interrupted { far, answered });
    let verdict = verdict(&seen, &checks);
    (checks, verdict)
}

#[cfg(feature = "control")]
#[test]
fn what_an_interrupted_dialogue_has_shown_is_kept() {
    let (checks, verdict) = interrupted(5, FakeFar::honest());
    let judged = |id: &str| judged(&checks, id);
    let session = judged("control.session");
    assert_eq!(session.status, Status::Ok, "{session:?}");
    assert!(session.finding.ends_with("(interrupted)"), "{session:?}");
    for id in [
        "session.copied",
        "session.numbers",
        "session.residence",
        "control.port",
    ] {
        assert_eq!(judged(id).status, Status::Ok, "{id}");
        assert!(judged(id).finding.ends_with("(interrupted)"), "{id}");
    }
    // That others were lost, and how it ends, is not known.
    for id in ["session.one-reply", "control.stop"] {
        assert_eq!(judged(id).status, Status::Skipped, "{id}");
        assert_eq!(
            judged(id).finding,
            "interrupted before it was known",
            "{id}"
        );
    }
    assert_eq!(judged("control.dscp").status, Status::Skipped);
    let said = &verdict.sentence;
    assert!(
        said.starts_with("r1 speaks TWAMP-Control, and nothing wrong was found"),
        "{said}"
    );
    assert!(
        said.contains("; the examination ended early, and "),
        "{said}"
    );
    assert_eq!(verdict.command.as_deref(), Some("twinpath controller r1"));
    // Before any packet is answered, no more is known than the port.
    let (checks, verdict) = interrupted(
        0,
        FakeFar {
            server: Box::new(servers::silent),
            ..FakeFar::honest()
        },
    );
    for status in [Status::Fail, Status::Warn] {
        assert_eq!(with(&checks, status), [""; 0]);
    }
    let session = checks
        .iter()
        .find(|checked| checked.id == "control.session");
    let finding = &session.unwrap().judged.finding;
    assert!(
        finding.starts_with("a session is agreed on: UDP port "),
        "{finding}"
    );
    assert_eq!(verdict.command, None);
}

#[cfg(feature = "control")]
#[test]
fn errors_in_answers_are_kept_of_an_interrupted_dialogue() {
    let (checks, verdict) = interrupted(
        5,
        FakeFar {
            server: Box::new(servers::without_t2),
            ..FakeFar::honest()
        },
    );
    assert_eq!(with(&checks, Status::Fail), ["session.time-format"]);
    assert!(verdict.sentence.contains("1 check failed"), "{verdict:?}");
}

#[test]
fn a_load_that_was_stopped_is_said_in_the_verdict() {
    let mut seen = Seen::new(plan());
    let mut far = FakeFar::honest();
    let mut checks = examine(CHECKS, &mut seen, &mut far);
    let mut stopped = Stopped { far, rounds: 0 };
    checks.push(stress::run(Some(1_000), &seen, &mut stopped));
    let rate = checks.last().unwrap();
    assert!(
        rate.judged.finding.contains("the load of --stress"),
        "{rate:?}"
    );
    let said = verdict(&seen, &checks).sentence;
    assert!(
        said.ends_with("; the examination ended early, during the load of --stress"),
        "{said}"
    );
    assert!(!said.contains("could not tell"), "{said}");
}

/// What comes after the greeting is cut short, or fails on this host.
#[cfg(feature = "control")]
struct WithoutDialogues(FakeFar);

#[cfg(feature = "control")]
impl World for WithoutDialogues {
    fn ask(&mut self, asks: &[Ask]) -> Vec<Answer> {
        let answers = asks.iter().zip(self.0.ask(asks));
        let cut = answers.map(|(ask, answer)| match ask {
            Ask::Dialogue(_) => Answer::Cut { sent: 1 },
            Ask::Ping(_)
            | Ask::Connect(_)
            | Ask::Train(..)
            | Ask::Ladder(..)
            | Ask::Load(..)
            | Ask::SessionLoad(..)
            | Ask::Host(_) => answer,
        });
        cut.collect()
    }
}

#[cfg(feature = "control")]
#[test]
fn what_depends_on_a_session_that_was_cut_short_is_not_made() {
    let far = FakeFar {
        tcp: vec![(862, Connection::Open(greeting(1 | 32, 1_024, 7)))],
        ..FakeFar::honest()
    };
    let mut seen = Seen::new(plan());
    let checks = examine(CHECKS, &mut seen, &mut WithoutDialogues(far));
    let known = [
        "control.connect",
        "control.modes",
        "control.greeting",
        // There is no reason to ask for these.
        "control.feature.individual-control",
        "control.feature.symmetrical-size",
        "control.feature.dscp-monitoring",
        "control.feature.ptp-timestamps",
        "control.mode.authenticated",
        "control.mode.encrypted",
        "control.mode.mixed",
        "control.wrong-key",
        "control.unknown-key",
    ];
    let mut not_made = 0;
    for checked in &checks {
        let is_of_server = ["control.", "session."]
            .iter()
            .any(|part| checked.id.starts_with(part));
        if is_of_server && !known.contains(&checked.id) {
            assert_eq!(checked.judged.untold, Untold::Cut, "{checked:?}");
            not_made += 1;
        }
    }
    assert!(not_made >= 20, "{not_made}");
    for id in known {
        assert_eq!(judged(&checks, id).untold, Untold::Unclear, "{id}");
    }
}
