//! Next hops of sessions over members of links.
//!
//! The kernel looks for the neighbours that it sends to, but sessions over members bypass its IP layer.
//! One thread of this process takes from the kernel what it knows of each far end, and has it look for
//! those that it does not know and for those that have fallen silent: they may have another EUI-48
//! address since.

use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tracing::{error, warn};
use twinpath_net::{NextHop, clock};
use twinpath_wire::Mono;

/// How long who asks for a next hop waits for it at most.
const PATIENCE: Duration = Duration::from_millis(200);
/// Nobody waits for so long after a wait that was in vain.
const NO_WAIT: Duration = Duration::from_secs(5);
/// How often the kernel's table is looked at: while it lacks a far end, and later.
const SEEK_EVERY: Duration = Duration::from_millis(100);
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often the kernel is asked to look for a far end: at first, and at last.
const ASK_FIRST: Duration = Duration::from_millis(200);
const ASK_LAST: Duration = Duration::from_secs(5);
/// How often it is asked to confirm a far end from which nothing comes.
const CONFIRM_EVERY: Duration = Duration::from_secs(2);
/// How often a line says that a neighbour has another EUI-48 address.
const SAY_CHANGE_EVERY: Duration = Duration::from_mins(1);

/// A next hop that is looked after.
#[derive(Debug)]
struct Watched {
    hop: Weak<NextHop>,
    pace: Pace,
}

/// When what is done for a next hop.
#[derive(Debug)]
struct Pace {
    look_due: Mono,
    ask_due: Mono,
    ask_after: Duration,
    /// It was said that it is waited for.
    is_missed: bool,
    say_change_due: Mono,
}

/// What is to be said of a next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    Missing,
    Found,
    Changed,
}

impl Pace {
    fn new(now: Mono) -> Self {
        Self {
            look_due: now,
            ask_due: now,
            ask_after: ASK_FIRST,
            is_missed: false,
            say_change_due: now,
        }
    }

    /// The kernel's table was looked at: `before` and `found`, the EUI-48 addresses known before and there
    /// now; `is_heard`, something came from the far end. Whether the kernel is to be asked, and what is
    /// to be said.
    fn step(
        &mut self,
        now: Mono,
        (before, found): (Option<[u8; 6]>, Option<[u8; 6]>),
        is_heard: bool,
    ) -> (bool, Option<News>) {
        let is_known = before.or(found).is_some();
        self.look_due = now + if is_known { LOOK_EVERY } else { SEEK_EVERY };
        if !is_known {
            let asks = now >= self.ask_due;
            let mut news = None;
            if asks {
                if self.ask_after > ASK_FIRST && !std::mem::replace(&mut self.is_missed, true) {
                    news = Some(News::Missing);
                }
                self.ask_due = now + self.ask_after;
                self.ask_after = (self.ask_after * 2).min(ASK_LAST);
            }
            return (asks, news);
        }
        let news = match (before, found) {
            (None, _) => std::mem::take(&mut self.is_missed).then_some(News::Found),
            (before, Some(_)) if before != found && now >= self.say_change_due => {
                self.say_change_due = now + SAY_CHANGE_EVERY;
                Some(News::Changed)
            }
            _ => None,
        };
        let is_silent = before.is_some() && !is_heard;
        let asks = is_silent && now >= self.ask_due;
        if asks || !is_silent {
            self.ask_due = now + CONFIRM_EVERY;
        }
        (asks, news)
    }
}

#[derive(Debug)]
struct Watch {
    all: Vec<Watched>,
    /// A thread looks after them.
    is_running: bool,
    no_wait_before: Mono,
}

static WATCH: Mutex<Watch> = Mutex::new(Watch {
    all: Vec::new(),
    is_running: false,
    no_wait_before: Mono::from_ns(0),
});
/// There is a further one.
static ADDED: Condvar = Condvar::new();

fn watch() -> MutexGuard<'static, Watch> {
    WATCH.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The far end on the link of this name, looked after as long as somebody has it. A new one is waited for
/// a moment; until it is found, packets to it do not leave.
pub(crate) fn next_hop(link: &str, far: IpAddr) -> Arc<NextHop> {
    let now = clock::mono();
    let mut watch = watch();
    let mut known = watch.all.iter().filter_map(|one| one.hop.upgrade());
    if let Some(known) = known.find(|hop| hop.far() == far && hop.link() == link) {
        return known;
    }
    let hop = Arc::new(NextHop::new(link, far));
    watch.all.push(Watched {
        hop: Arc::downgrade(&hop),
        pace: Pace::new(now + ASK_FIRST),
    });
    watch.run();
    let waits = now >= watch.no_wait_before;
    drop(watch);
    ADDED.notify_one();
    if hop.look().is_some() {
        return hop;
    }
    hop.ask();
    let until = now + PATIENCE;
    while waits && hop.look().is_none() {
        let now = clock::mono();
        if now >= until {
            self::watch().no_wait_before = now + NO_WAIT;
            break;
        }
        clock::sleep_until(now + Duration::from_millis(5));
    }
    hop
}

impl Watch {
    fn run(&mut self) {
        if self.is_running {
            return;
        }
        let thread = std::thread::Builder::new().name("neighbours".to_owned());
        match thread.spawn(look_after_all) {
            Ok(_) => self.is_running = true,
            Err(error) => error!(
                %error,
                "cannot start the thread that looks for neighbours: sessions over members send to those that are known now"
            ),
        }
    }

    /// Does what is due. When more is.
    fn attend(&mut self, now: Mono) -> Mono {
        let mut next = now + LOOK_EVERY;
        self.all.retain_mut(|one| {
            let Some(hop) = one.hop.upgrade() else {
                return false;
            };
            if now >= one.pace.look_due {
                look_after(&hop, &mut one.pace, now);
            }
            next = next.min(one.pace.look_due);
            true
        });
        next
    }
}

/// The thread, until nothing is left to look after.
fn look_after_all() {
    let mut watch = watch();
    loop {
        let now = clock::mono();
        let next = watch.attend(now);
        if watch.all.is_empty() {
            watch.is_running = false;
            return;
        }
        let wait = ADDED.wait_timeout(watch, next.since(now));
        (watch, _) = wait.unwrap_or_else(PoisonError::into_inner);
    }
}

fn look_after(hop: &NextHop, pace: &mut Pace, now: Mono) {
    let before = hop.mac();
    let addresses = (before, hop.look());
    let (asks, news) = pace.step(now, addresses, hop.take_heard());
    if asks {
        hop.ask();
    }
    let (interface, far) = (hop.link(), hop.far());
    match news {
        None => {}
        Some(News::Missing) => {
            warn!(interface, %far, "the far end does not answer on its link: sending once it does");
        }
        Some(News::Found) => warn!(interface, %far, "the far end answers on its link: sending"),
        Some(News::Changed) => {
            warn!(interface, %far, "the far end has another MAC address: sending there");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Option<[u8; 6]> = Some([2, 0, 0, 0, 0, 1]);
    const OTHER: Option<[u8; 6]> = Some([2, 0, 0, 0, 0, 2]);

    fn at(ms: u64) -> Mono {
        Mono::from_ns(ms * 1_000_000)
    }

    /// Looks whenever it is due until `end_ms`. When the kernel was asked, and what was said, with the time.
    fn run(
        pace: &mut Pace,
        end_ms: u64,
        mut state: impl FnMut(u64) -> ((Option<[u8; 6]>, Option<[u8; 6]>), bool),
    ) -> (Vec<u64>, Vec<(u64, News)>) {
        let (mut asked, mut said) = (Vec::new(), Vec::new());
        while pace.look_due <= at(end_ms) {
            let ms = pace.look_due.ns() / 1_000_000;
            let (addresses, is_heard) = state(ms);
            let (asks, news) = pace.step(at(ms), addresses, is_heard);
            asked.extend(asks.then_some(ms));
            said.extend(news.map(|news| (ms, news)));
        }
        (asked, said)
    }

    #[test]
    fn who_is_not_found_is_looked_for_ever_less_often_and_said_once() {
        let mut pace = Pace::new(at(0));
        let (asked, said) = run(&mut pace, 30_000, |_| ((None, None), false));
        assert_eq!(
            asked,
            [
                0, 200, 600, 1_400, 3_000, 6_200, 11_200, 16_200, 21_200, 26_200
            ]
        );
        assert_eq!(said, [(200, News::Missing)]);
        // The table is looked at all the time, so it is found at once.
        let found = pace.look_due.ns() / 1_000_000;
        assert!(found <= 30_100);
        let (asked, said) = run(&mut pace, 40_000, |ms| {
            let before = if ms == found { None } else { ONE };
            ((before, ONE), true)
        });
        assert_eq!((asked, said), (vec![], vec![(found, News::Found)]));
    }

    #[test]
    fn who_is_found_soon_is_not_remarked_on() {
        let mut pace = Pace::new(at(0));
        let (asked, said) = run(&mut pace, 5_000, |ms| {
            let found = |since| if ms >= since { ONE } else { None };
            ((found(101), found(100)), true)
        });
        assert_eq!((asked, said), (vec![0], vec![]));
    }

    #[test]
    fn who_is_silent_is_confirmed_and_who_answers_is_not() {
        let mut pace = Pace::new(at(0));
        let (asked, _) = run(&mut pace, 10_000, |_| ((ONE, ONE), true));
        assert!(asked.is_empty());
        // Though the kernel has given it up.
        let (asked, said) = run(&mut pace, 20_000, |_| ((ONE, None), false));
        assert_eq!(asked, [12_000, 14_000, 16_000, 18_000, 20_000]);
        assert!(said.is_empty());
    }

    #[test]
    fn another_address_is_said_once_a_minute_at_most() {
        let mut pace = Pace::new(at(0));
        let mut turns = 0;
        let (_, said) = run(&mut pace, 125_000, |_| {
            turns += 1;
            let both = if turns % 2 == 0 {
                (ONE, OTHER)
            } else {
                (OTHER, ONE)
            };
            (both, true)
        });
        let times: Vec<u64> = said.iter().map(|(ms, _)| *ms).collect();
        assert_eq!(times, [0, 60_000, 120_000]);
        assert!(said.iter().all(|(_, news)| *news == News::Changed));
    }
}
