//! Datagrams in frames.

use twinpath_wire::Tos;

use super::super::frame::{self, NotDatagram};
use super::{ETHERNET, PAYLOAD, datagram, framed, v4, v6};

#[test]
fn a_datagram_is_found_behind_every_header_that_may_stand_before_it() {
    let udp = datagram(PAYLOAD);
    let (four, six) = (v4(&udp), v6(17, &udp));
    let ethernet = |kind: [u8; 2]| [&[2; 12][..], &kind[..]].concat();
    let tagged = |tags: &[u8], packet: &[u8]| framed(&framed(&[2; 12], tags), packet);
    // Hop-by-Hop of 8 octets, Destination Options of 16, Routing of 8, and the first fragment.
    let options = [vec![60, 0, 1, 4, 0, 0, 0, 0], vec![43, 1], vec![0; 14]].concat();
    let routing = [vec![44, 0, 0, 0, 0, 0, 0, 0], vec![17, 0, 0, 1, 0, 0, 0, 9]].concat();
    let extended = v6(0, &[options, routing, udp.clone()].concat());
    let mut with_options = four.clone();
    with_options[0] = 0x46;
    with_options[3] += 4;
    with_options.splice(20..20, [1, 1, 1, 0]);
    let mut first_fragment = four.clone();
    first_fragment[6..8].copy_from_slice(&[0x20, 0]);
    let mut offloaded = four.clone();
    offloaded[2..4].fill(0);
    for (what, link, frame) in [
        ("Ethernet", ETHERNET, framed(&ethernet([8, 0]), &four)),
        (
            "Ethernet, IPv6",
            ETHERNET,
            framed(&ethernet([0x86, 0xdd]), &six),
        ),
        ("a tag", ETHERNET, tagged(&[0x81, 0, 0, 7, 8, 0], &four)),
        (
            "two tags",
            ETHERNET,
            tagged(&[0x88, 0xa8, 0, 7, 0x81, 0, 0, 8, 0x86, 0xdd], &six),
        ),
        (
            "cooked",
            113,
            framed(&[&[0; 14][..], &[8, 0]].concat(), &four),
        ),
        (
            "cooked, tagged",
            113,
            framed(&[&[0; 14][..], &[0x81, 0, 0, 7, 8, 0]].concat(), &four),
        ),
        (
            "cooked of version 2",
            276,
            framed(&[&[0x86, 0xdd][..], &[0; 18]].concat(), &six),
        ),
        ("BSD loopback", 0, framed(&[2, 0, 0, 0], &four)),
        ("OpenBSD loopback", 108, framed(&[0, 0, 0, 24], &six)),
        ("raw IP", 101, four.clone()),
        ("raw IP, 6", 101, six.clone()),
        ("raw IPv4", 228, four.clone()),
        ("raw IPv6", 229, six.clone()),
        ("extension headers", 101, extended),
        ("options of IPv4", 101, with_options),
        ("a first fragment", 101, first_fragment),
        ("no total length", 101, offloaded),
        ("padding behind", 101, framed(&four, &[0xee; 30])),
        ("padding behind, 6", 101, framed(&six, &[0xee; 30])),
    ] {
        let found = frame::udp(link, &frame, false);
        let found = found.unwrap_or_else(|why| panic!("{what}: {why:?}"));
        assert_eq!(found.payload, PAYLOAD, "{what}");
        assert_eq!(found.octets, PAYLOAD.len(), "{what}");
        assert_eq!((found.from.port(), found.to.port()), (1_000, 862), "{what}");
        assert_eq!((found.tos, found.ttl), (Tos(0xb8), 61), "{what}");
        let six = found.from.is_ipv6();
        let ends = if six {
            ["2001:db8::1", "2001:db8::2"]
        } else {
            ["192.0.2.1", "192.0.2.2"]
        };
        let found = [found.from.ip(), found.to.ip()].map(|ip| ip.to_string());
        assert_eq!(found, ends, "{what}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn what_is_no_datagram_or_only_the_rest_of_one_is_left_out() {
    let udp = datagram(PAYLOAD);
    let four = v4(&udp);
    let mut tcp = four.clone();
    tcp[9] = 6;
    let mut later_fragment = four.clone();
    later_fragment[7] = 2;
    let mut short_header = four.clone();
    short_header[0] = 0x44;
    let mut version = four.clone();
    version[0] = 0x55;
    let later_fragment_6 = v6(44, &[&[17, 0, 0, 8, 0, 0, 0, 9], &udp[..]].concat());
    let endless = v6(0, &[0; 400]);
    let mut short_udp = four.clone();
    short_udp[24..26].copy_from_slice(&[0, 7]);
    let esp = super::traffic::ip(
        ["192.0.2.1", "192.0.2.2"].map(|end| end.parse().unwrap()),
        64,
        50,
        &[9; 40],
    );
    let mut fragment_of_tcp = tcp.clone();
    fragment_of_tcp[7] = 2;
    for (what, link, frame, why) in [
        ("TCP", 101, tcp, NotDatagram::Other),
        (
            "a later fragment",
            101,
            later_fragment,
            NotDatagram::LaterFragment,
        ),
        (
            "a later fragment, 6",
            101,
            later_fragment_6,
            NotDatagram::LaterFragment,
        ),
        (
            "a later fragment of TCP",
            101,
            fragment_of_tcp,
            NotDatagram::Other,
        ),
        (
            "a header of 16 octets",
            101,
            short_header,
            NotDatagram::Malformed,
        ),
        ("IP of version 5", 101, version, NotDatagram::Malformed),
        (
            "ARP",
            ETHERNET,
            framed(&[&[2; 12][..], &[8, 6]].concat(), &four),
            NotDatagram::Other,
        ),
        (
            "tags without end",
            ETHERNET,
            [0x81, 0].repeat(200),
            NotDatagram::Wrapped("too many headers"),
        ),
        (
            "Hop-by-Hop again and again",
            101,
            endless,
            NotDatagram::Wrapped("too many headers"),
        ),
        (
            "UDP shorter than its header",
            101,
            short_udp,
            NotDatagram::Malformed,
        ),
        ("nothing", 101, Vec::new(), NotDatagram::Malformed),
        ("ESP", 101, esp, NotDatagram::Wrapped("ESP")),
        (
            "MACsec",
            ETHERNET,
            framed(&[&[2; 12][..], &[0x88, 0xe5]].concat(), &four),
            NotDatagram::Wrapped("MACsec"),
        ),
        (
            "PPPoE discovery",
            ETHERNET,
            framed(&[&[2; 12][..], &[0x88, 0x63, 0x11, 9]].concat(), &four),
            NotDatagram::Other,
        ),
        ("a link of USB", 220, four.clone(), NotDatagram::Link(220)),
    ] {
        assert_eq!(frame::udp(link, &frame, false), Err(why), "{what}");
    }
}

/// An address of Ethernet may begin as IP does, as a control word, or as the header of a channel.
#[test]
fn a_pseudowire_is_read_whatever_its_addresses_begin_with() {
    let packets = [v4(&datagram(PAYLOAD)), v6(17, &datagram(PAYLOAD))];
    for first in 0..=255 {
        for packet in &packets {
            let frame = super::traffic::ethernet_of(first, packet);
            for word in [&[][..], &[0, 0, 0, 9]] {
                let labels = [0, 1, 0, 64, 0, 2, 1, 64];
                let frame = framed(
                    &framed(&[2; 12], &[0x88, 0x47]),
                    &framed(&labels, &framed(word, &frame)),
                );
                for captured in [frame.len(), frame.len() - PAYLOAD.len()] {
                    let found = frame::udp(ETHERNET, &frame[..captured], true);
                    let found = found.unwrap_or_else(|why| panic!("{first}: {why:?}"));
                    assert_eq!(found.octets, PAYLOAD.len(), "{first}");
                }
            }
        }
    }
    // IP from addresses that look like headers of frames.
    for source in [[8, 0, 0x45, 9], [0x88, 0x47, 0x45, 9], [0x81, 0, 8, 0]] {
        let mut packet = packets[0].clone();
        packet[12..16].copy_from_slice(&source);
        let frame = framed(&framed(&[2; 12], &[0x88, 0x47, 0, 1, 1, 64]), &packet);
        let found = frame::udp(ETHERNET, &frame, false).unwrap();
        assert_eq!(
            found.from.ip().to_string(),
            source.map(|part: u8| part.to_string()).join(".")
        );
    }
}

#[test]
fn encapsulations_that_are_not_read_have_their_names() {
    let ends = ["192.0.2.1", "192.0.2.2"].map(|end| end.parse().unwrap());
    let ip = v4(&datagram(PAYLOAD));
    let in_udp = |port: u16, header: &[u8]| {
        let ends = ends.map(|end| std::net::SocketAddr::new(end, port));
        super::traffic::packet(ends, 64, &framed(header, &ip))
    };
    let frame = |kind: &[u8]| framed(&framed(&[2; 12], kind), &ip);
    for (what, link, packet) in [
        (
            "IPComp",
            101,
            super::traffic::ip(ends, 64, 108, &framed(&[17, 0, 0, 2], &[7; 40])),
        ),
        ("GUE", 101, in_udp(6080, &[0, 4, 0, 0])),
        ("GUE", 101, in_udp(6080, &[1, 4, 0, 0, 9, 9, 9, 9])),
        ("GUE", 101, in_udp(6080, &[])),
        ("NSH", 101, in_udp(4790, &[12, 0, 0, 4, 0, 0, 9, 0])),
        ("VXLAN-GPE", 101, in_udp(4790, &[12, 0, 0, 9, 0, 0, 9, 0])),
        ("WireGuard", 101, in_udp(51_820, &[4, 0, 0, 0])),
        (
            "Cisco MetaData",
            ETHERNET,
            frame(&[0x89, 9, 1, 1, 0, 1, 0, 9, 8, 0]),
        ),
    ] {
        assert_eq!(
            frame::udp(link, &packet, false),
            Err(NotDatagram::Wrapped(what))
        );
    }
}

/// A test packet whose number looks like the header of a tunnel is a test packet.
#[test]
fn a_datagram_on_the_port_of_a_tunnel_is_a_tunnel_only_with_its_header() {
    for port in [
        4789, 8472, 4790, 6080, 6081, 6635, 4754, 4341, 3544, 2152, 1701, 51_820,
    ] {
        for seq in [0_u32, 1, 255, 257, 261, 65_536, 0x0100_0000, 0x0200_0800] {
            let payload = [
                &seq.to_be_bytes()[..],
                &[0xe9, 1, 2, 3, 4, 5, 6, 7],
                &[0; 29],
            ]
            .concat();
            let ends = [("192.0.2.1", 20_000), ("192.0.2.2", port)]
                .map(|(end, port)| std::net::SocketAddr::new(end.parse().unwrap(), port));
            let packet = super::traffic::packet(ends, 64, &payload);
            let found = frame::udp(101, &packet, false);
            assert_eq!(found.unwrap().payload, payload, "{port}, {seq}");
        }
    }
}

#[test]
fn a_packet_that_was_cut_keeps_its_length_and_what_there_is_of_it() {
    let whole = v4(&datagram(PAYLOAD));
    for length in 0..whole.len() {
        let found = frame::udp(101, &whole[..length], true);
        // The headers of IP and UDP are 28 octets.
        match found {
            Err(why) => assert!(length < 28 && why == NotDatagram::Cut, "{length}: {why:?}"),
            Ok(found) => {
                assert_eq!(found.payload, &PAYLOAD[..length - 28], "{length}");
                assert_eq!(found.octets, PAYLOAD.len(), "{length}");
            }
        }
    }
}
