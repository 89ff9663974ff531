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
    let mut seen = Seen::new(FarEndPlan {
        name: "r1".to_owned(),
        host: "r1".to_owned(),
        addresses: vec![FAR.parse().unwrap()],
        port: None,
        keys: Keys::default(),
    });
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

#[test]
fn a_load_that_was_stopped_is_said_in_the_verdict() {
    let mut seen = Seen::new(FarEndPlan {
        name: "r1".to_owned(),
        host: "r1".to_owned(),
        addresses: vec![FAR.parse().unwrap()],
        port: None,
        keys: Keys::default(),
    });
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
