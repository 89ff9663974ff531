//! Requests that a well-behaved sender does not send, and replies that no reflector of ours sends.

use twinpath_proto::extension::Learnt;
use twinpath_proto::reflector::{Access, Ignored};
use twinpath_proto::stamp::StampKey;
use twinpath_wire::{Dscp, Tos};

use super::hex;
use super::rig::Rig;
use crate::stamp::known_key;

/// An open request with these TLVs behind its base packet.
pub(super) fn request(tlvs: &[&[u8]]) -> Vec<u8> {
    [&[0; 44], tlvs.concat().as_slice()].concat()
}

/// An HMAC TLV for these behind a packet with number 0.
pub(super) fn hmac(key: &StampKey, before: &[&[u8]]) -> Vec<u8> {
    let digest = key.sign(&[&[0; 4], &before.concat()]);
    [[0x80, 8, 0, 16].as_slice(), &digest].concat()
}

/// The TLVs of the reply.
pub(super) fn tlvs(rig: &mut Rig, request: &[u8]) -> Vec<u8> {
    let (reply, _) = rig.answer(request, request).unwrap();
    reply[44..].to_vec()
}

pub(super) const COS: [u8; 8] = [0x80, 4, 0, 4, 10 << 2, 0, 0, 0];
const COS_ANSWERED: [u8; 8] = [0, 4, 0, 4, 10 << 2, 0, 0, 0];
/// Replies of 200 octets, three, 1 ms apart.
pub(super) const CONTROL: [u8; 16] = [0x80, 12, 0, 12, 0, 200, 0, 3, 0, 15, 0x42, 0x40, 0, 0, 0, 0];
pub(super) const NO_REPLY: [u8; 12] = [0x80, 10, 0, 8, 0x80, 1, 0, 4, 0, 0, 0, 0];

#[test]
fn an_hmac_tlv_is_made_for_the_reply_though_what_follows_it_is_broken() {
    let key = known_key();
    for broken in [[0x80, 1, 0xff, 0xff].as_slice(), &[0x80, 1], &[7]] {
        let request = request(&[&COS, &hmac(&key, &[&COS]), broken]);
        let reply = tlvs(&mut Rig::new(), &request);
        let digest = key.sign(&[&[0; 4], &COS_ANSWERED]);
        let signed = [&COS_ANSWERED, [0, 8, 0, 16].as_slice(), &digest].concat();
        assert_eq!(hex(&reply[..28]), hex(&signed), "{broken:?}");
        let flags = if broken.len() == 4 { 0x40 } else { broken[0] };
        assert_eq!(reply[28], flags, "{broken:?}");
        let mut learnt = Learnt::default();
        learnt.read(&reply, [0; 4], 0, Some(&key));
        assert_eq!(learnt.unverified, 0, "{broken:?}");
    }
}

#[test]
fn a_sender_uses_no_tlv_that_its_hmac_does_not_cover() {
    let key = known_key();
    let signed = [COS_ANSWERED.as_slice(), &hmac(&key, &[&COS_ANSWERED])].concat();
    let padding = [0, 1, 0, 2, 9, 9];
    let forged = [0, 5, 0, 12, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1];
    let again = hmac(&key, &[&signed]);
    for (beyond, is_used) in [
        (&[][..], true),
        (&padding, true),
        (&forged, false),
        (&again, false),
    ] {
        let chain = [&signed, beyond].concat();
        let mut learnt = Learnt::default();
        let observed = learnt.read(&chain, [0; 4], 0, Some(&key));
        let used = (observed.tos_forward.is_some(), learnt.unverified == 0);
        assert_eq!(used, (is_used, is_used), "{beyond:?}");
    }
}

#[test]
fn the_first_return_address_counts_though_it_is_refused() {
    let mut rig = Rig::new();
    let allowed = "198.51.100.0/24".parse().unwrap();
    rig.policy.return_addresses = Access::only(&[allowed]);
    let refused = [0x80, 2, 0, 4, 203, 0, 113, 9];
    let permitted = [0x80, 2, 0, 4, 198, 51, 100, 9];
    let both = request(&[&[0x80, 10, 0, 16], &refused, &permitted]);
    let (reply, effects) = rig.answer(&both, &both).unwrap();
    assert_eq!(hex(&reply), hex(&both));
    assert_eq!(effects.destination, None);
    let turned = request(&[&[0x80, 10, 0, 16], &permitted, &refused]);
    let (reply, effects) = rig.answer(&turned, &turned).unwrap();
    assert_eq!([reply[44], reply[48], reply[56]], [0, 0, 0x80]);
    assert!(effects.destination.is_some());
}

#[test]
fn a_segment_list_and_a_return_address_are_used_together_or_not_at_all() {
    let sid = |last: u8| [0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
    let list = [&[0x80, 4, 0, 32][..], &sid(10), &sid(11)].concat();
    let to = |last: u8| [&[0x80, 2, 0, 16][..], &sid(last)].concat();
    let mut rig = Rig::new().over_ipv6();
    rig.policy.segments = Access::only(&["2001:db8:1::/112".parse().unwrap()]);
    rig.policy.return_addresses = Access::only(&["2001:db8:1::5/128".parse().unwrap()]);
    for (last, is_used) in [(5, true), (6, false)] {
        let both = request(&[&[0x80, 10, 0, 56], &list, &to(last)]);
        let (reply, effects) = rig.answer(&both, &both).unwrap();
        let flag = if is_used { 0 } else { 0x80 };
        assert_eq!([reply[44], reply[48], reply[84]], [flag; 3]);
        assert_eq!(effects.over_segments, is_used);
        assert_eq!(effects.destination.is_some(), is_used);
    }
    // A type 12 that is not enabled is as an unknown one; of several replies none visits segments.
    let with_control = request(&[&[0x80, 10, 0, 36], &list, &CONTROL]);
    let (_, effects) = rig.answer(&with_control, &with_control).unwrap();
    assert!(effects.over_segments);
    let mut multiplied = Rig::new().over_ipv6().allowing_control();
    multiplied.policy.segments = rig.policy.segments.clone();
    let control = multiplied.policy.control.as_mut().unwrap();
    control.allow = Access::only(&["::/0".parse().unwrap()]);
    let (_, effects) = multiplied.answer(&with_control, &with_control).unwrap();
    assert!(!effects.over_segments);
    // Another network's segment; more of them than are taken; over IPv4.
    let foreign = [&[0x80, 4, 0, 32][..], &sid(10), &[0xfd; 16]].concat();
    let long = [&[0x80, 4, 0, 176][..], &sid(10).repeat(11)].concat();
    let mut v4 = Rig::new();
    v4.policy.segments = rig.policy.segments.clone();
    for (rig, list) in [(&mut rig, &foreign), (&mut v4, &list)] {
        let head = [0x80, 10, 0, u8::try_from(list.len()).unwrap()];
        let asked = request(&[&head, list]);
        let (reply, effects) = rig.answer(&asked, &asked).unwrap();
        assert_eq!([reply[44], reply[48]], [0x80; 2]);
        assert!(!effects.over_segments);
    }
    let asked = request(&[&[0x80, 10, 0, 180], &long]);
    let (reply, effects) = rig.answer(&asked, &asked).unwrap();
    assert_eq!(
        (reply[44], reply[48], effects.over_segments),
        (0x80, 0x80, false)
    );
}

#[test]
fn a_control_code_of_a_wrong_length_does_not_make_way_for_another() {
    let codes = [
        0x80, 10, 0, 14, 0x80, 1, 0, 2, 0, 0, 0x80, 1, 0, 4, 0, 0, 0, 0,
    ];
    let reply = tlvs(&mut Rig::new(), &request(&[&codes]));
    assert_eq!([reply[0], reply[4], reply[10]], [0x80, 0x40, 0x80]);
}

#[test]
fn sub_tlvs_that_are_not_used_have_u_alone() {
    // Reserved flags and I, which no sub-TLV has (rows ST-33, ST-62).
    let address = [0x80, 10, 0, 8, 0x3f, 2, 0, 4, 203, 0, 113, 9];
    let reply = tlvs(&mut Rig::new(), &request(&[&address]));
    assert_eq!([reply[0], reply[4]], [0x80, 0x80]);
}

#[test]
fn a_group_with_bits_beyond_its_mask_is_that_of_no_host() {
    let group = |last| {
        let mut control = CONTROL[..12].to_vec();
        control[3] = 20;
        [control, vec![0x80, 11, 0, 8, 24, 0, 0, 0, 192, 0, 2, last]].concat()
    };
    for (last, answer) in [(0, None), (77, Some(Ignored::OtherGroup))] {
        let request = request(&[&group(last)]);
        let reply = Rig::new().allowing_control().answer(&request, &request);
        assert_eq!(reply.err(), answer, "{last}");
    }
}

#[test]
fn a_control_that_is_malformed_does_not_contradict_no_reply() {
    let short = [0x80, 12, 0, 8, 0, 200, 0, 3, 0, 15, 0x42, 0x40];
    let request = request(&[&NO_REPLY, &short]);
    let reply = Rig::new().allowing_control().answer(&request, &request);
    assert_eq!(reply.err(), Some(Ignored::NoReplyWanted));
}

#[test]
fn copies_are_made_for_those_that_may_ask_with_an_hmac_alone() {
    let key = known_key();
    let open = request(&[&CONTROL]);
    let signed = request(&[&CONTROL, &hmac(&key, &[&CONTROL])]);
    for (is_named, has_hmac, unauthenticated, is_granted) in [
        (true, true, false, true),
        (true, false, false, false),
        (true, false, true, true),
        (false, true, false, false),
        (false, false, true, false),
    ] {
        let mut rig = Rig::new().allowing_control();
        let control = rig.policy.control.as_mut().unwrap();
        control.unauthenticated = unauthenticated;
        if !is_named {
            control.allow = Access::only(&["203.0.113.0/24".parse().unwrap()]);
        }
        let request = if has_hmac { &signed } else { &open };
        let (reply, effects) = rig.answer(request, request).unwrap();
        let context = (is_named, has_hmac, unauthenticated);
        assert_eq!(effects.replies.is_some(), is_granted, "{context:?}");
        assert_eq!(reply[44], if is_granted { 0 } else { 0x80 }, "{context:?}");
        let octets = if is_granted { 200 } else { request.len() };
        assert_eq!(reply.len(), octets, "{context:?}");
    }
}

#[test]
fn each_limit_of_copies_bounds_them_by_itself() {
    // Three of 200 octets, 1 ms apart: 600 octets, 200,000 octets per second.
    for (octets_per_s, octets, replies, is_met) in [
        (200_000, 600, 3, true),
        (199_999, 600, 3, false),
        (200_000, 599, 3, false),
        (200_000, 600, 2, false),
    ] {
        let mut rig = Rig::new().allowing_control();
        let control = rig.policy.control.as_mut().unwrap();
        (control.octets_per_s, control.octets, control.replies) = (octets_per_s, octets, replies);
        let request = request(&[&CONTROL]);
        let (reply, effects) = rig.answer(&request, &request).unwrap();
        assert_eq!(reply[44], if is_met { 0 } else { 0x10 });
        let count = effects.replies.map(|all| all.count);
        assert_eq!(
            (count, reply.len()),
            (Some(if is_met { 3 } else { 1 }), 200)
        );
    }
    // No interval is a rate without bound.
    let mut rig = Rig::new().allowing_control();
    rig.policy.control.as_mut().unwrap().octets_per_s = u64::MAX;
    let mut at_once = CONTROL;
    at_once[8..12].fill(0);
    let request = request(&[&at_once]);
    assert_eq!(tlvs(&mut rig, &request)[0], 0x10);
}

#[test]
fn without_a_key_an_hmac_tlv_is_unknown_and_the_others_need_permission() {
    let key = known_key();
    let request = request(&[&COS, &hmac(&key, &[&COS])]);
    let mut rig = Rig::new();
    rig.has_key = false;
    let flags = |rig: &mut Rig| {
        let reply = tlvs(rig, &request);
        assert_eq!(reply[12..], request[56..]);
        [reply[0], reply[8]]
    };
    assert_eq!(flags(&mut rig), [0x80, 0x80]);
    rig.policy.accepts_unverified = true;
    assert_eq!(flags(&mut rig), [0, 0x80]);
}

#[test]
fn an_hmac_tlv_may_be_required_of_open_packets() {
    let key = known_key();
    let (open, signed) = (request(&[&COS]), request(&[&COS, &hmac(&key, &[&COS])]));
    let mut rig = Rig::new();
    for (is_required, of_open) in [(false, 0), (true, 0x20)] {
        rig.policy.requires_hmac = is_required;
        assert_eq!(tlvs(&mut rig, &open)[0], of_open);
        assert_eq!(tlvs(&mut rig, &signed)[0], 0);
        // One Extra Padding alone needs none, as in authenticated mode; two do.
        let padding = [0x80, 1, 0, 4, 0, 0, 0, 0];
        assert_eq!(tlvs(&mut rig, &request(&[&padding]))[0], 0);
        assert_eq!(tlvs(&mut rig, &request(&[&padding, &padding]))[0], of_open);
    }
    // One that cannot be verified is not enough, whatever else is accepted.
    rig.has_key = false;
    rig.policy.accepts_unverified = true;
    assert_eq!(tlvs(&mut rig, &signed)[0], 0x80);
}

#[test]
fn of_two_dscps_the_first_is_that_of_the_reply() {
    let mut rig = Rig::new().arrived_with(46, 2);
    let other = [0x80, 4, 0, 4, 20 << 2, 0, 0xff, 0xff];
    let request = request(&[&COS, &other]);
    let (reply, effects) = rig.answer(&request, &request).unwrap();
    assert_eq!(effects.dscp.map(Dscp::value), Some(10));
    let fields = |dscp: u16, rp: u16| (dscp << 10 | 46 << 4 | 2 << 2 | rp).to_be_bytes();
    assert_eq!(reply[48..50], fields(10, 0));
    assert_eq!(reply[56..60], [fields(20, 1), [0; 2]].concat());
}

#[test]
fn a_dscp_that_is_not_allowed_is_given_only_to_what_arrived_with_it() {
    for (arrived, asked, is_given) in [
        (0, 46, true),
        (0, 48, false),
        (48, 48, true),
        (56, 48, false),
    ] {
        let mut rig = Rig::new().arrived_with(arrived, 0);
        let request = request(&[&[0x80, 4, 0, 4, asked << 2, 0, 0, 0]]);
        let (reply, effects) = rig.answer(&request, &request).unwrap();
        let given = effects.dscp.map(Dscp::value);
        assert_eq!(given, Some(if is_given { asked } else { arrived }));
        assert_eq!(reply[49] & 3, u8::from(!is_given));
    }
    // Where the operator sets that of replies, only this one and those that are allowed are given.
    for (arrived, asked, given, is_given) in [
        (0, 8, 8, true),
        (0, 46, 46, true),
        (0, 48, 8, false),
        (48, 48, 8, false),
    ] {
        let mut rig = Rig::new().arrived_with(arrived, 0);
        rig.policy.reply_dscp = Some(Dscp::new(8).unwrap());
        let request = request(&[&[0x80, 4, 0, 4, asked << 2, 0, 0, 0]]);
        let (reply, effects) = rig.answer(&request, &request).unwrap();
        assert_eq!(effects.dscp.map(Dscp::value), Some(given), "{asked}");
        assert_eq!(reply[49] & 3, u8::from(!is_given));
    }
    // A socket that does not tell the DSCP.
    let mut rig = Rig::new();
    rig.arrival.tos = None::<Tos>;
    assert_eq!(tlvs(&mut rig, &request(&[&COS])), COS);
}

#[test]
fn a_sender_s_mac_is_told_if_it_is_a_neighbour_on_the_link_of_its_packet() {
    let ask = request(&[&[0x80, 2, 0, 16, 0, 0, 0, 0, 0x80, 1, 0, 8], &[0; 8]]);
    let mut rig = Rig::new();
    let mac = [2, 0, 0, 0, 0, 9];
    let neighbours = [
        (rig.arrival.from.ip(), 8, [2, 0, 0, 0, 0, 8]),
        (rig.arrival.from.ip(), 9, mac),
        ("192.0.2.9".parse().unwrap(), 7, [2, 0, 0, 0, 0, 7]),
    ];
    rig.host = rig.host.with_neighbours(neighbours);
    for (interface, kind, mac) in [(9, 2, mac), (7, 3, [0; 6])] {
        rig.arrival.interface = interface;
        let reply = tlvs(&mut rig, &ask);
        assert_eq!(reply[9], kind, "{interface}");
        assert_eq!(reply[12..], [&mac[..], &[0; 2]].concat(), "{interface}");
    }
}

#[test]
fn a_reply_goes_to_no_address_that_must_not_have_one() {
    let mut rig = Rig::new();
    rig.policy.return_addresses = Access::default();
    let any = ["0.0.0.0/0", "::/0"].map(|prefix| prefix.parse().unwrap());
    rig.policy.return_addresses = Access::only(&any);
    for address in [
        [0, 0, 0, 0],
        [255, 255, 255, 255],
        [224, 0, 0, 1],
        [127, 0, 0, 1],
        [192, 0, 2, 2],
    ] {
        let [a, b, c, d] = address;
        let request = request(&[&[0x80, 10, 0, 8, 0x80, 2, 0, 4, a, b, c, d]]);
        let (reply, effects) = rig.answer(&request, &request).unwrap();
        assert_eq!(
            (reply[44], effects.destination),
            (0x80, None),
            "{address:?}"
        );
    }
    // One of the other family.
    let v6 = [[0x80, 10, 0, 20, 0x80, 2, 0, 16].as_slice(), &[0x20; 16]].concat();
    assert_eq!(tlvs(&mut rig, &request(&[&v6]))[0], 0x80);
}

#[test]
fn number_0_and_no_reply_do_not_contradict() {
    let mut none = CONTROL;
    none[7] = 0;
    for request in [request(&[&none, &NO_REPLY]), request(&[&NO_REPLY, &none])] {
        let mut rig = Rig::new().allowing_control();
        assert!(rig.answer(&request, &request).is_err());
    }
}

#[test]
fn the_mark_of_a_session_goes_round_and_is_moved_by_verified_packets_alone() {
    let mut rig = Rig::new().allowing_control();
    let key = known_key();
    let mut copies = |seq: u32, is_right: bool| {
        let mut request = request(&[&CONTROL, &[0x80, 8, 0, 16], &[0; 16]]);
        request[..4].copy_from_slice(&seq.to_be_bytes());
        let digest = key.sign(&[&seq.to_be_bytes(), &CONTROL]);
        request[64..].copy_from_slice(&digest);
        request[79] ^= u8::from(!is_right);
        let (_, effects) = rig.answer(&request, &request).unwrap();
        effects.replies.is_some()
    };
    assert!(copies(u32::MAX - 1, true));
    assert!(!copies(u32::MAX - 1, true));
    assert!(!copies(7, false));
    assert!(copies(u32::MAX, true) && copies(0, true));
    assert!(!copies(u32::MAX, true));
}
