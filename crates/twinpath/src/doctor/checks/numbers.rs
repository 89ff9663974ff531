//! How the reflector numbers its replies (RFC 5357 section 4.2.1, RFC 8762 section 4.3).

use super::of_train::OfTrain;
use crate::doctor::train::{FIRST, PACED};
use crate::doctor::{Exchange, Judged, Seen};

pub(super) static NUMBERS: OfTrain = OfTrain {
    id: "test.numbers",
    kind: &PACED,
    judges_silence: false,
    judge: numbers,
};

fn numbers(_: &Seen, exchange: &Exchange<'_>) -> Judged {
    let numbers: Vec<(u32, u32)> = exchange
        .round_trips()
        .map(|trip| (trip.head.seq.get(), trip.head.sender_seq.get()))
        .collect();
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
    // Replies that were lost leave gaps.
    let grows = numbers.windows(2).all(|pair| matches!(pair, [before, after] if after.0.wrapping_sub(before.0).wrapping_sub(1) < FIRST));
    if grows {
        let judged = Judged::ok(
            "the reflector numbers its replies by itself: losses are told apart by direction",
        );
        return data(judged, "stateful");
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
