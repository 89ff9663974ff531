//! Files of STAMP keys, line by line.

use proptest::prelude::*;

use super::*;

const A: &str = "00112233445566778899aabbccddeeff";
const B: &str = "000102030405060708090A0B0C0D0E0F";

fn parse(text: &str) -> Result<StampKeys, (usize, StampLineFault)> {
    StampKeys::parse(text.as_bytes())
}

/// The key of a packet from `peer` with `ssid`: is it that of these digits?
fn is(keys: &StampKeys, peer: &str, ssid: u16, digits: &str) -> bool {
    let expected = stamp_key(digits.as_bytes()).unwrap();
    let tag = expected.sign(&[b"which"]);
    let found = keys.for_packet(peer.parse().unwrap(), ssid);
    found.is_some_and(|key| key.verify(&[b"which"], &tag))
}

#[test]
fn a_line_is_a_key_or_one_for_an_ssid_or_a_prefix() {
    let long = "ab".repeat(64);
    let text = format!(
        "\u{feff}# ours\r\n\n{A}\r\n\tssid  7\t{B} \n  prefix 192.0.2.9/24 {long}\n\
         prefix 2001:db8::1 {B}\n#ssid 8 x"
    );
    let keys = parse(&text).unwrap();
    assert_eq!(keys.len(), 4);
    assert!(is(&keys, "198.51.100.1", 0, A));
    assert!(is(&keys, "192.0.2.200", 7, B));
    assert!(is(&keys, "192.0.2.200", 8, &long));
    assert!(is(&keys, "2001:db8::1", 0, B));
    assert!(is(&keys, "2001:db8::2", 0, A));
}

#[test]
fn what_is_no_line_says_why_and_quotes_nothing() {
    let short = StampKeyError::Short(KeyTooShort(15));
    for (line, fault) in [
        ("secret word", StampLineFault::Unknown),
        (&format!("default {A}"), StampLineFault::Unknown),
        (&format!("SSID 7 {A}"), StampLineFault::Unknown),
        (&format!("{A} # ours"), StampLineFault::MoreThanKey),
        (&format!("ssid 7 {A} {A}"), StampLineFault::MoreThanKey),
        (&format!("prefix ::/0 {A} x"), StampLineFault::MoreThanKey),
        ("ssid", StampLineFault::NoKey),
        ("ssid 7", StampLineFault::NoKey),
        ("prefix 192.0.2.0/24", StampLineFault::NoKey),
        (&format!("ssid 0 {A}"), StampLineFault::Ssid),
        (&format!("ssid 65536 {A}"), StampLineFault::Ssid),
        (&format!("ssid -1 {A}"), StampLineFault::Ssid),
        (&format!("ssid secret {A}"), StampLineFault::Ssid),
        (&format!("prefix 192.0.2.0/33 {A}"), StampLineFault::Prefix),
        (&format!("prefix secret {A}"), StampLineFault::Prefix),
        ("secret", StampKeyError::NotHex.into()),
        (&format!("{A}g"), StampKeyError::NotHex.into()),
        (&format!("0x{A}"), StampKeyError::NotHex.into()),
        (&format!("{A}0"), StampKeyError::OddDigits.into()),
        (&A[..30], short.into()),
        (&format!("ssid 7 {}", &A[..30]), short.into()),
    ] {
        let (number, found) = parse(&format!("# one\n{line}")).unwrap_err();
        assert_eq!((number, found), (2, fault), "{line}");
        let said = format!("{found} {found:?}");
        assert!(!said.contains("secret") && !said.contains("0011"), "{said}");
    }
    // Not UTF-8.
    let found = StampKeys::parse(b"ssid \xff\xfe 00").unwrap_err();
    assert_eq!(found, (1, StampLineFault::Ssid));
}

#[test]
fn a_second_key_for_the_same_packets_is_found_with_the_line_of_the_first() {
    for (text, line, said) in [
        (
            format!("{A}\n\nssid 1 {A}\n{B}"),
            4,
            "the key for all other packets is already on line 1",
        ),
        (
            format!("ssid 9 {A}\nssid 10 {A}\nssid 9 {A}"),
            3,
            "SSID 9 is already on line 1",
        ),
        (
            format!("#\nprefix 10.1.0.0/8 {A}\nprefix ::ffff:10.0.0.0/104 {B}"),
            3,
            "the prefix 10.0.0.0/8 is already on line 2",
        ),
        (
            format!("ssid 9 {A}\nssid 7 {A}\nssid 7 {A}\nssid 9 {A}\nssid 7 {A}"),
            3,
            "SSID 7 is already on line 2",
        ),
    ] {
        let (found, fault) = parse(&text).unwrap_err();
        assert_eq!((found, fault.to_string().as_str()), (line, said));
    }
    let both = parse(&format!("prefix 10.0.0.0/8 {A}\nprefix 10.0.0.0/9 {B}")).unwrap();
    assert_eq!(both.len(), 2);
}

#[test]
fn a_file_of_100_000_keys_is_read() {
    let lines = (0..100_000_u32).map(|at| {
        let peer = std::net::Ipv4Addr::from_bits(0x0a00_0000 + at);
        format!("prefix {peer} {at:032x}")
    });
    let keys = parse(&lines.collect::<Vec<_>>().join("\n")).unwrap();
    assert_eq!(keys.len(), 100_000);
    assert!(is(&keys, "10.1.0.0", 0, &format!("{:032x}", 65_536)));
}

proptest! {
    #[test]
    fn any_octets_are_keys_or_a_fault(octets in prop::collection::vec(any::<u8>(), 0..400)) {
        let lines = octets.split(|octet| *octet == b'\n').count();
        match StampKeys::parse(&octets) {
            Ok(keys) => prop_assert!(keys.len() <= lines),
            Err((line, _)) => prop_assert!((1..=lines).contains(&line)),
        }
    }

    /// Digits read as the octets that they were written from.
    #[test]
    fn what_is_written_is_read(octets in prop::collection::vec(any::<u8>(), 16..80), upper: bool) {
        let digit = |octet: &u8| if upper { format!("{octet:02X}") } else { format!("{octet:02x}") };
        let digits: String = octets.iter().map(digit).collect();
        let read = stamp_key(digits.as_bytes()).unwrap().sign(&[b"text"]);
        prop_assert_eq!(read, StampKey::new(&octets).unwrap().sign(&[b"text"]));
    }
}
