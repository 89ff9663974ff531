//! Splits a stream of octets into messages, block by block (RFC 4656 section 3; row TC-71).

use twinpath_wire::control::BLOCK;

use super::protection::Opening;
use crate::security::Forged;

/// What the next octets in a direction belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A message in the clear, of this many octets.
    Clear(usize),
    /// A message whose first block determines its length.
    Blocks,
}

/// One message while it arrives.
///
/// It takes memory only for the octets received: a length claimed by a peer reserves nothing.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    octets: Vec<u8>,
    /// Whole length of the message, once its first block is known.
    total: Option<usize>,
}

/// The result of offering octets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Filled {
    /// The message is not complete.
    Partial,
    /// A message of a known length, opened and verified.
    Message(Vec<u8>),
    /// A first block of a message of unknown length, opened but not verified.
    Block(Vec<u8>),
}

impl Inbox {
    /// Whether a message is partly received.
    pub(super) fn is_begun(&self) -> bool {
        !self.octets.is_empty()
    }

    /// Takes the octets that the current message still lacks, and returns how many. `length` gives
    /// the length of the whole message from its first block; `None`: unknown.
    pub(super) fn fill(
        &mut self,
        octets: &[u8],
        shape: Shape,
        opening: &mut Opening,
        length: impl Fn(&[u8]) -> Option<usize>,
    ) -> (usize, Result<Filled, Forged>) {
        let first = match shape {
            Shape::Clear(all) => all,
            Shape::Blocks => BLOCK,
        };
        let mut taken = 0;
        loop {
            let want = self.total.unwrap_or(first);
            let missing = want.saturating_sub(self.octets.len());
            let rest = octets.get(taken..).unwrap_or_default();
            let part = rest.get(..missing).unwrap_or(rest);
            self.octets.extend_from_slice(part);
            taken += part.len();
            if part.len() < missing {
                return (taken, Ok(Filled::Partial));
            }
            let whole = match (shape, self.total) {
                (Shape::Clear(_), _) => true,
                (Shape::Blocks, None) => {
                    opening.open(&mut self.octets);
                    match length(&self.octets) {
                        Some(all) => self.total = Some(all.max(BLOCK)),
                        None => return (taken, Ok(Filled::Block(self.take()))),
                    }
                    false
                }
                (Shape::Blocks, Some(_)) => {
                    opening.open(self.octets.get_mut(BLOCK..).unwrap_or_default());
                    if let Err(forged) = opening.verify(&self.octets) {
                        return (taken, Err(forged));
                    }
                    true
                }
            };
            if whole {
                return (taken, Ok(Filled::Message(self.take())));
            }
        }
    }

    fn take(&mut self) -> Vec<u8> {
        self.total = None;
        std::mem::take(&mut self.octets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(block: &[u8]) -> Option<usize> {
        match block[0] {
            0 => None,
            blocks => Some(usize::from(blocks) * BLOCK),
        }
    }

    #[test]
    fn a_message_is_whole_with_its_last_octet_and_not_before() {
        let message: Vec<u8> = [3].into_iter().chain(1..48).collect();
        let mut inbox = Inbox::default();
        for (at, octet) in message.iter().enumerate() {
            let (taken, filled) =
                inbox.fill(&[*octet], Shape::Blocks, &mut Opening::default(), length);
            assert_eq!(taken, 1);
            let expected = if at == 47 {
                Filled::Message(message.clone())
            } else {
                Filled::Partial
            };
            assert_eq!(filled, Ok(expected), "octet {at}");
            assert_eq!(inbox.is_begun(), at < 47, "octet {at}");
        }
    }

    #[test]
    fn octets_of_the_next_message_are_left() {
        let stream: Vec<u8> = [1; 40].to_vec();
        let mut inbox = Inbox::default();
        let (taken, filled) = inbox.fill(&stream, Shape::Blocks, &mut Opening::default(), length);
        assert_eq!((taken, filled), (16, Ok(Filled::Message(vec![1; 16]))));
        let (taken, filled) = inbox.fill(
            &stream[16..],
            Shape::Clear(20),
            &mut Opening::default(),
            length,
        );
        assert_eq!((taken, filled), (20, Ok(Filled::Message(vec![1; 20]))));
    }

    #[test]
    fn a_block_of_unknown_length_is_returned_alone() {
        let mut inbox = Inbox::default();
        let (taken, filled) = inbox.fill(&[0; 64], Shape::Blocks, &mut Opening::default(), length);
        assert_eq!((taken, filled), (16, Ok(Filled::Block(vec![0; 16]))));
    }
}
