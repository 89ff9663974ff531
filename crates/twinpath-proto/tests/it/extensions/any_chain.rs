//! Chains of any octets.

use proptest::prelude::*;
use twinpath_proto::extension::{Learnt, SessionState, SyncSource};
use twinpath_wire::{Tlv, TlvType, Tlvs};

use super::rig::{MICRO_SESSION, Rig, host};

/// Any chain of TLVs, whole or not.
fn chains() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop_oneof![0..14_u8, Just(252), Just(255), any::<u8>()];
    let value = prop::collection::vec(any::<u8>(), 0..40);
    let tlv = (
        any::<u8>(),
        kind,
        value,
        prop::option::weighted(0.05, any::<u16>()),
    );
    let tlv = tlv.prop_map(|(flags, kind, value, length)| {
        let length = length.unwrap_or(u16::try_from(value.len()).unwrap());
        let [high, low] = length.to_be_bytes();
        [vec![flags, kind, high, low], value].concat()
    });
    prop::collection::vec(tlv, 0..12).prop_map(|tlvs| tlvs.concat())
}

proptest! {
    /// Unless more or longer replies are asked for, a reply has the octets of its request, and its
    /// TLVs the same Lengths at the same places.
    #[test]
    fn any_chain_is_answered_in_place(chain in chains(), flags in any::<[bool; 5]>()) {
        let [has_state, has_key, is_authenticated, has_link, has_micro_session] = flags;
        let mut rig = Rig::new();
        rig.session = has_state.then(SessionState::default);
        (rig.has_key, rig.is_authenticated) = (has_key || is_authenticated, is_authenticated);
        rig.arrival.interface = u32::from(has_link);
        rig.policy.micro_sessions.extend(has_micro_session.then_some(MICRO_SESSION));
        let request = [vec![0; if is_authenticated { 112 } else { 44 }], chain].concat();
        let Ok((reply, effects)) = rig.answer(&request, &request) else { return Ok(()); };
        prop_assert_eq!(effects.replies, None);
        prop_assert_eq!(reply.len(), request.len());
        let base = request.len() - request[if is_authenticated { 112 } else { 44 }..].len();
        let headers = |packet: &[u8]| {
            let tlvs = Tlvs::new(&packet[base..]).map_while(Result::ok);
            tlvs.map(|tlv| (tlv.header.kind, tlv.header.length)).collect::<Vec<_>>()
        };
        prop_assert_eq!(headers(&reply), headers(&request));
        for tlv in Tlvs::new(&reply[base..]).map_while(Result::ok).take(1) {
            prop_assert!(matches!(tlv.header.flags.0, 0 | 0x80 | 0x40 | 0x20));
        }
        let mut learnt = Learnt::default();
        learnt.read(&reply[base..], [0; 4], 0, None);
        prop_assert!(learnt.tlvs.len() <= 12);
        prop_assert!(learnt.facts().len() >= learnt.tlvs.len());
    }

    /// Where they are asked for, they have the octets that can be had, and their chain is whole.
    #[test]
    fn replies_of_another_size_are_whole(
        chain in chains(),
        octets in any::<u16>(),
        count in 1..4_u16,
        mtu in 576..9_000_u16,
        padding in 0..200_usize,
    ) {
        let [high, low] = octets.to_be_bytes();
        let control = [0x80, 12, 0, 12, high, low, 0, u8::try_from(count).unwrap(), 0, 15, 0x42, 0x40, 0, 0, 0, 0];
        let [_, length] = u16::try_from(padding).unwrap().to_be_bytes();
        let extra = [vec![0x80, 1, 0, length], vec![7; padding]].concat();
        let mut rig = Rig::new().allowing_control();
        rig.host = host(mtu.into(), SyncSource::Ntp);
        let request = [vec![0; 44], extra, control.to_vec(), chain].concat();
        let Ok((reply, effects)) = rig.answer(&request, &request) else { return Ok(()); };
        let Some(replies) = effects.replies else { return Ok(()); };
        prop_assert!(Tlvs::is_whole(&reply[44..]));
        prop_assert_eq!(reply.len(), replies.octets);
        let is_padding = |tlv: &Tlv<'_>| tlv.header.kind == TlvType::EXTRA_PADDING;
        let tlvs = Tlvs::new(&reply[44..]).map_while(Result::ok);
        let (paddings, others): (Vec<_>, Vec<_>) = tlvs.partition(is_padding);
        prop_assert!(paddings.len() <= 1);
        let asked = Tlvs::new(&request[44..]).map_while(Result::ok);
        prop_assert_eq!(others.len(), asked.filter(|tlv| !is_padding(tlv)).count());
        let least: usize = others.iter().map(|tlv| 4 + tlv.value.len()).sum::<usize>() + 44;
        prop_assert!(reply.len() <= usize::from(mtu - 28) || reply.len() == least);
    }
}
