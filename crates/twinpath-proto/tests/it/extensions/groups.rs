//! Requests that are sent to a multicast group (RFC 10052 section 4.2; row SL-62): every member may answer them.

use twinpath_proto::reflector::{Access, Ignored, ReflectorConfig};
use twinpath_wire::Mono;

use super::copies::{Far, MS, START, THREE, open};
use super::ip;
use super::replays::signed;
use crate::stamp::known_key;

const GROUP: &str = "239.7.7.7";

/// A member of the group, asked at it.
fn member(change: impl FnOnce(&mut ReflectorConfig)) -> Far {
    let mut far = Far::new(|config| {
        config.groups = vec![ip(GROUP), ip("ff05::7777")];
        config.extensions.control.as_mut().unwrap().unauthenticated = false;
        change(config);
    });
    far.arrival.to = Some(ip(GROUP));
    far
}

/// Replies to a request and the flags of its first TLV, or why no reply is sent.
fn replies(far: &mut Far, now: Mono, request: &[u8]) -> Result<(usize, u8), Ignored> {
    far.buffer[..request.len()].copy_from_slice(request);
    let arrival = far.arrival;
    let reflection = (far.reflector).reflect(now, &mut far.buffer, request.len(), &arrival)?;
    let reply = far.buffer[..reflection.octets].to_vec();
    far.reflector
        .add_copies(now, &reflection, &reply, &arrival, super::copies::SOCKET);
    Ok((1 + far.copies(now), reply[44]))
}

/// An open request with these TLVs and a right HMAC TLV.
fn signed_with(seq: u32, tlvs: &[u8]) -> Vec<u8> {
    let digest = known_key().sign(&[&seq.to_be_bytes(), tlvs]);
    open(seq, &[tlvs, &[0x80, 8, 0, 16], &digest].concat())
}

#[test]
fn a_signed_request_for_replies_is_answered_once_and_all_else_to_a_group_is_not() {
    let mut far = member(|_| ());
    let refused = Err(Ignored::Multicast);
    let mut no_reply = THREE.to_vec();
    no_reply.extend([0x80, 10, 0, 8, 0x80, 1, 0, 4, 0, 0, 0, 0]);
    let one_way = [0x80, 10, 0, 8, 0x80, 1, 0, 4, 0, 0, 0, 0];
    let mut wrong = signed(4, 1);
    *wrong.last_mut().unwrap() ^= 1;
    for request in [
        open(4, &[]),
        open(4, &[])[..14].to_vec(),
        open(4, &THREE),
        open(4, &[0x80, 1, 0, 0]),
        signed_with(4, &[0x80, 5, 0, 12, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
        signed_with(4, &no_reply),
        signed_with(4, &one_way),
        wrong,
    ] {
        assert_eq!(replies(&mut far, START, &request), refused, "{request:?}");
    }
    assert_eq!(replies(&mut far, START, &signed(7, 1)), Ok((3, 0)));
    // Again, as recorded, from there and from elsewhere.
    assert_eq!(replies(&mut far, START + MS, &signed(7, 1)), refused);
    far.arrival.from.set_port(50_000);
    assert_eq!(replies(&mut far, START + MS, &signed(7, 1)), refused);
    far.arrival.from = "198.51.100.1:50000".parse().unwrap();
    assert_eq!(replies(&mut far, START + MS, &signed(8, 1)), refused);
    // What was refused has no number.
    far.arrival.from = "192.0.2.1:40000".parse().unwrap();
    let reply = far.ask(START + MS, &signed(9, 1));
    assert_eq!(reply[..4], 3_u32.to_be_bytes());
    assert_eq!(far.copies(START + MS), 2);
    assert_eq!(far.reflector.counters().ignored_as(Ignored::Multicast), 11);
    // To this host alone everything is answered as ever.
    far.arrival.to = Some(ip("192.0.2.2"));
    assert_eq!(
        replies(&mut far, START + MS, &open(4, &THREE)),
        Ok((1, 0x80))
    );
}

#[test]
fn a_request_to_a_group_that_is_over_a_limit_gets_one_reply_once() {
    let mut far = member(|config| config.extensions.control.as_mut().unwrap().replies = 2);
    assert_eq!(replies(&mut far, START, &signed(7, 1)), Ok((1, 0x10)));
    let again = replies(&mut far, START + MS, &signed(7, 1));
    assert_eq!(again, Err(Ignored::Multicast));
}

#[test]
fn no_request_to_a_group_is_answered_without_the_group_the_permission_or_the_hmac() {
    for change in [
        |config: &mut ReflectorConfig| config.groups.clear(),
        |config: &mut ReflectorConfig| config.groups = vec![ip("239.7.7.8")],
        |config: &mut ReflectorConfig| config.extensions.control = None,
        |config: &mut ReflectorConfig| {
            config.extensions.control.as_mut().unwrap().allow = Access::only(&[]);
        },
        // A forged source would get an answer from every member.
        |config: &mut ReflectorConfig| {
            config.extensions.control.as_mut().unwrap().unauthenticated = true;
        },
        |config: &mut ReflectorConfig| config.extensions.copies_only = true,
    ] {
        let mut far = member(change);
        for request in [signed(7, 1), open(7, &THREE)] {
            let answer = replies(&mut far, START, &request);
            assert_eq!(answer, Err(Ignored::Multicast));
        }
    }
}
