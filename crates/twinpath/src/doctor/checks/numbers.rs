//! How the reflector numbers its replies (RFC 5357 section 4.2.1, RFC 8762 section 4.3).

use super::of_train::OfTrain;
use crate::doctor::train::PACED;
use crate::doctor::{Exchange, Judged, Seen};

/// The most numbers between the first reply and the last that may be those of other packets.
const MOST_SHARED: u32 = 10_000;

pub(super) static NUMBERS: OfTrain = OfTrain {
    id: "test.numbers",
    kind: &PACED,
    judges_silence: false,
    judge: numbers,
};

/// Packets that were lost between the first that was answered and the last.
pub(super) struct Lost {
    /// On the way out, or without an answer of the reflector.
    pub(super) out: usize,
    pub(super) back: usize,
}

/// What the reflector's numbers say of losses; `None`: it does not count, or nothing is between.
pub(super) fn lost(exchange: &Exchange<'_>) -> Option<Lost> {
    let numbers = own_and_copied(exchange);
    let (first, last) = (numbers.first()?, numbers.last()?);
    let is_stateless = numbers.iter().all(|(own, copied)| own == copied);
    let most = exchange.requests.len();
    if is_stateless || !matches!(growth(&numbers, most), Growth::ByOne) {
        return None;
    }
    let span = |of: fn(&(u32, u32)) -> u32| {
        let span = of(last).wrapping_sub(of(first)).checked_add(1)?;
        usize::try_from(span).ok()
    };
    let (sent, replied) = (span(|of| of.1)?, span(|of| of.0)?);
    let losses = Lost {
        out: sent.checked_sub(replied)?,
        back: replied.checked_sub(numbers.len())?,
    };
    (losses.out + losses.back > 0).then_some(losses)
}

/// The number of each first reply, and its request's.
fn own_and_copied(exchange: &Exchange<'_>) -> Vec<(u32, u32)> {
    let trips = exchange.round_trips();
    trips
        .map(|trip| (trip.head.seq.get(), trip.head.sender_seq.get()))
        .collect()
}

fn numbers(_: &Seen, exchange: &Exchange<'_>) -> Judged {
    let numbers = own_and_copied(exchange);
    if numbers.len() < 2 {
        return Judged::unknown("too few replies to tell how they are numbered");
    }
    let data = |judged: Judged, how: &str| judged.with("numbering", how);
    if numbers.iter().all(|(own, copied)| own == copied) {
        let judged = Judged::ok(
            "replies copy the request's number: the reflector is stateless, and lost packets cannot be told apart by direction",
        );
        return data(judged, "stateless");
    }
    match growth(
        &numbers,
        exchange.seen.replies.len().max(exchange.requests.len()),
    ) {
        Growth::ByOne => {
            let judged = Judged::ok(
                "the reflector numbers its replies by itself: losses are told apart by direction",
            );
            return data(judged, "stateful");
        }
        Growth::ByMore => {
            let judged = Judged::warn(
                "the numbers of replies grow by more than the packets of this session: other packets are counted too",
            )
            .advise("do not trust losses by direction; report it to the vendor (RFC 5357 section 4.2.1)");
            return data(judged, "shared");
        }
        Growth::No => {}
    }
    let is_constant = numbers
        .windows(2)
        .all(|pair| matches!(pair, [before, after] if before.0 == after.0));
    let finding = if is_constant {
        "all replies have the same number"
    } else {
        "the numbers of replies neither grow by one nor copy the requests'"
    };
    let judged = Judged::fail(finding).advise(
        "measure the round trip only, and report it to the vendor (RFC 5357 section 4.2.1)",
    );
    data(judged, "wrong")
}

/// How numbers of replies grow.
enum Growth {
    /// As those of a session.
    ByOne,
    ByMore,
    No,
}

/// Of `numbers` in the order of the requests. `most` replies left: those that were lost leave gaps. Requests that
/// overtook others have the smaller numbers, and no reply has the number of another.
fn growth(numbers: &[(u32, u32)], most: usize) -> Growth {
    let Some((first, _)) = numbers.first().copied() else {
        return Growth::No;
    };
    // By their distance from the first, either way.
    let mut own: Vec<i32> = numbers
        .iter()
        .map(|(own, _)| own.wrapping_sub(first).cast_signed())
        .collect();
    let pairs = own
        .iter()
        .enumerate()
        .flat_map(|(place, number)| own.iter().skip(place + 1).map(move |later| (number, later)));
    let (upward, all) = pairs.fold((0, 0), |(upward, all), (number, later)| {
        (upward + usize::from(number < later), all + 1)
    });
    // Three of four: in those of a reflector that does not count, it is about a half.
    let is_upward = upward * 4 >= all * 3;
    own.sort_unstable();
    let are_distinct = own.windows(2).all(|pair| pair.first() != pair.last());
    let span = own.first().zip(own.last());
    let span = span.map_or(0, |(least, greatest)| greatest.abs_diff(*least));
    let most = u32::try_from(most).unwrap_or(u32::MAX);
    if !is_upward || !are_distinct || span > MOST_SHARED {
        Growth::No
    } else if span < most {
        Growth::ByOne
    } else {
        Growth::ByMore
    }
}
