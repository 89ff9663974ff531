//! What many sessions in one process take of memory.

use std::fmt::Write as _;
use std::fs;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::program::{Done, Responder, Running, twinpath};

/// The kernel's own count of a process's largest resident memory, in octets, as it grows until the process
/// has ended.
fn watch(process: u32) -> JoinHandle<u64> {
    std::thread::spawn(move || {
        let mut peak = 0;
        let peak_now = || {
            let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("VmHWM:"))?;
            let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
            Some(kib * 1_024)
        };
        while let Some(octets) = peak_now() {
            peak = octets;
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
