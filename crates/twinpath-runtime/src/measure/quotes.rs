//! Whether an ICMP error is about a packet of this run: it quotes the beginning of the packet.
//!
//! The first octets of a test packet are its number and T1, or their encryption: who does not see the
//! packets cannot guess them, and another run from the same port had others.

use std::time::Duration;

use twinpath_net::Quote;

/// Octets that are compared: Sequence Number and T1, or the first encrypted block.
const COMPARED: usize = Quote::OCTETS;
/// Fewer quoted octets than number and T1 have say too little.
const ENOUGH: usize = 12;
/// Errors come within this time, or do not count: a host that does not answer ARP is reported after three
/// seconds.
const AWAITED: Duration = Duration::from_secs(10);
/// Packets remembered at most, and at least.
const MOST: usize = 8_192;
const LEAST: usize = 16;

/// What a quotation says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quoted {
    /// A packet of this run.
    Own,
    /// Too little to tell.
    Unknown,
    /// A packet that this run did not send, or sent long ago.
    Foreign,
}

/// The beginnings of the packets that were sent last, by their first word. That is a random one where it
/// is encrypted: then a packet may take an earlier one's place before its time, and an error about the
/// earlier one passes for a foreign one.
#[derive(Debug)]
pub(super) struct SentQuotes {
    slots: Box<[[u8; COMPARED]]>,
}

impl SentQuotes {
    /// For packets that leave at `interval`.
    pub(super) fn new(interval: Duration) -> Self {
        let packets = AWAITED.as_nanos() / interval.as_nanos().max(1);
        let packets = usize::try_from(packets).unwrap_or(MOST).clamp(LEAST, MOST);
        Self {
            slots: vec![[0; COMPARED]; packets.next_power_of_two()].into_boxed_slice(),
        }
    }

    /// A packet leaves.
    pub(super) fn add(&mut self, packet: &[u8]) {
        if let Some(first) = packet.first_chunk()
            && let Some(place) = self.place(*first)
            && let Some(slot) = self.slots.get_mut(place)
        {
            for (to, from) in slot.iter_mut().zip(packet) {
                *to = *from;
            }
        }
    }

    /// Whose packet is quoted.
    pub(super) fn classify(&self, quote: &Quote) -> Quoted {
        let octets = quote.octets();
        if octets.len() < ENOUGH {
            return Quoted::Unknown;
        }
        let slot = octets
            .first_chunk()
            .and_then(|first| self.slots.get(self.place(*first)?));
        match slot {
            Some(slot) if slot.starts_with(octets) => Quoted::Own,
            _ => Quoted::Foreign,
        }
    }

    fn place(&self, first: [u8; 4]) -> Option<usize> {
        let word = usize::try_from(u32::from_be_bytes(first)).ok()?;
        word.checked_rem(self.slots.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(seq: u32, t1: u64) -> Vec<u8> {
        let mut octets = seq.to_be_bytes().to_vec();
        octets.extend(t1.to_be_bytes());
        octets.extend([0x80, 1, 0, 0, 0, 0, 0, 0]);
        octets
    }

    #[test]
    fn a_quotation_is_of_this_run_by_number_and_t1() {
        let mut sent = SentQuotes::new(Duration::from_millis(10));
        for seq in 0..3_000 {
            sent.add(&packet(seq, 7_000 + u64::from(seq)));
        }
        let judged = |octets: &[u8]| sent.classify(&Quote::of(octets));
        assert_eq!(judged(&packet(2_999, 9_999)), Quoted::Own);
        assert_eq!(judged(&packet(2_999, 9_999)[..12]), Quoted::Own);
        assert_eq!(judged(&packet(2_999, 9_998)), Quoted::Foreign);
        assert_eq!(
            judged(&packet(3_000, 10_000)),
            Quoted::Foreign,
            "not sent yet"
        );
        assert_eq!(judged(&packet(5, 7_005)), Quoted::Foreign, "long ago");
        assert_eq!(judged(&packet(2_999, 9_999)[..11]), Quoted::Unknown);
        assert_eq!(judged(&[]), Quoted::Unknown);
    }

    #[test]
    fn nothing_is_of_a_run_that_sent_nothing() {
        let sent = SentQuotes::new(Duration::from_mins(1));
        assert_eq!(sent.classify(&Quote::of(&packet(1, 1))), Quoted::Foreign);
    }
}
