//! Frames in files.

use super::super::file::End;
use super::{Read, block, enhanced, interface, packets, pcap, section};

fn breaks_off(file: &[u8]) -> bool {
    packets(file).unwrap().1 == End::BrokenOff
}

#[test]
fn pcap_is_read_in_both_orders_of_octets_and_both_resolutions() {
    for big in [false, true] {
        for (magic, ns) in [(0xa1b2_c3d4, 250_000), (0xa1b2_3c4d, 250)] {
            // The bits above the link type show whether frames have their check sequence.
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
            assert_eq!(packets(&file).unwrap().0, expected, "{big} {magic:x}");
            // What breaks off in a packet ends before it.
            for length in 24..file.len() {
                let (found, _) = packets(&file[..length]).unwrap();
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
            // Statistics, and a block of unknown type.
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
        assert_eq!(packets(&file).unwrap().0, expected, "{big}");
        assert!(!breaks_off(&file));
        let last = enhanced(!big, 0, 7, b"milli").len();
        for cut in 1..last {
            assert!(breaks_off(&file[..file.len() - cut]), "{cut}");
        }
        assert!(!breaks_off(&file[..file.len() - last]));
        let unknown = [section(big), enhanced(big, 0, 1, b"of no interface")].concat();
        let damaged = |file: &[u8]| matches!(packets(file).unwrap().1, End::Damaged(_));
        assert!(damaged(&unknown));
        let too_fine = [section(big), interface(big, 1, &[(9, &[0xff])])].concat();
        assert!(damaged(&too_fine));
    }
}

/// Wireshark's own limit of a block is the same.
#[test]
fn what_follows_a_block_of_impossible_length_is_damaged_and_what_was_before_is_kept() {
    let whole = [
        section(false),
        interface(false, 1, &[]),
        enhanced(false, 0, 7, b"before"),
    ]
    .concat();
    for length in [8_u32, 11, 14, 0x7fff_fff0, u32::MAX] {
        let mut file = whole.clone();
        file.extend(6_u32.to_le_bytes());
        file.extend(length.to_le_bytes());
        file.extend([0; 600]);
        let (found, end) = packets(&file).unwrap();
        assert_eq!(found.len(), 1, "{length}");
        assert_ne!(end, End::Whole, "{length}");
    }
    // A packet of a pcap file that is longer than any.
    let mut file = pcap(false, 0xa1b2_c3d4, 1, &[(1, 2, b"before")]);
    for field in [1_u32, 2, 0x7fff_ffff, 0x7fff_ffff] {
        file.extend(field.to_le_bytes());
    }
    file.extend(vec![0; 40 << 20]);
    let (found, end) = packets(&file).unwrap();
    assert_eq!(found.len(), 1);
    assert!(matches!(end, End::Damaged(_)), "{end:?}");
}

#[test]
fn packets_without_a_time_are_counted_and_large_blocks_are_passed() {
    for big in [false, true] {
        let file = [
            section(big),
            interface(big, 1, &[]),
            // Names and decryption secrets can be long.
            block(big, 10, &vec![0; 300_000]),
            block(big, 3, &[0; 24]),
            block(big, 2, &[0; 40]),
            enhanced(big, 0, 7, b"with a time"),
        ]
        .concat();
        let mut packets = super::super::file::Packets::open(&*file).unwrap();
        let mut found = 0;
        while packets.advance().unwrap() {
            found += 1;
        }
        assert_eq!((found, packets.without_time()), (1, 2), "{big}");
        assert_eq!(packets.end(), End::Whole);
    }
}
