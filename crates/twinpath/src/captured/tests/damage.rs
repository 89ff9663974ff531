//! Captures that are broken, by chance or on purpose.

use std::path::Path;
use std::time::Duration;

use twinpath_proto::stamp::{KeyScope, StampKey, StampKeys};

use super::super::{Capture, frame};
use super::{captures, enhanced, framed, interface, packets, pcap, section};

/// Numbers that look like chance, the same ones each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most as u64).unwrap()
    }

    fn octet(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }
}

/// Reads all there is, as a report does, with little memory.
fn survive(path: &Path, port: Option<u16>) -> usize {
    let paths = [path.to_owned()];
    // The key of those that have HMACs.
    let octets: Vec<u8> = (0..16).map(|nibble| nibble * 0x11).collect();
    let keys = StampKeys::new([(KeyScope::Default, StampKey::new(&octets).unwrap())]);
    let timeout = Duration::from_millis(500);
    let Ok(capture) = Capture::open(&paths, port, timeout, keys) else {
        return 0;
    };
    let mut rows = 0;
    let _ = capture.each(|_| {
        rows += 1;
        Ok::<(), ()>(())
    });
    rows
}

#[test]
fn mutated_captures_do_no_harm() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mutated");
    let mut chance = Chance(0x5eed);
    let mut files: Vec<Vec<u8>> = [
        "light-twampy.pcap",
        "stamp-authenticated.pcap",
        "stamp-v1-ptp.pcap",
        "stamp-v1-tlv-hmac.pcap",
        "stamp-v1-authenticated-tlv.pcap",
        "stamp-v1-reflected-control.pcap",
        "stamp-v1-micro-session.pcap",
    ]
    .map(|file| std::fs::read(captures().join(file)).unwrap())
    .into();
    // The same packets in the other form.
    let mut other = [section(false), interface(false, 1, &[(9, &[6])])].concat();
    for (at, _, octets) in packets(&files[0]).unwrap().0 {
        other.extend(enhanced(false, 0, at.unsigned_abs() / 1_000, &octets));
    }
    files.push(other);
    let mut rows = 0;
    for turn in 0..3_000 {
        let mut octets = files[turn % files.len()].clone();
        for _ in 0..=chance.below(12) {
            let at = chance.below(octets.len());
            match chance.below(4) {
                0 => octets[at] = chance.octet(),
                1 => octets[at] ^= 1 << chance.below(8),
                2 => octets[at] = 0xff,
                _ => {
                    let to = at + chance.below(8).min(octets.len() - at);
                    octets.drain(at..to);
                }
            }
        }
        std::fs::write(&path, &octets).unwrap();
        let port = (turn % 3 == 0).then_some(21_001);
        rows += survive(&path, port);
    }
    assert!(rows > 1_000, "most of the packets are still there: {rows}");
}

#[test]
fn arbitrary_octets_do_no_harm() {
    let mut chance = Chance(0x00c0_ffee);
    for turn in 0..3_000 {
        let length = chance.below(300);
        let octets: Vec<u8> = (0..length).map(|_| chance.octet()).collect();
        for link in [0, 1, 9, 51, 101, 104, 113, 219, 276] {
            if let Ok(found) = frame::udp(link, &octets, turn % 2 == 0) {
                assert!(found.payload.len() <= length);
            }
        }
        let begin = match turn % 3 {
            0 => pcap(turn % 2 == 0, 0xa1b2_c3d4, 101, &[]),
            1 => [section(true), interface(true, 1, &[])].concat(),
            _ => section(false),
        };
        let file = framed(&begin, &octets);
        let Ok((found, _)) = packets(&file) else {
            continue;
        };
        for (_, _, octets) in found {
            assert!(octets.len() <= length, "no more than there is");
        }
    }
}
