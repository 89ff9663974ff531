//! HMACs of captured packets, of authenticated base packets (RFC 8762 section 4.4) and of TLVs (RFC 8972
//! section 4.8), with the keys that the user has given.

use twinpath_proto::extension::{HmacFault, ReplyChain, is_signed_with};
use twinpath_proto::stamp::{StampKey, StampKeys};
use twinpath_report::finding::Captured;

use super::super::frame::Datagram;
use super::super::layout::Layout;
use crate::output::captures::{HmacCounts, KeyGiven};

/// What the HMACs of a packet came to. `None`: no HMAC, no key for it, or not all of the packet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Judged {
    /// There is a key for the packet.
    has_key: bool,
    /// That of an authenticated base packet is right.
    pub(super) base: Option<bool>,
    /// That of the TLVs of a request is right.
    request: Option<bool>,
    /// The TLVs of a reply can be used.
    pub(super) reply: Option<Result<(), HmacFault>>,
}

impl Judged {
    /// Of a request of STAMP.
    pub(super) fn request(layout: Layout, datagram: &Datagram<'_>, keys: &StampKeys) -> Self {
        let ends = [datagram.from, datagram.to].map(|end| end.ip());
        let payload = datagram.payload;
        let Some(key) = keys.for_session(ends[0], ends[1], layout.ssid(payload)) else {
            return Self::default();
        };
        let seq = payload.first_chunk().copied().map(u32::from_be_bytes);
        let seq = seq.filter(|_| is_whole(datagram));
        Self {
            request: seq.and_then(|seq| is_signed_with(key, layout.request_tlvs(payload), seq)),
            ..Self::base(layout, payload, key)
        }
    }

    /// Of a reply of STAMP.
    pub(super) fn reply(layout: Layout, datagram: &Datagram<'_>, keys: &StampKeys) -> Self {
        let ends = [datagram.to, datagram.from].map(|end| end.ip());
        let payload = datagram.payload;
        let Some(key) = keys.for_session(ends[0], ends[1], layout.ssid(payload)) else {
            return Self::default();
        };
        let number = payload.first_chunk().filter(|_| is_whole(datagram));
        let chain = layout.reply_tlvs(payload);
        let verified = |number| ReplyChain::verified(chain, number, Some(key)).verdict();
        Self {
            reply: number.copied().map(verified),
            ..Self::base(layout, payload, key)
        }
    }

    fn base(layout: Layout, payload: &[u8], key: &StampKey) -> Self {
        let is_authenticated = layout == Layout::StampAuthenticated;
        let is_there = is_authenticated && payload.len() >= layout.request_octets();
        Self {
            has_key: true,
            base: is_there.then(|| key.opens(payload)),
            ..Self::default()
        }
    }
}

fn is_whole(datagram: &Datagram<'_>) -> bool {
    datagram.payload.len() == datagram.octets
}

/// Counts a packet as verified or as wrong, or as unchecked if not all of its HMACs are known and none that is
/// known is wrong.
fn count(
    [verified, wrong]: [&mut u64; 2],
    unchecked: &mut u64,
    is_there: [bool; 2],
    right: [Option<bool>; 2],
) {
    let hmacs = is_there.into_iter().zip(right);
    let hmacs = hmacs.filter(|(is_there, _)| *is_there);
    let mut hmacs = hmacs.map(|(_, right)| right);
    *if hmacs.clone().any(|right| right == Some(false)) {
        wrong
    } else if hmacs.all(|right| right == Some(true)) {
        verified
    } else {
        unchecked
    } += 1;
}

impl HmacCounts {
    /// Counts a request that has HMACs: in its base packet, in its TLVs.
    pub(super) fn count_request(&mut self, judged: Judged, is_there: [bool; 2]) {
        let kinds = [&mut self.requests_verified, &mut self.requests_wrong];
        count(
            kinds,
            &mut self.unchecked,
            is_there,
            [judged.base, judged.request],
        );
        self.look(judged);
    }

    /// Counts a reply to a request that had HMACs.
    pub(super) fn count_reply(&mut self, judged: Judged, is_there: [bool; 2]) {
        let of_tlvs = judged.reply.and_then(|verdict| match verdict {
            Ok(()) => Some(true),
            Err(HmacFault::Unsigned | HmacFault::Wrong) => Some(false),
            // The far end has not signed it, and says so.
            Err(HmacFault::Refused | HmacFault::Wanted | HmacFault::NoKey) => None,
        });
        let kinds = [&mut self.replies_verified, &mut self.replies_wrong];
        count(kinds, &mut self.unchecked, is_there, [judged.base, of_tlvs]);
        self.look(judged);
    }

    fn look(&mut self, judged: Judged) {
        self.key = match (self.verified(), self.wrong()) {
            (0, 1..) => KeyGiven::Other,
            (0, 0) if !judged.has_key => self.key,
            (_, _) => KeyGiven::Right,
        };
    }

    /// What is to be said of them beside what their sender would have.
    pub(in crate::captured) fn findings(&self) -> Vec<Captured> {
        let mut findings = Vec::new();
        match (self.key, self.wrong()) {
            (KeyGiven::Other, count @ 1..) => findings.push(Captured::OtherKey { count }),
            (KeyGiven::Right, _) if self.requests_wrong > 0 => {
                let (count, verified) = (self.requests_wrong, self.requests_verified);
                findings.push(Captured::RequestsForged { count, verified });
            }
            (KeyGiven::None | KeyGiven::Right | KeyGiven::Other, _) => {}
        }
        if let count @ 1.. = self.unchecked {
            let has_key = self.key != KeyGiven::None;
            findings.push(Captured::HmacsUnchecked { count, has_key });
        }
        findings
    }

    fn verified(&self) -> u64 {
        self.requests_verified + self.replies_verified
    }

    /// Packets whose HMAC is wrong.
    pub(super) fn wrong(&self) -> u64 {
        self.requests_wrong + self.replies_wrong
    }

    /// The key that was given decides which packets are used.
    pub(super) fn decides(&self) -> bool {
        self.key == KeyGiven::Right
    }
}
