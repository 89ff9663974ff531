//! What a Session-Sender asks for: the chain of TLVs in its requests.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use twinpath_wire::{Dscp, TlvFlags, TlvHeader, TlvMut, TlvType, TlvWriter, Tlvs, TlvsMut, Tos};

use super::{
    EXTENSIONS, Extension, Observation, Replies, ReplyDscp, Retransmission, class_of_service, hmac,
    of, reflected_control, return_path,
};
use crate::stamp::StampKey;

/// Octets of [`RequestChain::salt`].
pub const SALT_OCTETS: usize = 8;

/// One TLV to ask with: its name, and what follows it behind `=`.
#[derive(Clone)]
pub struct AskedTlv {
    extension: &'static dyn Extension,
    text: Option<String>,
}

/// A TLV that cannot be asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// No extension has this name.
    #[error("no TLV has the name {0:?}: use one of {names}", names = names())]
    Unknown(String),
    /// A list of names, where one is taken.
    #[error("{0:?} is a list: give each TLV by itself")]
    List(String),
    /// What follows the name is not what it takes.
    #[error("{name} takes {takes}")]
    Value {
        /// The extension's.
        name: &'static str,
        /// What it takes.
        takes: &'static str,
    },
    /// It counts once in a packet.
    #[error("{0} may be given once")]
    Twice(&'static str),
    /// The TLVs need more octets than a packet has.
    #[error("{octets} octets of TLVs are more than a packet has room for ({room})")]
    TooLong {
        /// What they need.
        octets: usize,
        /// What there is.
        room: usize,
    },
}

fn names() -> String {
    let names: Vec<&str> = EXTENSIONS.iter().map(|one| one.name()).collect();
    names.join(", ")
}

impl AskedTlv {
    /// Its type.
    pub fn kind(&self) -> TlvType {
        self.extension.kind()
    }

    /// The replies that it asks for; `None`: one, as without it.
    pub fn replies(&self) -> Option<Replies> {
        let mut observation = Observation::default();
        let value = self.value(Tos::default()).ok()?;
        self.extension.observe(&value, &mut observation);
        observation.replies
    }

    /// The address that it asks replies to go to (Return Path).
    pub fn return_address(&self) -> Option<IpAddr> {
        let value = (self.kind() == TlvType::RETURN_PATH).then(|| self.value(Tos::default()));
        return_path::return_address(&value?.ok()?)
    }

    /// How requests that ask with it are repeated; `None`: they are not.
    pub fn retransmission(&self) -> Option<Retransmission> {
        self.extension.retransmission(self.text.as_deref())
    }

    /// The value with which a packet sent with this ToS asks.
    ///
    /// # Errors
    /// [`AskError::Value`].
    pub fn value(&self, tos: Tos) -> Result<Vec<u8>, AskError> {
        let value = self.extension.ask(self.text.as_deref(), tos);
        value.ok_or(AskError::Value {
            name: self.extension.name(),
            takes: self.extension.takes_text(),
        })
    }
}

impl FromStr for AskedTlv {
    type Err = AskError;

    fn from_str(text: &str) -> Result<Self, AskError> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        let mut all = EXTENSIONS.iter();
        let Some(extension) = all.find(|extension| extension.name() == name) else {
            return Err(if name.contains(',') {
                AskError::List(text.to_owned())
            } else {
                AskError::Unknown(name.to_owned())
            });
        };
        let asked = Self {
            extension: *extension,
            text: value,
        };
        asked.value(Tos::default())?;
        Ok(asked)
    }
}

impl fmt::Display for AskedTlv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.extension.name())?;
        match &self.text {
            Some(text) => write!(f, "={text}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for AskedTlv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl PartialEq for AskedTlv {
    fn eq(&self, other: &Self) -> bool {
        (self.kind(), &self.text) == (other.kind(), &other.text)
    }
}

impl Eq for AskedTlv {}

/// The TLVs of a session's requests, as they are but for what differs from packet to packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestChain {
    octets: Box<[u8]>,
    retransmission: Option<Retransmission>,
}

/// What differs from request to request.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestFacts {
    /// Packets of the session that were sent, with this one.
    pub sent: u32,
    /// The far end's Micro-session ID, once it is known.
    pub reflector_micro_session: Option<u16>,
}

impl RequestChain {
    /// The chain of these TLVs in packets with this ToS. The HMAC TLV comes last: it covers the
    /// others (row ST-50).
    ///
    /// # Errors
    /// [`AskError`].
    pub fn new(asked: &[AskedTlv], tos: Tos) -> Result<Self, AskError> {
        /// Leaves room for a base packet and for IP headers of any kind.
        const ROOM: usize = 65_000;
        let (hmacs, others): (Vec<_>, Vec<_>) =
            asked.iter().partition(|tlv| tlv.kind() == TlvType::HMAC);
        for (at, tlv) in asked.iter().enumerate() {
            let mut before = asked.iter().take(at);
            if tlv.extension.is_single() && before.any(|other| other.kind() == tlv.kind()) {
                return Err(AskError::Twice(tlv.extension.name()));
            }
        }
        let mut values = Vec::with_capacity(asked.len());
        for tlv in others.into_iter().chain(hmacs) {
            values.push((tlv.kind(), tlv.value(tos)?));
        }
        let octets = values
            .iter()
            .map(|(_, value)| TlvHeader::OCTETS + value.len())
            .sum();
        let too_long = AskError::TooLong { octets, room: ROOM };
        if octets > ROOM {
            return Err(too_long);
        }
        let mut chain = vec![0; octets].into_boxed_slice();
        let mut writer = TlvWriter::new(&mut chain);
        for (kind, value) in values {
            let Some(room) = writer.push(kind, value.len()) else {
                return Err(too_long);
            };
            room.copy_from_slice(&value);
        }
        let retransmission = asked.iter().find_map(AskedTlv::retransmission);
        Ok(Self {
            octets: chain,
            retransmission,
        })
    }

    /// That of a request which was captured, as far as it was.
    pub fn captured(octets: &[u8]) -> Self {
        Self {
            octets: octets.into(),
            retransmission: None,
        }
    }

    /// How its packets are repeated until a reply confirms them.
    pub(crate) fn retransmission(&self) -> Option<Retransmission> {
        self.retransmission
    }

    /// Its length.
    pub fn octets(&self) -> usize {
        self.octets.len()
    }

    /// The header of its first TLV.
    pub(crate) fn first_header(&self) -> &[u8] {
        self.octets.get(..TlvHeader::OCTETS).unwrap_or_default()
    }

    /// The value of the first TLV of a type.
    pub fn value(&self, kind: TlvType) -> Option<&[u8]> {
        let mut tlvs = Tlvs::new(&self.octets).map_while(Result::ok);
        Some(tlvs.find(|tlv| tlv.header.kind == kind)?.value)
    }

    /// The replies that it asks for; `None`: one, as without it.
    pub fn replies(&self) -> Option<Replies> {
        reflected_control::asked(self.value(TlvType::REFLECTED_CONTROL)?)
    }

    /// The DSCP that replies are to have, if Class of Service asks for one.
    pub fn reply_dscp(&self) -> Option<Dscp> {
        match class_of_service::reply_dscp(self.value(TlvType::CLASS_OF_SERVICE)?)? {
            ReplyDscp::AsAsked(dscp) => Some(dscp),
            ReplyDscp::Other => None,
        }
    }

    /// Whether it asks for no reply, or for replies to another address than this one.
    pub fn sends_replies_elsewhere(&self, near: IpAddr) -> bool {
        let way = self.value(TlvType::RETURN_PATH);
        way.is_some_and(|value| return_path::goes_elsewhere(value, near))
    }

    /// The address that it asks replies to go to (Return Path).
    pub fn return_address(&self) -> Option<IpAddr> {
        return_path::return_address(self.value(TlvType::RETURN_PATH)?)
    }

    /// Makes the HMAC TLV of a request for several replies differ from that of other runs, whose packets have the
    /// same numbers: these octets go into an Extra Padding TLV that it covers. Without one nothing changes.
    pub fn salt(&mut self, salt: [u8; SALT_OCTETS]) {
        if self.replies().is_none() || self.value(TlvType::HMAC).is_none() {
            return;
        }
        let mut tlvs = TlvsMut::new(&mut self.octets).map_while(Result::ok);
        let padding = tlvs.find(|tlv| tlv.header.kind == TlvType::EXTRA_PADDING);
        if let Some(room) = padding.and_then(|tlv| tlv.value.first_chunk_mut()) {
            *room = salt;
        }
    }

    /// Writes it into a packet, behind its base, and returns what is left of the packet. Where there
    /// is no room for it, nothing is written.
    ///
    /// `seq` is the packet's Sequence Number.
    pub fn write<'a>(
        &self,
        seq: u32,
        behind: &'a mut [u8],
        request: &RequestFacts,
        key: Option<&StampKey>,
    ) -> &'a mut [u8] {
        if behind.len() < self.octets.len() {
            return behind;
        }
        let (chain, rest) = behind.split_at_mut(self.octets.len());
        chain.copy_from_slice(&self.octets);
        for TlvMut { header, value } in TlvsMut::new(chain).map_while(Result::ok) {
            if let Some(extension) = of(header.kind) {
                extension.refresh(value, request);
            }
        }
        if let Some(key) = key {
            sign(chain, seq, key);
        }
        rest
    }
}

/// Writes the digest of an HMAC TLV at the end of a chain.
fn sign(chain: &mut [u8], seq: u32, key: &StampKey) {
    let tlv = TlvHeader::OCTETS + hmac::OCTETS;
    let Some((before, last)) = chain
        .len()
        .checked_sub(tlv)
        .and_then(|at| chain.split_at_mut_checked(at))
    else {
        return;
    };
    let is_hmac = last.starts_with(&[TlvFlags::UNRECOGNIZED.0, TlvType::HMAC.0]);
    if let Some(digest) = last.get_mut(TlvHeader::OCTETS..).filter(|_| is_hmac) {
        digest.copy_from_slice(&key.sign(&[&seq.to_be_bytes(), before]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The chain of these TLVs in a packet of number 0, salted.
    fn written(asked: &[&str], salt: u8) -> Vec<u8> {
        let asked: Vec<AskedTlv> = asked.iter().map(|one| one.parse().unwrap()).collect();
        let mut chain = RequestChain::new(&asked, Tos::default()).unwrap();
        chain.salt([salt; SALT_OCTETS]);
        let mut packet = vec![0; chain.octets()];
        let key = StampKey::new(&[7; 16]).unwrap();
        chain.write(0, &mut packet, &RequestFacts::default(), Some(&key));
        packet
    }

    #[test]
    fn requests_of_two_runs_for_several_replies_are_signed_differently() {
        let asked = ["hmac", "reflected-control=0:3:1ms", "extra-padding=8"];
        let [one, two] = [1, 2].map(|salt| written(&asked, salt));
        let digest = one.len() - hmac::OCTETS;
        assert_ne!(one[digest..], two[digest..]);
        // Neither in others, nor where there is no room for it.
        for asked in [
            &["cos", "extra-padding=8", "hmac"][..],
            &["reflected-control=0:3:1ms", "extra-padding=7", "hmac"],
            &["reflected-control=0:3:1ms", "extra-padding=8"],
        ] {
            assert_eq!(written(asked, 1), written(asked, 2), "{asked:?}");
        }
    }
}
