//! Frames in files.

use super::super::file::Packets;
use super::{Read, block, enhanced, interface, packets, pcap, section};

fn breaks_off(file: &[u8]) -> bool {
    let mut packets = Packets::open(file).unwrap();
    while packets.next().unwrap().is_some() {}
    packets.broken_off()
}

#[test]
fn pcap_is_read_in_both_orders_of_octets_and_both_resolutions() {
    for big in [false, true] {
        for (magic, ns) in [(0xa1b2_c3d4, 250_000), (0xa1b2_3c4d, 250)] {
            // Above the link type stands whether frames have their check sequence.
            let file = pcap(
                big,
                magic,
                0x1400_0071,
                &[(1_795_449_600, 250, b"one"), (0, 0, b"")],
            );
            let expected: [Read; 2] = [
                (1_795_449_600_000_000_000 + ns, 113, b"one".to_vec()),
                (0, 113, Vec::new()),
            ];
            assert_eq!(packets(&file).unwrap(), expected, "{big} {magic:x}");
            // What breaks off in a packet ends before it.
            for length in 24..file.len() {
                let found = packets(&file[..length]).unwrap();
                assert_eq!(
                    found,
                    expected[..usize::from(length >= 24 + 19)],
                    "{length}"
                );
                let between = [24, 24 + 19].contains(&length);
                assert_eq!(breaks_off(&file[..length]), !between, "{length}");
            }
            assert!(!breaks_off(&file));
            for length in 4..24 {
                assert!(packets(&file[..length]).is_err(), "{length}");
            }
        }
    }
}

#[test]
fn pcapng_is_read_with_the_resolution_and_offset_of_each_interface() {
    for big in [false, true] {
        let offset = |s: i64| {
            if big {
                s.to_be_bytes()
            } else {
                s.to_le_bytes()
            }
        };
        let file = [
            section(big),
            interface(big, 1, &[]),
            // A name before; nanoseconds.
            interface(big, 113, &[(2, b"eth0"), (9, &[9])]),
            // 1/1024 s, and seconds to be added.
            interface(big, 101, &[(9, &[0x8a]), (14, &offset(1_000))]),
            // Statistics, and a block that nobody knows.
            block(big, 5, &[0; 12]),
            block(big, 0x7777, b"whatever"),
            enhanced(big, 0, 5_000_000, b"micro"),
            enhanced(big, 1, 1 << 33, b"nano"),
            enhanced(big, 2, 1_536, b"binary"),
            // Another section has interfaces of its own, and an order of its own.
            section(!big),
            interface(!big, 12, &[(9, &[3])]),
            enhanced(!big, 0, 7, b"milli"),
        ]
        .concat();
        let expected: [Read; 4] = [
            (5_000_000_000, 1, b"micro".to_vec()),
            (1 << 33, 113, b"nano".to_vec()),
            (1_001_500_000_000, 101, b"binary".to_vec()),
            (7_000_000, 12, b"milli".to_vec()),
        ];
        assert_eq!(packets(&file).unwrap(), expected, "{big}");
        assert!(!breaks_off(&file));
        let last = enhanced(!big, 0, 7, b"milli").len();
        for cut in 1..last {
            assert!(breaks_off(&file[..file.len() - cut]), "{cut}");
        }
        assert!(!breaks_off(&file[..file.len() - last]));
        let unknown = [section(big), enhanced(big, 0, 1, b"of no interface")].concat();
        assert!(packets(&unknown).is_err());
        let too_fine = [section(big), interface(big, 1, &[(9, &[0xff])])].concat();
        assert!(packets(&too_fine).is_err());
    }
}
