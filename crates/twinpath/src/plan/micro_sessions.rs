//! From `--micro-session` options to the sessions of member links (RFC 9534).

use std::collections::HashSet;
use std::hash::Hash;

use twinpath_proto::extension::AskedTlv;
use twinpath_runtime::measure::Member;
use twinpath_wire::TlvType;

use crate::args::{MicroSession, StampPackets};
use crate::failure::Failure;

use super::tlvs;

/// Whether sessions with these can be told apart, at both ends (row SL-37).
pub(super) fn check(packet: &StampPackets) -> Result<(), Failure> {
    let all = &packet.micro_session;
    if !packet.stamp {
        return Err(Failure::usage(
            "--micro-session needs --stamp: TWAMP Light has no TLVs",
        ));
    }
    if tlvs::have(&packet.tlv, TlvType::MICRO_SESSION_ID) {
        return Err(Failure::usage(
            "--micro-session and --tlv micro-session exclude each other: use one of them",
        ));
    }
    let interfaces = all.iter().filter(|one| one.member.interface.is_some());
    if ![0, all.len()].contains(&interfaces.count()) {
        return Err(Failure::usage(
            "--micro-session: give each ID an interface (@NAME), or none",
        ));
    }
    let ids = unique("ID", all.iter().map(|one| Some(one.member.id)));
    let far_ids = unique("the far end's ID", all.iter().map(|one| one.far_id));
    let interfaces = all.iter().map(|one| one.member.interface.as_ref());
    ids.and(far_ids)
        .and(unique("interface", interfaces))
        .map_err(|line| Failure::usage(format!("--micro-session: {line}")))
}

/// That each is there once; else what is wrong.
pub(super) fn unique<T: Hash + Eq + std::fmt::Display>(
    what: &str,
    all: impl Iterator<Item = Option<T>>,
) -> Result<(), String> {
    let mut known = HashSet::new();
    for one in all.flatten() {
        let name = one.to_string();
        if !known.insert(one) {
            return Err(format!(
                "{what} {name} is given twice: each member link has its own"
            ));
        }
    }
    Ok(())
}

/// The TLV with which its packets ask.
pub(super) fn tlv(session: &MicroSession) -> Result<AskedTlv, Failure> {
    let far_id = session
        .far_id
        .map_or_else(String::new, |far| format!(":{far}"));
    let tlv = format!("micro-session={}{far_id}", session.member.id).parse();
    tlv.map_err(|error| Failure::usage(format!("--micro-session: {error}")))
}

/// The members of a link that the sessions of one class take; none where interfaces are not given.
pub(super) fn members(all: &[MicroSession]) -> Vec<Member> {
    let interfaces = all.iter().filter_map(|one| one.member.interface.as_deref());
    Member::of_one_link(interfaces).collect()
}
