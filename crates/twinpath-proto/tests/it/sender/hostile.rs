//! Any octets may arrive: nothing panics, and the books balance.

use proptest::prelude::*;
use twinpath_proto::sender::fuzz::fuzz_sender_reply;

/// Histories that reach far: (what happens, datagram).
fn corpus() -> Vec<Vec<u8>> {
    let mut reply = vec![0; 41];
    reply[24..28].copy_from_slice(&[0, 0, 0, 2]);
    let record = |what: u8, datagram: &[u8]| {
        [&[what, u8::try_from(datagram.len()).unwrap()], datagram].concat()
    };
    let answered = record(0x7f, &reply);
    let stamped = record(0xff, &reply);
    let garbage = record(0x0a, b"GET / HTTP/1.0\r\n\r\n");
    vec![
        Vec::new(),
        vec![0],
        vec![3, 0xff, 0xff],
        [&[0][..], &answered, &answered, &garbage, &stamped].concat(),
        [&[2][..], &stamped.repeat(20)].concat(),
        [&[3][..], &answered.repeat(20), &garbage].concat(),
    ]
}

#[test]
fn every_history_of_the_corpus_ends_with_balanced_books() {
    for history in corpus() {
        fuzz_sender_reply(&history);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_octets_are_survived(data in prop::collection::vec(any::<u8>(), 0..600)) {
        fuzz_sender_reply(&data);
    }

    #[test]
    fn mutated_histories_are_survived(
        which in 0..6_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
    ) {
        let mut history = corpus().swap_remove(which);
        history.push(0);
        for (place, octet) in changes {
            let place = place.index(history.len());
            history[place] = octet;
        }
        fuzz_sender_reply(&history);
    }
}
