//! From `--tlv` options to the TLVs of requests.

use twinpath_proto::extension::{AskedTlv, RequestChain};
use twinpath_wire::{TlvType, Tos};

use crate::args::StampPackets;
use crate::failure::Failure;

use super::micro_sessions;

/// The TLVs that a session asks with: in authenticated mode with an HMAC TLV (row ST-50).
pub(super) fn asked(packet: &StampPackets) -> Result<Vec<AskedTlv>, Failure> {
    let mut tlvs = packet.tlv.clone();
    if let Some(first) = packet.micro_session.first() {
        micro_sessions::check(packet)?;
        tlvs.push(micro_sessions::tlv(first)?);
    }
    if tlvs.is_empty() {
        return Ok(tlvs);
    }
    if !packet.stamp {
        return Err(Failure::usage(
            "--tlv needs --stamp: TWAMP Light has no TLVs",
        ));
    }
    if have(&tlvs, TlvType::DESTINATION_NODE_ADDRESS) && packet.ssid.is_none() {
        return Err(Failure::usage(
            "--tlv destination-node needs --ssid: replies are told by it (RFC 9503 section 3)",
        ));
    }
    let needs_hmac = tlvs.len() > 1 || !have(&tlvs, TlvType::EXTRA_PADDING);
    if packet.authenticated && needs_hmac && !have(&tlvs, TlvType::HMAC) {
        tlvs.extend("hmac".parse());
    }
    Ok(tlvs)
}

pub(super) fn have(tlvs: &[AskedTlv], kind: TlvType) -> bool {
    tlvs.iter().any(|tlv| tlv.kind() == kind)
}

/// The length of their chain.
pub(super) fn octets(tlvs: &[AskedTlv]) -> Result<u16, Failure> {
    let chain = RequestChain::new(tlvs, Tos::default())
        .map_err(|error| Failure::usage(format!("--tlv: {error}")))?;
    u16::try_from(chain.octets()).map_err(|_| Failure::usage("--tlv: the TLVs are too long"))
}
