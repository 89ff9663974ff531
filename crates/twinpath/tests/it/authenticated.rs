//! STAMP authenticated: the responder with keys. Its HMACs are made and checked here by SHA-256
//! alone, after RFC 2104.

use std::io::Write as _;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::program::{Done, Responder, run};
use crate::responders::last_words;
use crate::secured::keys;

const KEY: &str = "00112233445566778899aabbccddeeff";
const OTHER: &str = "ffeeddccbbaa99887766554433221100ffeeddcc";
const OCTETS: usize = 112;
/// Of a request that is answered, on a machine under load.
const PATIENCE: Duration = Duration::from_secs(20);

fn octets(digits: &str) -> Vec<u8> {
    let octet = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(octet).collect()
}

/// The first 16 octets of HMAC-SHA-256, for a key of 64 octets at most.
pub(crate) fn hmac(key: &str, text: &[u8]) -> Vec<u8> {
    let mut block = octets(key);
    block.resize(64, 0);
    let padded = |with: u8| {
        block
            .iter()
            .map(move |octet| octet ^ with)
            .collect::<Vec<u8>>()
    };
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(text);
    let outer = Sha256::new()
        .chain_update(padded(0x5c))
        .chain_update(inner.finalize());
    outer.finalize()[..16].to_vec()
}

fn request(key: &str, seq: u32, ssid: u16) -> Vec<u8> {
    let mut request = vec![0; OCTETS - 16];
    request[..4].copy_from_slice(&seq.to_be_bytes());
    request[16..24].copy_from_slice(&0xeeae_8530_c2cc_6f03_u64.to_be_bytes());
    request[25] = 1;
    request[26..28].copy_from_slice(&ssid.to_be_bytes());
    request.extend(hmac(key, &request));
    request
}

/// What comes back within `patience`.
fn answer(responder: &Responder, request: &[u8], patience: Duration) -> Option<Vec<u8>> {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    socket.set_read_timeout(Some(patience)).unwrap();
    socket.send_to(request, responder.at).unwrap();
    let mut reply = [0; 2_048];
    let (octets, _) = socket.recv_from(&mut reply).ok()?;
    Some(reply[..octets].to_vec())
}

/// The reply to a request with this key and SSID, which is signed with this key.
fn is_answered(responder: &Responder, key: &str, ssid: u16) -> bool {
    let request = request(key, 7, ssid);
    let Some(reply) = answer(responder, &request, PATIENCE) else {
        return false;
    };
    assert_eq!(reply.len(), OCTETS);
    assert_eq!(reply[26..28], ssid.to_be_bytes());
    assert_eq!(
        reply[48..52],
        request[..4],
        "Session-Sender Sequence Number"
    );
    assert_eq!(reply[64..74], request[16..26], "T1 and its Error Estimate");
    let t3 = u64::from_be_bytes(reply[16..24].try_into().unwrap());
    let t2 = u64::from_be_bytes(reply[32..40].try_into().unwrap());
    assert!(t2 != 0 && t3.abs_diff(t2) < 60 << 32, "{t2:x} {t3:x}");
    reply[96..] == hmac(key, &reply[..96])
}

/// The reply, or `None` if only the open request behind it gets one.
fn reply_before_that_to_an_open_request(
    socket: &UdpSocket,
    at: SocketAddr,
    request: &[u8],
) -> Option<[u8; OCTETS]> {
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.send_to(request, at).unwrap();
    let mut open = [0; 14];
    open[13] = 1;
    socket.send_to(&open, at).unwrap();
    let mut reply = [0; OCTETS];
    if socket.recv(&mut reply).unwrap() != OCTETS {
        return None;
    }
    assert_eq!(socket.recv(&mut [0; OCTETS]).unwrap(), 41);
    Some(reply)
}

fn is_dropped(responder: &Responder, request: &[u8]) -> bool {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    reply_before_that_to_an_open_request(&socket, responder.at, request).is_none()
}

#[test]
fn an_authenticated_request_is_answered_by_the_key_of_the_command_line_and_no_other() {
    for stateless in ["", "--stateless"] {
        let responder =
            Responder::start(&format!("127.0.0.1:0 --json --hmac-key {KEY} {stateless}"));
        assert!(is_answered(&responder, KEY, 0));
        assert!(is_answered(&responder, KEY, 9));
        assert!(is_dropped(&responder, &request(OTHER, 0, 0)));
        let mut changed = request(KEY, 0, 0);
        changed[27] = 1;
        assert!(is_dropped(&responder, &changed));
        let last = last_words(responder);
        assert_eq!(last["reflected"], 4, "two of them open");
        assert_eq!(last["ignored"]["forged"], 2);
    }
    let responder = Responder::start("127.0.0.1:0 --json");
    assert!(is_dropped(&responder, &request(KEY, 0, 0)));
    assert_eq!(last_words(responder)["ignored"]["no_key"], 1);
}

#[test]
fn the_key_of_a_file_is_that_of_the_ssid_before_that_of_the_address() {
    let third = "0f".repeat(32);
    let file = keys(&format!(
        "# ours\n{KEY}\nssid 9 {OTHER}\nprefix 127.0.0.0/8 {third}\nprefix 127.0.0.0/7 {KEY}\n"
    ));
    let path = file.path().display();
    let responder = Responder::start(&format!("127.0.0.1:0 --json --hmac-key-file {path}"));
    for (ssid, right) in [(9, OTHER), (8, &third), (0, &third)] {
        assert!(is_answered(&responder, right, ssid), "{ssid}");
        for wrong in [KEY, OTHER, &third].into_iter().filter(|key| *key != right) {
            assert!(is_dropped(&responder, &request(wrong, 0, ssid)), "{ssid}");
        }
    }
    assert_eq!(last_words(responder)["ignored"]["forged"], 6);
}

#[test]
fn sessions_that_are_not_provisioned_get_no_reply() {
    let file = keys(&format!("ssid 9 {KEY}\nssid 10 {OTHER}\n"));
    let path = file.path().display();
    let line = format!("127.0.0.1:0 --json --authenticated --hmac-key-file {path}");
    for (options, tenth) in [("", true), ("--allow-ssid 1-9", false)] {
        let responder = Responder::start(&format!("{line} {options}"));
        let (socket, at) = (UdpSocket::bind(("127.0.0.1", 0)).unwrap(), responder.at);
        let mut open = vec![0; 44];
        [open[13], open[15]] = [1, 9];
        for request in [
            open,
            request(KEY, 7, 8),
            request(KEY, 7, 0),
            request(KEY, 7, 10),
            request(OTHER, 7, 9),
        ] {
            socket.send_to(&request, at).unwrap();
        }
        if tenth {
            assert!(is_answered(&responder, OTHER, 10));
        } else {
            socket.send_to(&request(OTHER, 7, 10), at).unwrap();
        }
        assert!(is_answered(&responder, KEY, 9));
        let last = last_words(responder);
        assert_eq!(last["reflected"], 1 + u64::from(tenth));
        let ignored = |kind: &str| last["ignored"][kind].as_u64().unwrap();
        let kinds = ["unauthenticated", "no_key", "no_session", "forged"].map(ignored);
        assert_eq!(kinds, if tenth { [1, 2, 0, 2] } else { [1, 1, 3, 1] });
    }
}

#[cfg(unix)]
#[test]
fn the_keys_are_read_again_and_sessions_go_on() {
    let file = keys(&format!("{KEY}\n"));
    let write = |text: &str| std::fs::write(file.path(), text).unwrap();
    let path = file.path().display();
    let line = format!("127.0.0.1:0 --json --threads 2 --hmac-key-file {path}");
    let mut responder = Responder::start(&line);
    let (socket, at) = (UdpSocket::bind(("127.0.0.1", 0)).unwrap(), responder.at);
    // All from one port: one thread has them.
    let number = |key: &str| {
        let request = request(key, 7, 9);
        let reply = reply_before_that_to_an_open_request(&socket, at, &request)?;
        assert_eq!(reply[96..], hmac(key, &reply[..96]));
        Some(u32::from_be_bytes(reply[..4].try_into().unwrap()))
    };
    assert_eq!((number(OTHER), number(KEY)), (None, Some(0)));
    write(&format!("{OTHER}\nssid 3 {KEY}\n"));
    responder.signal("HUP");
    let said = responder.wait_for(": 2 keys read; ");
    let (added, changed) = ("added SSID 3", "changed the key for all other packets");
    assert!(
        said.ends_with(&format!("; {added}; {changed}; 0 as before\n")),
        "{said}"
    );
    // The thread takes them with its next turn.
    let renewed = (0..1_000).find_map(|_| number(OTHER));
    assert_eq!((renewed, number(KEY)), (Some(1), None));
    // What cannot be used changes nothing.
    write(&format!("{KEY}\nssid 3 {KEY}\nssid 3 {OTHER}\n"));
    responder.signal("HUP");
    let said = responder.wait_for("keeping the old keys");
    assert!(said.contains(":3: SSID 3 is already on line 2"), "{said}");
    assert!(!said.contains(KEY) && !said.contains(OTHER), "{said}");
    assert_eq!((number(OTHER), number(KEY)), (Some(2), None));
    assert_eq!(last_words(responder)["ignored"]["no_key"], 0);
}

/// What a reflector did with a TLV, in its flags.
const PROCESSED: u8 = 0;
const NOT_PROCESSED: u8 = 0x80;
const NOT_TRUSTED: u8 = 0x20;

/// A request behind which are a Timestamp Information and an HMAC TLV with this key: open, or
/// authenticated.
fn request_with_tlvs(authenticated: bool, hmac_tlv: Option<&str>) -> Vec<u8> {
    let mut request = if authenticated {
        request(KEY, 7, 9)
    } else {
        let mut open = vec![0; 44];
        open[..4].copy_from_slice(&7_u32.to_be_bytes());
        open[4..12].copy_from_slice(&0xeeae_8530_c2cc_6f03_u64.to_be_bytes());
        [open[13], open[15]] = [1, 9];
        open
    };
    let mut text = request[..4].to_vec();
    text.extend([0x80, 3, 0, 4, 0, 0, 0, 0]);
    let digest = hmac_tlv.map(|key| hmac(key, &text));
    request.extend(&text[4..]);
    if let Some(digest) = digest {
        request.extend([0x80, 8, 0, 16]);
        request.extend(digest);
    }
    request
}

#[test]
fn the_tlvs_of_an_open_request_are_processed_by_their_hmac() {
    let with_key = format!("--hmac-key {KEY}");
    let demanded = format!("{with_key} --require-hmac");
    let lenient = "--accept-unverified-tlvs";
    for (options, authenticated, hmac_tlv, flags, hmac_flags) in [
        (with_key.as_str(), false, Some(KEY), PROCESSED, PROCESSED),
        (&with_key, false, Some(OTHER), NOT_TRUSTED, NOT_TRUSTED),
        (&with_key, false, None, PROCESSED, PROCESSED),
        (&with_key, true, Some(KEY), PROCESSED, PROCESSED),
        (&with_key, true, Some(OTHER), NOT_TRUSTED, NOT_TRUSTED),
        (&with_key, true, None, NOT_TRUSTED, NOT_TRUSTED),
        (&demanded, false, Some(KEY), PROCESSED, PROCESSED),
        (&demanded, false, None, NOT_TRUSTED, NOT_TRUSTED),
        ("", false, Some(KEY), NOT_PROCESSED, NOT_PROCESSED),
        ("", false, None, PROCESSED, PROCESSED),
        (lenient, false, Some(KEY), PROCESSED, NOT_PROCESSED),
    ] {
        let context = format!("{options:?} {authenticated} {hmac_tlv:?}");
        let responder = Responder::start(&format!("127.0.0.1:0 {options}"));
        let request = request_with_tlvs(authenticated, hmac_tlv);
        let reply = answer(&responder, &request, PATIENCE).unwrap();
        assert_eq!(reply.len(), request.len(), "{context}");
        let base = if authenticated { OCTETS } else { 44 };
        let (tlv, hmac_tlv) = reply[base..].split_at(8);
        assert_eq!(tlv[0], flags, "{context}");
        assert_eq!(tlv[4..] != [0; 4], flags == PROCESSED, "{context}");
        if let [its_flags, _, _, _, digest @ ..] = hmac_tlv {
            assert_eq!(*its_flags, hmac_flags, "{context}");
            let own = hmac(KEY, &[&reply[..4], tlv].concat());
            assert_eq!(digest == own, hmac_flags == PROCESSED, "{context}");
        }
    }
}

fn refused(line: &str) -> Done {
    let done = run(&format!("responder 127.0.0.1:0 {line}"));
    assert!(
        !done.stderr.contains(KEY) && !done.stderr.contains("secret"),
        "{}",
        done.stderr
    );
    done
}

#[test]
fn what_is_no_key_is_said_in_one_line_and_not_quoted() {
    let half = &KEY[..30];
    for (key, status, said) in [
        (
            half,
            2,
            "--hmac-key: a key has at least 16 octets, this one has 15",
        ),
        (
            "secret",
            2,
            "--hmac-key: the key has a character that is not a hexadecimal digit",
        ),
        (
            &KEY[1..],
            2,
            "--hmac-key: the key has an odd number of hexadecimal digits",
        ),
    ] {
        let done = refused(&format!("--hmac-key {key}"));
        assert_eq!(done.status, status, "{}", done.stderr);
        assert!(done.stderr.contains(said), "{}", done.stderr);
    }
    for (lines, said) in [
        (
            format!("\nssid 7 {half}"),
            ":2: a key has at least 16 octets, this one has 15",
        ),
        (
            format!("{KEY}\n\n{KEY}"),
            ":3: the key for all other packets is already on line 1",
        ),
        (
            format!("secret {KEY}"),
            ":1: the line begins with neither a key nor ssid nor prefix",
        ),
        (
            "# secret".to_owned(),
            " has no key; write one line per key: HEX, ssid N HEX or prefix CIDR HEX",
        ),
    ] {
        let file = keys(&lines);
        let done = refused(&format!("--hmac-key-file {}", file.path().display()));
        assert_eq!(done.status, 1, "{}", done.stderr);
        assert!(done.stderr.contains(said), "{}", done.stderr);
        assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
    }
    let file = keys(KEY);
    let path = file.path().display();
    for line in [
        format!("--hmac-key {KEY} --hmac-key-file {path}"),
        format!("--hmac-key {KEY} --protocol twamp-light"),
        format!("--hmac-key {KEY} --insecure-key-file"),
        format!("--hmac-key-file {path} --logfile {path}"),
    ] {
        assert_eq!(refused(&line).status, 2, "{line}");
    }
}

#[cfg(unix)]
#[test]
fn a_key_file_that_others_may_read_is_refused_unless_the_operator_says_otherwise() {
    use std::os::unix::fs::PermissionsExt as _;
    let file = keys(KEY);
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(file.path(), open).unwrap();
    let line = format!("--hmac-key-file {}", file.path().display());
    let done = refused(&line);
    assert_eq!(done.status, 1);
    assert!(
        done.stderr
            .contains("is accessible to other users (mode 0644)"),
        "{}",
        done.stderr
    );
    let responder = Responder::start(&format!("127.0.0.1:0 {line} --insecure-key-file"));
    assert!(is_answered(&responder, KEY, 0));
}

#[cfg(target_os = "linux")]
#[test]
fn a_hundred_thousand_sessions_and_keys_fit_into_60_megabytes() {
    const EACH: u16 = 50_000;
    const AT_ONCE: usize = 50;
    let mut file = keys("");
    for number in 0..100_000_u32 {
        let [_, a, b, c] = number.to_be_bytes();
        writeln!(file, "prefix 10.{a}.{b}.{c} {number:064x}").unwrap();
    }
    writeln!(file, "prefix 127.0.0.1 {KEY}").unwrap();
    let path = file.path().display();
    let responder = Responder::start(&format!("127.0.0.1:0 --json --hmac-key-file {path}"));
    let ssids: Vec<u16> = (1..=EACH).collect();
    for _ in 0..2 {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        for some in ssids.chunks(AT_ONCE) {
            for ssid in some {
                socket
                    .send_to(&request(KEY, 0, *ssid), responder.at)
                    .unwrap();
            }
            for _ in some {
                assert_eq!(socket.recv(&mut [0; OCTETS]).unwrap(), OCTETS);
            }
        }
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", responder.process())).unwrap();
    let kib = |name: &str| -> u64 {
        let mut lines = status.lines();
        let field = lines.find_map(|line| line.strip_prefix(name)?.strip_suffix(" kB"));
        field.unwrap().trim().parse().unwrap()
    };
    // Without the pages of the program, of which an unoptimized one has 20 MB and an optimized one 10.
    let peak = kib("VmHWM:") - kib("RssFile:");
    let last = last_words(responder);
    assert_eq!(last["sessions"]["live"], 100_000);
    println!("{peak} KiB");
    assert!(peak * 1_024 < 60_000_000 - 10_000_000, "{peak} KiB");
}
