//! Packets that a capture has more than once.

use super::traffic::{
    MS, Passed, SECOND, Spec, WRAPPINGS, capture, ethernet, figures, open, outcomes, read,
};
use super::{enhanced, interface, section};

fn spec() -> Spec {
    Spec {
        count: 20,
        lost: vec![4, 5],
        ..Spec::default()
    }
}

/// The IP packet with another TTL.
fn hop(packet: &[u8], fewer: u8) -> Vec<u8> {
    let mut packet = packet.to_vec();
    packet[8] -= fewer;
    packet
}

fn is_reply(packet: &[u8]) -> bool {
    packet[19] == 1
}

/// A pcapng file of interfaces `eth0`, `eth1` and so on, of Ethernet, in nanoseconds.
fn pcapng(interfaces: u8, packets: &[(u32, Passed)]) -> Vec<u8> {
    let mut file = section(false);
    for number in 0..interfaces {
        let name = format!("eth{number}");
        file.extend(interface(false, 1, &[(2, name.as_bytes()), (9, &[9])]));
    }
    for (place, (at, packet)) in packets {
        file.extend(enhanced(
            false,
            *place,
            at.unsigned_abs(),
            &ethernet(packet),
        ));
    }
    file
}

#[test]
fn a_port_that_mirrors_both_ways_makes_no_duplicates() {
    let mut packets = Vec::new();
    for (at, packet) in spec().packets() {
        packets.push((at, packet.clone()));
        packets.push((at + 3_000, packet));
    }
    let opened = open(capture(101, &packets, 65_535));
    let counts = opened.counts(0);
    assert_eq!(counts.captured_again, 38, "{counts:?}");
    assert_eq!(counts.sessions[0].counts.captured_again, 38);
    let files = super::traffic::Files::new(&[capture(101, &packets, 65_535)]);
    let found = outcomes(&files.open(None));
    assert_eq!(figures(&found), [[20, 18, 2, 0]]);
}

#[test]
fn a_router_that_captures_on_any_interface_makes_no_duplicates() {
    let (_, link, cooked) = *WRAPPINGS
        .iter()
        .find(|(name, ..)| *name == "Linux cooked")
        .unwrap();
    let mut packets = Vec::new();
    for (at, packet) in spec().packets() {
        packets.push((at, cooked(&packet)));
        packets.push((at + 20_000, cooked(&hop(&packet, 1))));
    }
    let found = read(capture(link, &packets, 65_535));
    assert_eq!(figures(&found), [[20, 18, 2, 0]]);
}

/// Those that the network made are: a copy of a reply, and replies to copies of a request.
#[test]
fn duplicates_of_the_network_are_counted_beside_copies_of_the_capture() {
    let mut packets = Vec::new();
    for (place, (at, packet)) in spec().packets().into_iter().enumerate() {
        packets.push((at, packet.clone()));
        if is_reply(&packet) && place % 4 == 1 {
            packets.push((at + 5_000, packet.clone()));
        }
        if is_reply(&packet) && place % 4 == 3 {
            // The reflector answers again, with another T3.
            let mut other = packet;
            other[28 + 11] ^= 0x55;
            packets.push((at + 5_000, other));
        }
    }
    let duplicates = packets.len() - 38;
    let once = packets.clone();
    let found = figures(&read(capture(101, &once, 65_535)));
    assert_eq!(found, [[20, 18, 2, duplicates]]);
    // A mirror shows all of these twice: of the reply that is the same there are four then.
    let mirrored = once
        .iter()
        .flat_map(|(at, packet)| [(*at, packet.clone()), (at + 1_000, packet.clone())]);
    let mirrored: Vec<Passed> = mirrored.collect();
    let found = figures(&read(capture(101, &mirrored, 65_535)));
    assert_eq!(found, [[20, 18, 2, duplicates]]);
    // As does a router that is captured at both of its interfaces, or on any.
    let (mut both, mut any) = (Vec::new(), Vec::new());
    for (at, packet) in once {
        let (near, far) = if is_reply(&packet) { (1, 0) } else { (0, 1) };
        let (near_at, far_at) = (at + i64::from(near) * 1_000, at + i64::from(far) * 1_000);
        let (near, far) = (hop(&packet, near), hop(&packet, far));
        both.extend([(0, (near_at, near.clone())), (1, (far_at, far.clone()))]);
        any.extend([(near_at, near), (far_at, far)]);
    }
    both.sort_by_key(|(_, (at, _))| *at);
    any.sort_by_key(|(at, _)| *at);
    for file in [pcapng(2, &both), capture(101, &any, 65_535)] {
        assert_eq!(figures(&read(file)), [[20, 18, 2, duplicates]]);
    }
}

#[test]
fn times_are_taken_at_the_interface_nearest_the_sender_and_it_is_named() {
    // Through a router that holds each packet for 2 ms; the far side first in the file's list.
    let mut packets = Vec::new();
    for (at, packet) in spec().packets() {
        if is_reply(&packet) {
            packets.push((0, (at, packet.clone())));
            packets.push((1, (at + 2 * MS, hop(&packet, 1))));
        } else {
            packets.push((1, (at - 2 * MS, packet.clone())));
            packets.push((0, (at, hop(&packet, 1))));
        }
    }
    packets.sort_by_key(|(_, (at, _))| *at);
    let file = pcapng(2, &packets);
    let found = read(file.clone());
    assert_eq!(figures(&found), [[20, 18, 2, 0]]);
    let [shortest, longest] = found[0].trips.unwrap();
    let truth = MS + 4 * MS - 40_000;
    assert!(
        (truth - 2..=truth + 2).contains(&shortest) && longest <= truth + 2,
        "{found:?}"
    );
    let counts = open(file).counts(0);
    assert_eq!(counts.sessions[0].interface.as_deref(), Some("eth1"));
    assert_eq!(counts.sessions[0].interfaces, 2);
    assert_eq!(counts.captured_again, 38);
}

/// A reply that the router dropped is lost as the sender's side sees it.
#[test]
fn what_is_seen_on_the_far_side_alone_is_lost() {
    let mut packets = Vec::new();
    for (place, (at, packet)) in spec().packets().into_iter().enumerate() {
        let reply = is_reply(&packet);
        let (near, far) = if reply { (20_000, 0) } else { (0, 20_000) };
        let (fewer_near, fewer_far) = if reply { (1, 0) } else { (0, 1) };
        if !(reply && place == 1) {
            packets.push((0, (at + near, hop(&packet, fewer_near))));
        }
        packets.push((1, (at + far, hop(&packet, fewer_far))));
    }
    packets.sort_by_key(|(_, (at, _))| *at);
    assert_eq!(figures(&read(pcapng(2, &packets))), [[20, 17, 3, 0]]);
}

#[test]
fn requests_and_replies_that_take_different_interfaces_are_one_session() {
    let packets = spec().packets().into_iter();
    let packets: Vec<(u32, Passed)> = packets
        .map(|(at, packet)| (u32::from(is_reply(&packet)), (at, packet)))
        .collect();
    let file = pcapng(2, &packets);
    assert_eq!(figures(&read(file.clone())), [[20, 18, 2, 0]]);
    let counts = open(file).counts(0);
    assert_eq!(counts.sessions[0].interface, None);
    assert_eq!(counts.captured_again, 0);
}

/// Each section of a file that was rotated describes the same interfaces again.
#[test]
fn an_interface_is_the_same_in_every_section() {
    let packets = spec().packets();
    let (one, other) = packets.split_at(11);
    let part = |packets: &[Passed]| {
        let packets = packets.iter().map(|packet| (0, packet.clone()));
        pcapng(1, &packets.collect::<Vec<_>>())
    };
    let file = [part(one), part(other)].concat();
    assert_eq!(figures(&read(file.clone())), [[20, 18, 2, 0]]);
    let session = &open(file).counts(0).sessions[0];
    assert_eq!(
        (session.interfaces, session.interface.as_deref()),
        (1, None)
    );
}

/// In a cooked capture, the system's numbers identify interfaces.
#[test]
fn a_cooked_capture_of_version_2_tells_interfaces() {
    let cooked = |index: u8, packet: &[u8]| {
        let header = [
            8, 0, 0, 0, 0, 0, 0, index, 0, 1, 4, 6, 2, 0, 0, 0, 0, 1, 0, 0,
        ];
        [&header[..], packet].concat()
    };
    let mut packets = Vec::new();
    for (at, packet) in spec().packets() {
        let (near, far) = if is_reply(&packet) { (1, 0) } else { (0, 1) };
        packets.push((
            at + near * SECOND / 1_000,
            cooked(7, &hop(&packet, u8::try_from(near).unwrap())),
        ));
        packets.push((
            at + far * SECOND / 1_000,
            cooked(3, &hop(&packet, u8::try_from(far).unwrap())),
        ));
    }
    packets.sort_by_key(|(at, _)| *at);
    let file = capture(276, &packets, 65_535);
    let found = read(file.clone());
    assert_eq!(figures(&found), [[20, 18, 2, 0]]);
    let truth = 2 * MS - 40_000;
    let [shortest, longest] = found[0].trips.unwrap();
    assert!(
        (truth - 2..=truth + 2).contains(&shortest) && longest <= truth + 2,
        "{found:?}"
    );
    let counts = open(file).counts(0);
    assert_eq!(
        counts.sessions[0].interface.as_deref(),
        Some("with index 7")
    );
}
