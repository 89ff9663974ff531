//! What came back of a trial's datagrams.

use std::fmt::Write as _;

use twinpath_proto::stamp::StampKey;
use twinpath_runtime::probe::Reply;
use twinpath_wire::{TlvFlags, TlvType};

use super::Outcome;
use super::form::Layout;

/// The datagrams of a trial, and what came back besides the replies to its plain packets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard<'a> {
    pub(super) layout: Layout,
    /// Of authenticated STAMP, and of the HMAC TLV.
    pub(super) key: Option<&'a StampKey>,
    pub(super) requests: &'a [Vec<u8>],
    pub(super) replies: &'a [Reply],
}

/// A TLV as it is in a packet; the last one may be cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SeenTlv<'a> {
    pub(super) flags: TlvFlags,
    pub(super) kind: TlvType,
    pub(super) length: usize,
    pub(super) value: &'a [u8],
}

impl<'a> Heard<'a> {
    /// Replies that carry the Sequence Number and time of this request.
    pub(super) fn replies_to(&self, request: &'a [u8]) -> impl Iterator<Item = &'a Reply> {
        let Layout {
            t1,
            sender_number,
            sender_t1,
            ..
        } = self.layout;
        let (number, time) = (request.get(..4), request.get(t1..t1 + 8));
        self.replies.iter().filter(move |reply| {
            reply.octets.get(sender_number..sender_number + 4) == number
                && reply.octets.get(sender_t1..sender_t1 + 8) == time
        })
    }

    /// Passes where each request was answered with its fields copied, and `wrong` finds nothing wrong with a
    /// reply.
    pub(super) fn each(
        &self,
        wrong: impl Fn(&'a [u8], &'a Reply) -> Result<(), Outcome>,
    ) -> Outcome {
        let mut answered = 0;
        for (place, request) in self.requests.iter().enumerate() {
            let Some(reply) = self.replies_to(request).next() else {
                return self.unanswered(place);
            };
            if let Err(outcome) = self.copied(request, reply) {
                return outcome;
            }
            if let Err(outcome) = wrong(request, reply) {
                return outcome;
            }
            answered += 1;
        }
        Outcome::pass(format!(
            "{answered} of {} answered, with all fields as they must be",
            self.requests.len()
        ))
    }

    /// Passes where nothing came back.
    pub(super) fn nothing(&self, what: &str) -> Outcome {
        match self.replies.first() {
            None => Outcome::pass("no answer").by_silence(),
            Some(reply) => Outcome::fail(format!(
                "{what}: a reply of {} octets came",
                reply.octets.len()
            )),
        }
    }

    /// The request at this place was not answered.
    fn unanswered(&self, place: usize) -> Outcome {
        let of = self.requests.len();
        let number = place + 1;
        let octets = self.requests.get(place).map_or(0, Vec::len);
        if let Some(reply) = self.replies.iter().find(|reply| self.is_odd(reply)) {
            return Outcome::fail(format!(
                "packet {number} of {of} ({octets} octets): the reply has {} octets and copies neither its number nor its time",
                reply.octets.len()
            ));
        }
        Outcome::fail(format!(
            "packet {number} of {of} ({octets} octets) is not answered, plain packets are"
        ))
        .silent_at(place)
    }

    /// It belongs to none of the requests.
    fn is_odd(&self, reply: &Reply) -> bool {
        let mut requests = self.requests.iter();
        !requests.any(|request| self.replies_to(request).any(|known| known == reply))
    }

    /// The Error Estimate comes back, too.
    fn copied(&self, request: &[u8], reply: &Reply) -> Result<(), Outcome> {
        let Layout {
            error,
            sender_error,
            ..
        } = self.layout;
        let (sent, back) = (
            request.get(error..error + 2),
            reply.octets.get(sender_error..sender_error + 2),
        );
        if sent == back {
            return Ok(());
        }
        let shown = |field: Option<&[u8]>| field.map_or("nothing".to_owned(), hex);
        Err(Outcome::fail(format!(
            "the Error Estimate {} comes back as {}",
            shown(sent),
            shown(back)
        )))
    }

    /// The TLVs of a packet.
    pub(super) fn tlvs<'p>(&self, packet: &'p [u8]) -> Vec<SeenTlv<'p>> {
        let mut rest = packet.get(self.layout.base..).unwrap_or_default();
        let mut tlvs = Vec::new();
        while let Some(([flags, kind, high, low], behind)) = rest.split_first_chunk() {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            let (value, after) = behind.split_at(length.min(behind.len()));
            tlvs.push(SeenTlv {
                flags: TlvFlags(*flags),
                kind: TlvType(*kind),
                length,
                value,
            });
            rest = after;
        }
        tlvs
    }

    /// As [`Self::each`], where a reply must have the request's TLVs; `wrong` looks at them.
    pub(super) fn each_chain(
        &self,
        wrong: impl Fn(&[SeenTlv<'a>], &[SeenTlv<'a>]) -> Result<(), Outcome>,
    ) -> Outcome {
        self.each(|request, reply| {
            same_length(request, reply)?;
            let (sent, back) = (self.tlvs(request), self.tlvs(&reply.octets));
            let heads = |tlvs: &[SeenTlv<'_>]| -> Vec<_> {
                tlvs.iter().map(|tlv| (tlv.kind, tlv.length)).collect()
            };
            if heads(&sent) != heads(&back) {
                return Err(Outcome::fail(format!(
                    "types and Lengths of the TLVs come back changed: {} as {}",
                    listed(&sent),
                    listed(&back)
                )));
            }
            wrong(&sent, &back)
        })
    }
}

impl SeenTlv<'_> {
    /// Fails unless it came back with these flags.
    pub(super) fn has_flags(&self, wanted: u8) -> Result<(), Outcome> {
        if self.flags.0 == wanted {
            return Ok(());
        }
        Err(Outcome::fail(format!(
            "the TLV of type {} and Length {} comes back with the flags {}, not {}",
            self.kind.0,
            self.length,
            flags(self.flags.0),
            flags(wanted)
        )))
    }

    /// Fails unless its value is that of `sent`.
    pub(super) fn has_value_of(&self, sent: &SeenTlv<'_>) -> Result<(), Outcome> {
        if self.value == sent.value {
            return Ok(());
        }
        Err(Outcome::fail(format!(
            "the value of the TLV of type {} comes back changed",
            self.kind.0
        )))
    }
}

/// Fails unless the reply is as long as its request (RFC 8762 section 4.3).
pub(super) fn same_length(request: &[u8], reply: &Reply) -> Result<(), Outcome> {
    let (sent, back) = (request.len(), reply.octets.len());
    if sent == back {
        return Ok(());
    }
    Err(Outcome::fail(format!(
        "the reply to {sent} octets has {back}"
    )))
}

/// Flags by their letters.
fn flags(octet: u8) -> String {
    let named = [(0x80, 'U'), (0x40, 'M'), (0x20, 'I')];
    let mut letters: String = named
        .iter()
        .filter(|(bit, _)| octet & bit != 0)
        .map(|(_, letter)| *letter)
        .collect();
    if octet & 0x1f != 0 {
        letters = format!("{letters} and reserved bits ({octet:#04x})");
    }
    if letters.is_empty() {
        "none".to_owned()
    } else {
        letters
    }
}

fn listed(tlvs: &[SeenTlv<'_>]) -> String {
    const SHOWN: usize = 4;
    let mut each: Vec<String> = tlvs
        .iter()
        .take(SHOWN)
        .map(|tlv| format!("{}/{}", tlv.kind.0, tlv.length))
        .collect();
    if tlvs.len() > SHOWN {
        each.push(format!("{} more", tlvs.len() - SHOWN));
    }
    if each.is_empty() {
        return "none".to_owned();
    }
    each.join(", ")
}

/// Octets as digits.
pub(super) fn hex(octets: &[u8]) -> String {
    let mut digits = String::new();
    for octet in octets {
        // Writing to a string does not fail.
        let _written = write!(digits, "{octet:02x}");
    }
    digits
}
