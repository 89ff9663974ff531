//! Padding that the reflector must return unchanged (RFC 6038 section 5.1.2; row TT-39): a function
//! of the packet's number, so that it can be checked without being stored.

use super::config::{Fill, SenderConfig};
use crate::random::SplitMix;

/// Octets per word of the generator.
const WORD: usize = size_of::<u64>();

/// The octets that must come back.
#[derive(Debug)]
pub(super) struct Echo {
    /// Number of octets.
    octets: usize,
    /// Their offset in a reply.
    reply_from: usize,
    /// The first two of them (RFC 6038 section 4.3); 0: none.
    server_octets: u16,
    /// `None`: zeros.
    seed: Option<u64>,
}

impl Echo {
    /// `None` if nothing must come back.
    pub(super) fn new(config: &SenderConfig) -> Option<Self> {
        let features = config.wire.format.features()?;
        (features.reflected() > 0).then(|| Self {
            octets: features.reflected(),
            reply_from: features.reply_header(),
            server_octets: features.server_octets,
            seed: match config.fill {
                Fill::Zero => None,
                Fill::Random => Some(!config.seed),
            },
        })
    }

    /// Writes it at the beginning of the padding and returns the rest of the padding.
    pub(super) fn write<'a>(&self, seq: u32, padding: &'a mut [u8]) -> &'a mut [u8] {
        let (mine, rest) = padding.split_at_mut(self.octets.min(padding.len()));
        let words = self.words(seq).flat_map(u64::to_be_bytes);
        for (octet, value) in mine.iter_mut().zip(words) {
            *octet = value;
        }
        rest
    }

    /// Whether the reply to packet `seq`, a request of `asked` octets, contains it. Of a truncated
    /// reply, only the part received is checked.
    pub(super) fn is_echoed(&self, seq: u32, asked: usize, reply: &[u8], truncated: bool) -> bool {
        let sent = self.octets.min(asked.saturating_sub(self.reply_from));
        let back = reply.get(self.reply_from..).unwrap_or_default();
        let back = back.get(..sent).unwrap_or(back);
        if back.len() < sent && !truncated {
            return false;
        }
        let mut words = self.words(seq);
        back.chunks(WORD).all(|chunk| {
            let word = words.next().unwrap_or(0).to_be_bytes();
            word.starts_with(chunk)
        })
    }

    /// An endless sequence. The first two octets are the Server octets, if there are any and they
    /// fit.
    fn words(&self, seq: u32) -> impl Iterator<Item = u64> {
        let marked = self.server_octets != 0 && self.octets >= 2;
        let mark = u64::from(self.server_octets) << 48;
        let mut random = self.seed.map(|seed| {
            let of_packet = SplitMix::new(seed ^ u64::from(seq)).next_u64();
            SplitMix::new(of_packet)
        });
        let next = move || random.as_mut().map_or(0, SplitMix::next_u64);
        let mut first = marked;
        std::iter::repeat_with(next).map(move |word| {
            if std::mem::take(&mut first) {
                word & (u64::MAX >> 16) | mark
            } else {
                word
            }
        })
    }
}
