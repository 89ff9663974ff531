//! What many sessions in one process take of memory.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::authenticated::hmac;
use crate::program::{Done, Responder, Running, twinpath};
use crate::responders::last_words;

/// The kernel's own count of a process's largest resident memory, in octets, as it grows until the process
/// has ended.
fn watch(process: u32) -> JoinHandle<u64> {
    peak(process, "VmHWM:")
}

/// The peak of a field of a process's status, as it is seen every 2 ms until the process ends.
fn peak(process: u32, field: &'static str) -> JoinHandle<u64> {
    std::thread::spawn(move || {
        let mut peak = 0;
        let now = || {
            let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
            let line = status.lines().find_map(|line| line.strip_prefix(field))?;
            let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
            Some(kib * 1_024)
        };
        while let Some(octets) = now() {
            peak = octets.max(peak);
            std::thread::sleep(Duration::from_millis(2));
        }
        peak
    })
}

fn measured(line: &str) -> (Done, u64) {
    let process = Running::spawn(twinpath(line));
    let peak = watch(process.0.id());
    let done = process.finish();
    assert_eq!(done.status, 0, "{}", done.stderr);
    (done, peak.join().unwrap())
}

#[test]
fn a_session_among_thousands_takes_some_kilobytes_its_report_included() {
    const SESSIONS: u64 = 2_000;
    /// A report alone takes nearly half of it.
    const MOST: u64 = 12 * 1_024;
    let responder = Responder::start("0.0.0.0:0");
    let port = responder.at.port();
    let directory = tempfile::tempdir().unwrap();
    let mut list = String::new();
    for number in 0..SESSIONS {
        let (high, low) = (number / 250, number % 250 + 1);
        writeln!(list, "127.1.{high}.{low}:{port} target-{number}").unwrap();
    }
    let file = directory.path().join("targets");
    fs::write(&file, list).unwrap();
    let options = "-c 3 -i 500ms --timeout 5";
    let (_, alone) = measured(&format!("sender 127.0.0.1:{port} {options}"));
    let many = format!("sender --targets {} {options}", file.display());
    for (output, part) in [
        ("text", "\n50 of 2000 sessions; use -v for all\n"),
        ("json", "\"session\": 2000,"),
        ("jsonl", "\"session\":2000,"),
        ("csv", ",received,2000,"),
        ("prometheus", "{session=\"2000\","),
    ] {
        let (done, peak) = measured(&format!("{many} --output {output}"));
        assert!(done.stdout.contains(part), "{output}: {}", done.stderr);
        let each = peak.saturating_sub(alone) / SESSIONS;
        assert!(each < MOST, "{output}: {each} octets of each session");
    }
}

/// An authenticated request with Direct Measurement and an HMAC TLV.
fn counting(key: &str) -> Vec<u8> {
    const COUNTS: [u8; 16] = [0x80, 5, 0, 12, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut request = vec![0; 96];
    request[16..26].copy_from_slice(&[0xee, 0xae, 0x85, 0x17, 0, 0, 0, 1, 0x80, 1]);
    request.extend(hmac(key, &request));
    let digest = hmac(key, &[&[0; 4], &COUNTS[..]].concat());
    [&request, &COUNTS[..], &[0x80, 8, 0, 16], &digest[..]].concat()
}

#[test]
fn a_responder_with_100_000_sessions_keys_and_extensions_takes_under_48_megabytes() {
    const SESSIONS: u32 = 100_000;
    /// Without the pages of the program's file: they grow with all that is in it, and an unoptimized one has 30 MB of them.
    const MOST: u64 = 48 * 1_000_000;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("keys");
    let mut keys = String::new();
    let host = |number: u32| Ipv4Addr::from(0x7f01_0000 + number);
    let key = |number: u32| format!("{number:032x}");
    for number in 0..SESSIONS {
        writeln!(keys, "prefix {}/32 {}", host(number), key(number)).unwrap();
    }
    fs::write(&file, keys).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let responder = Responder::start(&format!(
        "0.0.0.0:0 --json --hmac-key-file {}",
        file.display()
    ));
    let peak = peak(responder.process(), "RssAnon:");
    let far = (Ipv4Addr::LOCALHOST, responder.at.port());
    let mut reply = [0; 256];
    for number in 0..SESSIONS {
        let socket = UdpSocket::bind((host(number), 0)).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        socket.send_to(&counting(&key(number)), far).unwrap();
        let octets = socket.recv(&mut reply).unwrap();
        // The first of its session, which is counted.
        assert_eq!((octets, &reply[112..116]), (148, &[0, 5, 0, 12][..]));
        assert_eq!(reply[120..128], [0, 0, 0, 1, 0, 0, 0, 1], "{number}");
    }
    let last = last_words(responder);
    assert_eq!(last["sessions"]["live"], SESSIONS, "{last}");
    let peak = peak.join().unwrap();
    assert!(peak < MOST, "{peak} octets");
}
