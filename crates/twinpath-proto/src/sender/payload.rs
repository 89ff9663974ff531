//! Sizes and contents of requests (RFC 5357 section 4.1.2, RFC 8762 section 4.2.1, RFC 8972 section
//! 4.1), except for T1 and its Error Estimate.

use twinpath_wire::{
    SenderOpen, StampSender, StampSenderAuthenticated, TlvHeader, TlvType, TlvWriter,
};

use super::config::{Fill, PayloadSize, SenderConfig};
use super::echo::Echo;
use super::wire::{Format, Wire};
use crate::random::SplitMix;

/// Octets of prepared random padding.
const BLOCK_WORDS: usize = 256;
/// Padding of up to this many octets is made without the block.
const SHORT: usize = 64;

/// Writes requests.
#[derive(Debug)]
pub(super) struct Payload {
    wire: Wire,
    sizes: PayloadSize,
    noise: Option<Noise>,
    echo: Option<Echo>,
}

impl Payload {
    pub(super) fn new(config: &SenderConfig) -> Self {
        let max = config.max_payload();
        let real = |asked: usize| config.wire.payload_octets(asked).min(max);
        let sizes = match config.payload {
            PayloadSize::Fixed(octets) => PayloadSize::Fixed(real(octets)),
            PayloadSize::Imix(three) => PayloadSize::Imix(three.map(real)),
        };
        let noise = match config.fill {
            Fill::Zero => None,
            Fill::Random => Some(Noise::new(config.seed)),
        };
        let mut payload = Self {
            wire: config.wire,
            sizes,
            noise,
            echo: Echo::new(config),
        };
        let is_short = payload.largest() <= SHORT;
        if let Some(noise) = payload.noise.as_mut().filter(|_| is_short) {
            noise.block = Box::default();
        }
        payload
    }

    /// The padding that must come back unchanged, if any.
    pub(super) fn echo(&self) -> Option<&Echo> {
        self.echo.as_ref()
    }

    /// The size of the session's `nth` packet, from 0.
    pub(super) fn octets(&self, nth: u64) -> usize {
        self.sizes.nth(nth)
    }

    /// The largest size.
    pub(super) fn largest(&self) -> usize {
        match self.sizes {
            PayloadSize::Fixed(octets) => octets,
            PayloadSize::Imix(three) => three.into_iter().max().unwrap_or(0),
        }
    }

    /// Writes a whole request except for T1 and its Error Estimate. `tlvs` writes the chain of a STAMP
    /// request and returns what is left for padding.
    pub(super) fn write(
        &mut self,
        seq: u32,
        packet: &mut [u8],
        tlvs: impl FnOnce(&mut [u8]) -> &mut [u8],
    ) {
        match self.wire.format {
            Format::TwampLight => {
                let Ok((header, padding)) = SenderOpen::view_mut(packet) else {
                    return;
                };
                header.seq.set(seq);
                self.pad(padding);
            }
            Format::Twamp(features) => {
                let header = features.request_header();
                let Some((octets, rest)) = packet.split_at_mut_checked(header) else {
                    return;
                };
                octets.fill(0);
                if let Ok((header, _)) = SenderOpen::view_mut(octets) {
                    // In the secured header too, the number comes first.
                    header.seq.set(seq);
                }
                let mbz = features.padding_from() - header;
                let (mbz, padding) = rest.split_at_mut(mbz.min(rest.len()));
                mbz.fill(0);
                let padding = match &self.echo {
                    None => padding,
                    Some(echo) => echo.write(seq, padding),
                };
                self.pad(padding);
            }
            Format::Stamp { ssid, .. } => {
                let octets = self.wire.request_header();
                let Some((octets, rest)) = packet.split_at_mut_checked(octets) else {
                    return;
                };
                octets.fill(0);
                if let Ok((header, _)) = StampSenderAuthenticated::view_mut(octets) {
                    header.seq.set(seq);
                    header.ssid.set(ssid);
                } else if let Ok((header, _)) = StampSender::view_mut(octets) {
                    header.seq.set(seq);
                    header.ssid.set(ssid);
                }
                let rest = tlvs(rest);
                let padding = rest.len().saturating_sub(TlvHeader::OCTETS);
                let mut chain = TlvWriter::new(rest);
                if let Some(padding) = chain.push(TlvType::EXTRA_PADDING, padding) {
                    self.pad(padding);
                }
            }
        }
    }

    fn pad(&mut self, padding: &mut [u8]) {
        match &mut self.noise {
            None => padding.fill(0),
            Some(noise) => noise.fill(padding),
        }
    }
}

/// Pseudo-random octets, computed cheaply: short runs straight from the generator, long ones from a
/// block prepared once and combined with a new mask for each use.
#[derive(Debug)]
struct Noise {
    random: SplitMix,
    block: Box<[u64]>,
}

impl Noise {
    fn new(seed: u64) -> Self {
        let mut random = SplitMix::new(seed);
        let block = (0..BLOCK_WORDS).map(|_| random.next_u64()).collect();
        Self { random, block }
    }

    fn fill(&mut self, octets: &mut [u8]) {
        if octets.len() <= SHORT {
            for chunk in octets.chunks_mut(8) {
                put(chunk, self.random.next_u64());
            }
            return;
        }
        for run in octets.chunks_mut(BLOCK_WORDS * 8) {
            let mask = self.random.next_u64();
            let mut words = self.block.iter().map(|word| word ^ mask);
            let mut whole = run.chunks_exact_mut(8);
            for (chunk, word) in whole.by_ref().zip(words.by_ref()) {
                chunk.copy_from_slice(&word.to_le_bytes());
            }
            put(whole.into_remainder(), self.random.next_u64());
        }
    }
}

/// The first octets of `word`, as many as `chunk` holds, at most eight.
fn put(chunk: &mut [u8], word: u64) {
    for (octet, value) in chunk.iter_mut().zip(word.to_le_bytes()) {
        *octet = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::TestFeatures;
    use twinpath_wire::control::Modes;

    #[test]
    fn what_is_filled_begins_where_padding_begins() {
        let twamp = |modes| {
            Wire::twamp(TestFeatures {
                modes,
                ..TestFeatures::default()
            })
        };
        let symmetrical = Modes::SYMMETRICAL_SIZE;
        for wire in [
            Wire::TWAMP_LIGHT,
            Wire::stamp(5),
            Wire::stamp(5).authenticated(),
            twamp(Modes::UNAUTHENTICATED),
            twamp(Modes::UNAUTHENTICATED | symmetrical),
            twamp(Modes::UNAUTHENTICATED | symmetrical | Modes::DSCP_MONITORING),
            twamp(Modes::ENCRYPTED),
            twamp(Modes::AUTHENTICATED | symmetrical),
        ] {
            let octets = 300;
            let payload = |noise| {
                let mut payload = Payload {
                    wire,
                    sizes: PayloadSize::Fixed(octets),
                    noise,
                    echo: None,
                };
                let mut packet = vec![0; octets];
                payload.write(9, &mut packet, |rest| rest);
                packet
            };
            let (zero, one, two) = (
                payload(None),
                payload(Some(Noise::new(1))),
                payload(Some(Noise::new(2))),
            );
            let differ = |at: usize| zero[at] != one[at] || zero[at] != two[at];
            let first = (0..octets).find(|at| differ(*at));
            assert_eq!(first, Some(wire.padding_begins()), "{wire:?}");
        }
    }

    #[test]
    fn noise_of_any_length_is_balanced_and_never_the_same_twice() {
        let mut noise = Noise::new(7);
        for octets in [27_usize, 64, 65, 1458, 2048, 9000, 65_493] {
            let mut one = vec![0; octets];
            let mut two = vec![0; octets];
            noise.fill(&mut one);
            noise.fill(&mut two);
            assert_ne!(one, two, "{octets}");
            let ones: u64 = one.iter().map(|octet| u64::from(octet.count_ones())).sum();
            let bits = octets as u64 * 8;
            assert!(
                ones * 3 > bits && ones * 3 < bits * 2,
                "{octets}: {ones} of {bits}"
            );
            assert!(
                one[octets - 8..].iter().any(|octet| *octet != 0),
                "{octets}: no end"
            );
        }
    }
}
