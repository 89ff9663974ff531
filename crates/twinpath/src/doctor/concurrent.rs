//! Dialogues with a server side by side: each takes several round trips, and on a long way one after the other takes
//! too long. Those that fail beside others are had again, for some servers take few at once: beside fewer where
//! the server took enough of them, else alone. So are those without an answer, for packets are lost.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use twinpath_proto::control::ClientError;
use twinpath_runtime::probe::{Connection, DialogueEnd, DialogueSeen, Span};
use twinpath_wire::control::{Accept, SecurityMode};

use super::dialogue::{Dialogue, DialogueAsk, KeyUse, Security, is_accepted, packets_sent};

/// Dialogues at a time.
const SIDE_BY_SIDE: usize = 6;
/// As many sessions at once are no lack of room.
pub(super) const ENOUGH: usize = 4;
/// Dialogues that are had again at most: all but the one that a server takes.
pub(super) const MOST_REPEATED: usize = SIDE_BY_SIDE - 1;
/// Dialogues that others keep from an answer: fewer may be lost packets.
pub(super) const SEVERAL: usize = 2;

/// Has a dialogue, and waits at its end for the server to close too, if it is so.
type Having<'a> = &'a (dyn Fn(&DialogueAsk, &dyn Fn() -> bool) -> DialogueSeen + Sync);

/// What may be had again.
#[derive(Debug)]
pub(super) struct Repeats {
    left: usize,
    /// One that had no answer had none the second time either.
    is_silence_known: bool,
}

impl Repeats {
    pub(super) const fn new() -> Self {
        Self {
            left: MOST_REPEATED,
            is_silence_known: false,
        }
    }

    /// Whether it is had again, and counts that.
    fn take(&mut self, is_crowded_out: bool, is_silent: bool) -> bool {
        let is_open = is_crowded_out || (is_silent && !self.is_silence_known);
        let may_repeat = is_open && self.left > 0;
        self.left -= usize::from(may_repeat);
        may_repeat
    }
}

/// Has all dialogues: what came of each, in their order; `None`: it was lost.
pub(super) fn have_all(
    asks: &[DialogueAsk],
    repeats: &mut Repeats,
    have: Having<'_>,
) -> Vec<Option<Dialogue>> {
    let mut places: Vec<usize> = (0..asks.len()).collect();
    // Other dialogues depend on logins; after them the longest first, so that all end at about the same time.
    places.sort_by_key(|place| {
        let ask = asks.get(*place)?;
        let is_login = ask.kind.security != Security::Any;
        Some(Reverse((is_login, ask.kind.sessions.len())))
    });
    let (own, wrong_keys): (Vec<usize>, Vec<usize>) = places
        .into_iter()
        .partition(|place| is_kind(asks, *place, |ask| ask.kind.key == KeyUse::Own));
    let mut left = VecDeque::from(own);
    let mut had = BTreeMap::new();
    // Beside more than enough others.
    let mut earlier = BTreeMap::new();
    let mut width = SIDE_BY_SIDE;
    // Those without an answer beside others that have one alone.
    let mut silent = 0;
    while !left.is_empty() {
        let is_trying = repeats.left > 0 && width.min(left.len()) > 1;
        let tried = width;
        let batch = side_by_side(asks, &mut left, (tried, is_trying), have);
        let held = batch.iter().filter_map(|(_, dialogue)| dialogue.seen.held);
        let held = Span::most_at_once(&held.collect::<Vec<_>>());
        for (place, mut dialogue) in batch {
            let Some(ask) = asks.get(place) else { continue };
            let first = &dialogue.seen;
            let (crowded, is_silent) = (is_trying && is_crowded_out(ask, first), is_silent(first));
            if crowded && held >= ENOUGH && !earlier.contains_key(&place) && repeats.left > 0 {
                repeats.left -= 1;
                width = held.min(tried - 1);
                left.push_back(place);
                earlier.insert(place, dialogue.seen);
                continue;
            }
            if repeats.take(crowded, is_silent) {
                let alone = have(ask, &|| true);
                let is_taken = is_taken(ask, &alone);
                silent += usize::from(crowded && is_silent && is_taken);
                if is_taken && ((crowded && !is_silent) || silent >= SEVERAL) {
                    width = 1;
                }
                repeats.is_silence_known |= is_silent && self::is_silent(&alone);
                dialogue = dialogue.repeated(alone);
            }
            if let Some(earlier) = earlier.remove(&place) {
                dialogue = dialogue.after(earlier);
            }
            had.insert(place, dialogue);
        }
    }
    // They fail, and a server may lock out a host whose logins fail.
    for place in wrong_keys {
        if let Some(ask) = asks.get(place) {
            had.insert(place, Dialogue::new(have(ask, &|| true)));
        }
    }
    (0..asks.len()).map(|place| had.remove(&place)).collect()
}

fn is_kind(asks: &[DialogueAsk], place: usize, is: impl Fn(&DialogueAsk) -> bool) -> bool {
    asks.get(place).is_some_and(is)
}

/// Has those that are `left`, `width` at a time. `is_trying`: once one is crowded out, no more are begun.
fn side_by_side(
    asks: &[DialogueAsk],
    left: &mut VecDeque<usize>,
    (width, is_trying): (usize, bool),
    have: Having<'_>,
) -> Vec<(usize, Dialogue)> {
    let threads = width.min(left.len());
    let waiting = Mutex::new(mem::take(left));
    let ended = Mutex::new(Vec::new());
    let is_full = AtomicBool::new(false);
    let awaits_close =
        || width < SIDE_BY_SIDE || asks.len() == 1 || is_full.load(Ordering::Relaxed);
    let next = || {
        let mut waiting = locked(&waiting);
        let place = if is_full.load(Ordering::Relaxed) {
            None
        } else {
            waiting.pop_front()
        };
        Some((place?, asks.get(place?)?))
    };
    let work = || {
        while let Some((place, ask)) = next() {
            // Where the server has room for few, it has some before another one begins.
            let seen = have(ask, &awaits_close);
            if is_trying && is_crowded_out(ask, &seen) {
                is_full.store(true, Ordering::Relaxed);
            }
            locked(&ended).push((place, Dialogue::new(seen)));
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            // What such a thread had before is kept, and others have the rest.
            let _panicked = thread.join();
        }
    });
    *left = waiting.into_inner().unwrap_or_else(PoisonError::into_inner);
    ended.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// It went no further than a server without room for it lets it go.
pub(super) fn is_crowded_out(ask: &DialogueAsk, seen: &DialogueSeen) -> bool {
    if packets_sent(seen) > 0 {
        return false;
    }
    let mut answers = seen.sessions.iter().filter_map(|session| session.answer);
    if answers.any(|answer| answer.is_err_and(|refusal| may_be_of_room(refusal.accept()))) {
        return true;
    }
    // That a login fails is about the key, and it is not made twice.
    let is_open = ask.mode == SecurityMode::Unauthenticated;
    match &seen.end {
        DialogueEnd::NotConnected(_) | DialogueEnd::Mute => true,
        DialogueEnd::Refused(refusal) => {
            let accept = refusal.accept();
            let is_limit = [Accept::PermanentLimit, Accept::TemporaryLimit].contains(&accept);
            is_limit || (is_open && may_be_of_room(accept))
        }
        DialogueEnd::Failed(_) | DialogueEnd::Ended => {
            seen.offered.is_empty() || (is_open && !is_accepted(seen))
        }
        DialogueEnd::NotTwamp(_)
        | DialogueEnd::Here(_)
        | DialogueEnd::Done(_)
        | DialogueEnd::CutShort => false,
    }
}

/// The server let it go as far as its request allows.
pub(super) fn is_taken(ask: &DialogueAsk, seen: &DialogueSeen) -> bool {
    let is_done = matches!(seen.end, DialogueEnd::Done(_));
    is_accepted(seen) || (is_done && !is_crowded_out(ask, seen))
}

/// The server said nothing, as it may for want of room, and as lost packets have it.
pub(super) fn is_silent(seen: &DialogueSeen) -> bool {
    match &seen.end {
        DialogueEnd::NotConnected(connection) => *connection == Connection::Silent,
        DialogueEnd::Mute | DialogueEnd::Failed(ClientError::Silent(_)) => packets_sent(seen) == 0,
        DialogueEnd::Failed(_)
        | DialogueEnd::Refused(_)
        | DialogueEnd::Ended
        | DialogueEnd::NotTwamp(_)
        | DialogueEnd::Here(_)
        | DialogueEnd::Done(_)
        | DialogueEnd::CutShort => false,
    }
}

/// A server that lacks room may say this.
fn may_be_of_room(accept: Accept) -> bool {
    match accept {
        Accept::Failure
        | Accept::InternalError
        | Accept::PermanentLimit
        | Accept::TemporaryLimit => true,
        Accept::Ok | Accept::NotSupported => false,
    }
}

#[cfg(test)]
mod tests;
