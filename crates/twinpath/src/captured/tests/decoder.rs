//! The files of these tests as another decoder reads them: `tshark`, where it is installed.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::super::file::Packets;
use super::super::frame;
use super::traffic::{Files, Form, Passed, Spec, WRAPPINGS, capture, figures, outcomes};
use super::{in_full, open};

/// Ports, octets of the payload, and its first 14.
type Decoded = (u16, u16, usize, Vec<u8>);

fn spec(six: bool) -> Spec {
    let [sender, reflector] = if six {
        ["[2001:db8::1]:20000", "[2001:db8::2]:20001"]
    } else {
        ["192.0.2.1:20000", "192.0.2.2:20001"]
    };
    Spec {
        sender: sender.parse().unwrap(),
        reflector: reflector.parse().unwrap(),
        form: Form::Light(60),
        count: 3,
        ..Spec::default()
    }
}

fn ours(path: &Path) -> Vec<Decoded> {
    let mut packets = Packets::open(std::fs::File::open(path).unwrap()).unwrap();
    let mut found = Vec::new();
    while packets.advance().unwrap() {
        let packet = packets.current();
        let datagram = frame::udp(packet.link, &packet.octets, packet.cut).unwrap();
        found.push((
            datagram.from.port(),
            datagram.to.port(),
            datagram.octets,
            datagram.payload[..14].to_vec(),
        ));
    }
    found
}

fn theirs(path: &Path) -> Vec<Decoded> {
    let done = Command::new("tshark")
        .args(["-r", path.to_str().unwrap(), "-Y", "udp", "-T", "fields"])
        .args(["-E", "occurrence=l"])
        // What a pseudowire carries is agreed on beside the packets.
        .args([
            "-d",
            "mpls.label==144,pwethcw",
            "-d",
            "mpls.label==160,pwethnocw",
        ])
        .args("-e udp.srcport -e udp.dstport -e udp.length -e udp.payload".split(' '))
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let text = String::from_utf8(done.stdout).unwrap();
    text.lines()
        .map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            let [from, to, octets, payload] = fields[..] else {
                panic!("{line}");
            };
            let octet = |at: usize| u8::from_str_radix(&payload[2 * at..2 * at + 2], 16).unwrap();
            (
                from.parse().unwrap(),
                to.parse().unwrap(),
                octets.parse::<usize>().unwrap() - 8,
                (0..14).map(octet).collect(),
            )
        })
        .collect()
}

#[test]
fn another_decoder_finds_the_same_datagrams_in_every_wrapping() {
    if Command::new("tshark").arg("-v").output().is_err() {
        eprintln!("SKIPPED: tshark is not installed");
        return;
    }
    let links: BTreeSet<u32> = WRAPPINGS.iter().map(|(_, link, _)| *link).collect();
    let mut read = 0;
    for link in links {
        let (mut wrapped, mut truth): (Vec<Passed>, Vec<_>) = (Vec::new(), Vec::new());
        for (name, _, wrap) in WRAPPINGS.iter().filter(|(_, of, _)| *of == link) {
            for (six, (at, packet)) in [false, true].into_iter().flat_map(|six| {
                spec(six)
                    .packets()
                    .into_iter()
                    .map(move |packet| (six, packet))
            }) {
                let udp = &packet[if six { 40 } else { 20 }..];
                let port = |at: usize| u16::from_be_bytes([udp[at], udp[at + 1]]);
                let decoded = (port(0), port(2), udp.len() - 8, udp[8..22].to_vec());
                truth.push((*name, six, decoded));
                wrapped.push((at, wrap(&packet)));
            }
        }
        let files = Files::new(&[capture(link, &wrapped, 65_535)]);
        for found in [ours(&files.paths()[0]), theirs(&files.paths()[0])] {
            for (found, (name, six, truth)) in found.iter().zip(&truth) {
                assert_eq!(found, truth, "{name}, IPv6: {six}");
            }
            assert_eq!(found.len(), truth.len(), "link {link}");
        }
        read += 1;
    }
    assert!(read >= 8, "{read} kinds of links");
}

/// Counts are the truth through every wrapping, and octets that were not captured change nothing
/// where the fields are there.
#[test]
fn sessions_are_the_same_in_every_wrapping_and_at_every_snap_length_that_keeps_the_fields() {
    let run = |six| Spec {
        form: Form::Light(200),
        count: 10,
        lost: vec![2, 3],
        ..spec(six)
    };
    for (name, link, wrap) in WRAPPINGS {
        for six in [false, true] {
            let packets: Vec<Passed> = run(six)
                .packets()
                .iter()
                .map(|(at, packet)| (*at, wrap(packet)))
                .collect();
            let around = packets[0].1.len() - 200;
            // Whole; a reply with all fields; T1 without its last octets.
            for snap in [65_535, around + 41, around + 34] {
                let files = Files::new(&[capture(*link, &packets, snap)]);
                let opened = files.open(None);
                let found = outcomes(&opened);
                assert_eq!(figures(&found), [[10, 8, 2, 0]], "{name}, {six}, {snap}");
                let counts = opened.counts(0);
                assert_eq!(
                    (counts.test_packets, counts.not_read.cut),
                    (18, 0),
                    "{name}"
                );
            }
            // Replies without T1: there is no session, and the reason is given.
            let files = Files::new(&[capture(*link, &packets, around + 30)]);
            let failed = open(files.paths(), None, Duration::from_secs(2));
            let (_, failed) = failed.unwrap_err();
            let failed = in_full(&failed);
            assert!(
                failed.contains("18 packets not read: the snap length"),
                "{name}: {failed}"
            );
        }
    }
}
