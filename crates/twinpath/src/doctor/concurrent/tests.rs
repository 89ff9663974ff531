//! Dialogues with servers that take any number, or few, at once.

use std::sync::Condvar;
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use twinpath_proto::{Refusal, Step};
use twinpath_wire::Mono;
use twinpath_wire::control::Modes;

use super::*;
use crate::doctor::dialogue::{self, Adapted, DialogueKind};
use crate::doctor::tests::servers;

static KINDS: [&DialogueKind; 8] = [
    &dialogue::ANY_PORT,
    &dialogue::ZERO_ADDRESSES,
    &dialogue::OF_CLASS,
    &dialogue::LARGE,
    &dialogue::PAST,
    &dialogue::SYMMETRICAL,
    &dialogue::MONITORED,
    &dialogue::PTP,
];

fn ask(kind: &'static DialogueKind) -> DialogueAsk {
    DialogueAsk {
        server: "203.0.113.7:862".parse().unwrap(),
        kind,
        mode: SecurityMode::Unauthenticated,
        adapted: Adapted::default(),
    }
}

/// What a server does with one more than it takes.
type Refusing = fn(&mut DialogueSeen);

/// How long a dialogue goes on for others to begin beside it, where none may.
const ALONE: Duration = Duration::from_millis(40);

/// A server that takes `most` dialogues at once.
struct Server {
    most: usize,
    refuses: Refusing,
    now: Mutex<Now>,
    changed: Condvar,
    start: Instant,
    /// The thread that asks for all.
    asking: ThreadId,
}

#[derive(Default)]
struct Now {
    running: usize,
    /// Each, and how many went on at most while it did.
    begun: Vec<(&'static str, usize)>,
    /// Those had by no thread of their own.
    alone: usize,
}

impl Server {
    fn new(most: usize, refuses: Refusing) -> Self {
        Self {
            most,
            refuses,
            now: Mutex::default(),
            changed: Condvar::new(),
            start: Instant::now(),
            asking: thread::current().id(),
        }
    }

    fn now(&self) -> Mono {
        Mono::from_ns(0) + self.start.elapsed()
    }

    fn have(&self, ask: &DialogueAsk, is_known_full: &dyn Fn() -> bool) -> DialogueSeen {
        let mut now = self.now.lock().unwrap();
        now.running += 1;
        let (running, place) = (now.running, now.begun.len());
        now.begun.push((ask.kind.name, running));
        for (_, beside) in now.begun.iter_mut().rev().take(running) {
            *beside = (*beside).max(running);
        }
        now.alone += usize::from(thread::current().id() == self.asking);
        let is_taken = running <= self.most;
        let from = self.now();
        self.changed.notify_all();
        // The first go on until all threads have begun one, others until a companion has.
        let (wait, least) = if place < SIDE_BY_SIDE {
            (Duration::from_secs(20), SIDE_BY_SIDE)
        } else {
            (ALONE, place + 2)
        };
        let is_alone = |now: &mut Now| now.begun.len() < least;
        let (mut now, _) = self
            .changed
            .wait_timeout_while(now, wait, is_alone)
            .unwrap();
        // One that is refused is over before those that are taken: then no other begins beside these.
        if is_taken && place < SIDE_BY_SIDE && self.most < SIDE_BY_SIDE {
            drop(now);
            let end = Instant::now() + Duration::from_secs(20);
            while !is_known_full() && Instant::now() < end {
                thread::sleep(Duration::from_millis(1));
            }
            now = self.now.lock().unwrap();
        }
        now.running -= 1;
        let to = self.now();
        drop(now);
        let mut seen = servers::agreed(ask);
        seen.held = Some(Span { from, to });
        if !is_taken {
            seen.held = None;
            for session in &mut seen.sessions {
                session.train = None;
            }
            (self.refuses)(&mut seen);
        }
        seen
    }

    /// All dialogues, and how often each was begun.
    fn had(&self, asks: &[DialogueAsk]) -> (Vec<Dialogue>, Vec<usize>) {
        let have = |ask: &DialogueAsk, is_full: &dyn Fn() -> bool| self.have(ask, is_full);
        let had = have_all(asks, &mut Repeats::new(), &have);
        let had: Vec<Dialogue> = had.into_iter().map(Option::unwrap).collect();
        let now = self.now.lock().unwrap();
        let times = asks.iter().map(|ask| {
            let begun = now.begun.iter();
            begun.filter(|(name, _)| *name == ask.kind.name).count()
        });
        (had, times.collect())
    }

    fn most_running(&self) -> usize {
        let now = self.now.lock().unwrap();
        now.begun.iter().map(|(_, beside)| *beside).max().unwrap()
    }

    /// How many went on beside those that began after so many were begun again.
    fn running_after(&self, again: usize) -> Vec<usize> {
        let now = self.now.lock().unwrap();
        let is_again = |place: &usize| {
            let (name, _) = now.begun[*place];
            let before = &now.begun[..*place];
            before.iter().any(|(earlier, _)| *earlier == name)
        };
        let mut repeated = (0..now.begun.len()).filter(is_again);
        let from = repeated.nth(again - 1).unwrap();
        let after = now.begun[from..].iter();
        after.map(|(_, beside)| *beside).collect()
    }
}

/// All dialogues; none is lost.
fn all_had(
    asks: &[DialogueAsk],
    have: &(dyn Fn(&DialogueAsk) -> DialogueSeen + Sync),
) -> Vec<Dialogue> {
    let had = have_all(asks, &mut Repeats::new(), &|ask, _| have(ask));
    had.into_iter().map(Option::unwrap).collect()
}

fn refusal(step: Step, accept: Accept) -> Refusal {
    let octet = accept.octet();
    Refusal { step, octet }
}

fn without_greeting(seen: &mut DialogueSeen) {
    seen.sessions.clear();
    seen.end = DialogueEnd::Mute;
}

fn without_room(seen: &mut DialogueSeen) {
    for session in &mut seen.sessions {
        session.answer = Some(Err(refusal(Step::Request, Accept::TemporaryLimit)));
    }
}

#[test]
fn a_server_that_takes_many_has_each_dialogue_once_and_few_at_a_time() {
    let server = Server::new(usize::MAX, without_greeting);
    let asks = KINDS.map(ask);
    let (had, times) = server.had(&asks);
    assert_eq!(times, [1; 8]);
    assert_eq!(had.len(), asks.len());
    assert_eq!(server.most_running(), 6);
    assert!(had.iter().all(|dialogue| dialogue.before.is_none()));
}

#[test]
fn what_a_server_has_no_room_for_is_had_again_alone_and_then_one_at_a_time() {
    // One without a greeting may be a loss, and a refusal is none.
    let cases: [(usize, Refusing, usize); 5] = [
        (1, without_greeting, SEVERAL),
        (2, without_greeting, SEVERAL),
        (1, without_room, 1),
        (2, without_room, 1),
        (3, without_room, 1),
    ];
    for (most, refuses, telling) in cases {
        let server = Server::new(most, refuses);
        let asks = KINDS.map(ask);
        let (had, times) = server.had(&asks);
        let crowded = had.iter().filter(|dialogue| dialogue.before.is_some());
        let repeated = crowded.count();
        assert!(
            (telling..=MOST_REPEATED).contains(&repeated),
            "{most}: {repeated}"
        );
        assert_eq!(times.iter().sum::<usize>(), asks.len() + repeated, "{most}");
        for (ask, dialogue) in asks.iter().zip(&had) {
            assert!(!is_crowded_out(ask, &dialogue.seen), "{most}: {dialogue:?}");
        }
        assert_eq!(server.most_running(), SIDE_BY_SIDE, "{most}");
        let after = server.running_after(telling);
        assert!(
            after.iter().all(|running| *running == 1),
            "{most}: {after:?}"
        );
    }
}

#[test]
fn a_server_that_takes_enough_has_no_more_at_a_time() {
    for most in ENOUGH..SIDE_BY_SIDE {
        let server = Server::new(most, without_room);
        let asks = KINDS.map(ask);
        let (had, times) = server.had(&asks);
        let repeated = had.iter().map(Dialogue::repeats).sum::<usize>();
        assert!(
            (1..=MOST_REPEATED).contains(&repeated),
            "{most}: {repeated}"
        );
        assert_eq!(times.iter().sum::<usize>(), asks.len() + repeated, "{most}");
        for (ask, dialogue) in asks.iter().zip(&had) {
            assert!(is_taken(ask, &dialogue.seen), "{most}: {dialogue:?}");
        }
        assert_eq!(server.now.lock().unwrap().alone, 0, "{most}");
        let after = server.running_after(1);
        assert!(after.iter().all(|running| *running <= most), "{after:?}");
        assert!(repeated < 2 || after.len() < 2 || after.iter().any(|running| *running > 1));
    }
}

/// A server refuses this request, and one other dialogue that is beside others.
#[test]
fn a_request_that_is_refused_alone_too_hides_no_lack_of_room() {
    let begun = Mutex::new(BTreeMap::new());
    let asks = KINDS.map(ask);
    let had = all_had(&asks, &|ask| {
        let mut begun = begun.lock().unwrap();
        let times: &mut usize = begun.entry(ask.kind.name).or_default();
        *times += 1;
        let is_crowded = ask.kind.name == dialogue::PTP.name && *times == 1;
        let mut seen = servers::agreed(ask);
        if is_crowded || ask.kind.name == dialogue::ANY_PORT.name {
            seen.sessions[0].train = None;
            without_room(&mut seen);
        }
        seen
    });
    let begun = begun.into_inner().unwrap();
    assert_eq!(begun[dialogue::ANY_PORT.name], 2);
    assert_eq!(begun[dialogue::PTP.name], 2);
    assert!(is_taken(&asks[7], &had[7].seen) && had[7].before.is_some());
}

#[test]
fn what_is_known_of_a_dialogue_is_kept_where_its_repeat_is_cut_short() {
    for end in [
        DialogueEnd::CutShort,
        DialogueEnd::Here("no descriptor is left".to_owned()),
    ] {
        let is_first = AtomicBool::new(true);
        let asks = [ask(&dialogue::PAST), ask(&dialogue::PTP)];
        let had = all_had(&asks, &|ask| {
            let mut seen = servers::agreed(ask);
            if ask.kind.name == dialogue::PAST.name {
                seen.sessions[0].train = None;
                if is_first.swap(false, Ordering::Relaxed) {
                    without_room(&mut seen);
                } else {
                    seen.sessions.clear();
                    seen.end = end.clone();
                }
            }
            seen
        });
        let first = &had[0];
        let refused = first.seen.sessions[0].answer.unwrap().unwrap_err();
        assert_eq!(refused.accept(), Accept::TemporaryLimit);
        assert!(!is_taken(&asks[0], &first.seen) && first.before.is_none());
        assert!(
            !first.is_whole(),
            "an end of the examination leaves it open"
        );
        // Its second connection is counted.
        assert_eq!(first.sent(), 1, "{first:?}");
    }
}

#[test]
fn a_dialogue_that_is_lost_leaves_the_others_at_their_places() {
    let asks = KINDS.map(ask);
    let had = have_all(&asks, &mut Repeats::new(), &|ask, _| {
        assert_ne!(ask.kind.name, dialogue::OF_CLASS.name, "a test's panic");
        DialogueSeen {
            // To know it by.
            modes: ask.kind.features,
            ..servers::agreed(ask)
        }
    });
    assert_eq!(had.len(), asks.len());
    for (place, (ask, had)) in asks.iter().zip(&had).enumerate() {
        let features = had.as_ref().map(|had| had.seen.modes);
        let expected = (place != 2).then_some(ask.kind.features);
        assert_eq!(features, expected, "{}", ask.kind.name);
    }
}

#[test]
fn a_request_that_is_refused_alone_too_slows_nothing_down() {
    let refuses_dscp = |ask: &DialogueAsk| {
        let mut seen = servers::agreed(ask);
        if ask.kind.name == dialogue::OF_CLASS.name {
            seen.sessions[0].train = None;
            without_room(&mut seen);
        }
        seen
    };
    let begun = Mutex::new(Vec::new());
    let asks = KINDS.map(ask);
    let had = all_had(&asks, &|ask| {
        begun.lock().unwrap().push(ask.kind.name);
        refuses_dscp(ask)
    });
    let begun = begun.into_inner().unwrap();
    assert_eq!(begun.len(), asks.len() + 1, "{begun:?}");
    let refused: Vec<usize> = (0..asks.len())
        .filter(|place| is_crowded_out(&asks[*place], &had[*place].seen))
        .collect();
    assert_eq!(refused, [2]);
}

#[test]
fn logins_that_must_fail_come_last_and_none_is_made_twice() {
    let in_mode = |kind: &'static DialogueKind| DialogueAsk {
        mode: SecurityMode::Authenticated,
        ..ask(kind)
    };
    let asks = [
        in_mode(&dialogue::WRONG_PASSPHRASE),
        in_mode(&dialogue::UNKNOWN_KEY),
        in_mode(&dialogue::ANY_PORT),
        in_mode(&dialogue::AUTHENTICATED),
    ];
    let begun = Mutex::new(Vec::new());
    let had = all_had(&asks, &|ask| {
        begun.lock().unwrap().push(ask.kind.name);
        let mut seen = servers::agreed(ask);
        seen.sessions.clear();
        seen.offered = Modes::from_bits(2);
        seen.end = DialogueEnd::Refused(refusal(Step::SetUp, Accept::Failure));
        seen
    });
    assert_eq!(had.len(), asks.len());
    let begun = begun.into_inner().unwrap();
    let last = [dialogue::WRONG_PASSPHRASE.name, dialogue::UNKNOWN_KEY.name];
    assert_eq!(begun.len(), asks.len(), "{begun:?}");
    assert_eq!(begun[2..], last);
}

#[test]
fn one_without_an_answer_is_had_again_and_a_silent_server_only_once() {
    let of = |silent_times: usize| {
        let mut repeats = Repeats::new();
        let times = Mutex::new(0);
        let have = |ask: &DialogueAsk, _: &dyn Fn() -> bool| {
            let mut times = times.lock().unwrap();
            *times += 1;
            let mut seen = servers::agreed(ask);
            if *times <= silent_times {
                seen.sessions.clear();
                seen.end = DialogueEnd::Mute;
            }
            seen
        };
        let first = have_all(&[ask(&dialogue::SESSION)], &mut repeats, &have);
        let next = have_all(&[ask(&dialogue::AGAIN)], &mut repeats, &have);
        let silent = [first, next].map(|had| had.iter().flatten().any(|one| is_silent(&one.seen)));
        (silent, *times.lock().unwrap())
    };
    assert_eq!(of(0), ([false, false], 2));
    // A lost greeting.
    assert_eq!(of(1), ([false, false], 3));
    assert_eq!(of(9), ([true, true], 3));
}

#[test]
fn one_lost_answer_beside_others_is_asked_for_again() {
    let is_lost = AtomicBool::new(false);
    let asks = KINDS.map(ask);
    let had = all_had(&asks, &|ask| {
        let mut seen = servers::agreed(ask);
        if ask.kind.name == dialogue::PAST.name && !is_lost.swap(true, Ordering::Relaxed) {
            seen.sessions.clear();
            seen.end = DialogueEnd::Mute;
        }
        seen
    });
    assert!(had.iter().all(|one| !is_silent(&one.seen)));
    let repeated = had.iter().filter(|one| one.before.is_some()).count();
    assert_eq!(repeated, 1);
}
