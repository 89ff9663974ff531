//! Files of passphrases, line by line.

use proptest::prelude::*;

use super::*;

fn parse(text: &[u8]) -> Result<KeyRing, (usize, LineFault)> {
    KeyRing::parse(text)
}

/// The key of the one line.
fn pair(line: &[u8]) -> Result<Option<(String, Vec<u8>)>, LineFault> {
    let Some((_, line)) = lines(line).next() else {
        return Ok(None);
    };
    let (id, secret) = key_of(line)?;
    Ok(Some((id.to_string(), secret.to_vec())))
}

#[test]
fn a_line_is_a_key_id_and_the_rest_of_it() {
    let long = "ü".repeat(40);
    let of_long = format!("{long} x");
    for (line, id, secret) in [
        ("alice secret", "alice", "secret"),
        ("alice a b  c", "alice", "a b  c"),
        (
            "  alice\t \tsecret # no comment \t",
            "alice",
            "secret # no comment",
        ),
        ("alice secret\r", "alice", "secret"),
        ("Müller-Straße grün & blau", "Müller-Straße", "grün & blau"),
        ("a#b #c", "a#b", "#c"),
        (of_long.as_str(), long.as_str(), "x"),
    ] {
        let found = pair(line.as_bytes()).unwrap();
        assert_eq!(found, Some((id.to_owned(), secret.into())), "{line:?}");
    }
    for line in ["", "   ", "\t", "# alice secret", "  #", "\r"] {
        assert_eq!(pair(line.as_bytes()), Ok(None), "{line:?}");
    }
}

#[test]
fn what_is_no_line_says_why() {
    let long = [b"x".repeat(81).as_slice(), b" y"].concat();
    let secret = [b"alice ".as_slice(), &b"y".repeat(1_025)].concat();
    for (line, slip) in [
        (b"alice".as_slice(), LineFault::NoPassphrase),
        (b"alice  \t", LineFault::NoPassphrase),
        (b"\xff\xfe x", LineFault::NotUtf8),
        (b"a\x1bb x", LineFault::Control),
        ("a\u{85}b x".as_bytes(), LineFault::Control),
        (b"a\0b x", LineFault::Control),
        (long.as_slice(), LineFault::KeyId(KeyIdError::TooLong(81))),
        (
            b"alice a\tb",
            LineFault::Passphrase(PassphraseError::Control),
        ),
        (
            b"alice a\rb",
            LineFault::Passphrase(PassphraseError::Control),
        ),
        (
            b"alice a\0",
            LineFault::Passphrase(PassphraseError::Control),
        ),
        (
            secret.as_slice(),
            LineFault::Passphrase(PassphraseError::TooLong),
        ),
    ] {
        assert_eq!(pair(line), Err(slip), "{line:?}");
    }
}

#[test]
fn a_slip_is_found_by_its_line() {
    let text = b"# ours\n\nalice one\nbob two\n\nalice three\n";
    assert_eq!(parse(text).unwrap_err(), (6, LineFault::Twice(3)));
    assert_eq!(
        parse(b"\na b\nc").unwrap_err(),
        (3, LineFault::NoPassphrase)
    );
    let many = (0..=MOST_KEYS).map(|number| format!("k{number} x"));
    let many = many.collect::<Vec<_>>().join("\n");
    assert_eq!(
        parse(many.as_bytes()).unwrap_err(),
        (4_097, LineFault::TooMany)
    );
    let ring = parse("\u{feff}alice one\r\nbob two".as_bytes()).unwrap();
    let ids: Vec<_> = ring.iter().map(|key| key.id.to_string()).collect();
    assert_eq!(ids, ["alice", "bob"]);
}

proptest! {
    #[test]
    fn any_octets_are_a_file_or_a_slip(octets in prop::collection::vec(any::<u8>(), 0..400)) {
        let lines = octets.split(|octet| *octet == b'\n').count();
        match parse(&octets) {
            Ok(ring) => prop_assert!(ring.len() <= lines),
            Err((line, _)) => prop_assert!((1..=lines).contains(&line)),
        }
    }

    #[test]
    fn what_is_written_is_read(id in "[^\\s\\p{Cc}#][^\\s\\p{Cc}]{0,10}", secret in "[!-~]([ -~]{0,40}[!-~])?") {
        let line = format!("  {id} \t{secret}  ");
        prop_assert_eq!(pair(line.as_bytes()).unwrap(), Some((id, secret.into_bytes())));
    }
}
