//! Inputs of the corpus with changes, as a fuzzer makes them: octets written over, stretches taken out, doubled, put
//! from one into another.

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::Index;
use twinpath_fuzz::{TARGETS, corpus, run};

/// The inputs of every target, in the order of [`TARGETS`].
static INPUTS: LazyLock<Vec<Vec<Vec<u8>>>> =
    LazyLock::new(|| TARGETS.iter().map(|(name, _)| corpus::of(name)).collect());

#[derive(Clone, Debug)]
enum Change {
    Octet(Index, u8),
    Bit(Index, u8),
    Out(Index, usize),
    Twice(Index, usize),
    From(Index, Index, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let at = || any::<Index>();
    prop_oneof![
        4 => (at(), any::<u8>()).prop_map(|(at, octet)| Change::Octet(at, octet)),
        4 => (at(), 0..8_u8).prop_map(|(at, bit)| Change::Bit(at, bit)),
        1 => (at(), 1..64_usize).prop_map(|(at, octets)| Change::Out(at, octets)),
        1 => (at(), 1..200_usize).prop_map(|(at, octets)| Change::Twice(at, octets)),
        1 => (at(), at(), 1..200_usize).prop_map(|(at, from, octets)| Change::From(at, from, octets)),
    ]
}

fn applied(change: &Change, input: &mut Vec<u8>, other: &[u8]) {
    let stretch = |of: &[u8], at: &Index, octets: usize| {
        let from = at.index(of.len());
        from..(from + octets).min(of.len())
    };
    if input.is_empty() || other.is_empty() {
        return;
    }
    let length = input.len();
    match change {
        Change::Octet(at, octet) => input[at.index(length)] = *octet,
        Change::Bit(at, bit) => input[at.index(length)] ^= 1 << bit,
        Change::Out(at, octets) => drop(input.drain(stretch(input, at, *octets))),
        Change::Twice(at, octets) => {
            let copied = input[stretch(input, at, *octets)].to_vec();
            let at = at.index(length);
            input.splice(at..at, copied);
        }
        Change::From(at, from, octets) => {
            let at = at.index(length);
            let taken = &other[stretch(other, from, *octets)];
            input.splice(at..at, taken.iter().copied());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6 * ProptestConfig::default().cases, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_inputs_break_no_rule(
        target in 0..TARGETS.len(),
        which in any::<[Index; 2]>(),
        changes in prop::collection::vec(change(), 0..24),
    ) {
        let (name, _) = TARGETS[target];
        let inputs = &INPUTS[target];
        let [mut input, other] = which.map(|which| inputs[which.index(inputs.len())].clone());
        for change in &changes {
            applied(change, &mut input, &other);
        }
        run(name, &input);
    }

    #[test]
    fn no_octets_break_a_rule(
        target in 0..TARGETS.len(),
        input in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        run(TARGETS[target].0, &input);
    }
}
