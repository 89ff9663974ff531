//! How runs end: by themselves, by signals, by a closed pipe, with the status that scripts expect.

use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::program::{Responder, Running, run, taken_port, twinpath};

#[test]
fn every_packet_lost_is_status_three_with_words_on_why() {
    let (held, port) = taken_port();
    drop(held);
    let done = run(&format!("sender 127.0.0.1:{port} -c 3 -i 1 --timeout 0.2"));
    assert_eq!(done.status, 3, "{}", done.stderr);
    assert!(done.stdout.contains("Roundtrip"), "{}", done.stdout);
    assert!(
        done.stdout.contains("warning: nothing listens on UDP port"),
        "{}",
        done.stdout
    );
    // Somebody has the port and never answers.
    let (_held, port) = taken_port();
    let done = run(&format!(
        "sender 127.0.0.1:{port} -c 3 -i 1 --timeout 0.2 -v"
    ));
    assert_eq!(done.status, 3, "{}", done.stderr);
    assert!(
        done.stdout
            .starts_with("seq=0 lost\nseq=1 lost\nseq=2 lost\n"),
        "{}",
        done.stdout
    );
    assert!(
        done.stdout.contains("warning: no reply and no error"),
        "{}",
        done.stdout
    );
}

#[test]
fn a_signal_ends_a_run_early_with_its_report() {
    for signal in ["INT", "TERM"] {
        let responder = Responder::on_loopback();
        let line = format!(
            "sender {} --duration 600 -i 10 --output jsonl",
            responder.at
        );
        let mut run = Running::start(&line);
        run.wait_for("\"received\"");
        run.signal(&[signal]);
        let done = run.finish();
        assert_eq!(done.status, 0, "{}", done.stderr);
        let packets = &done.session()["packets"];
        assert!(packets["received"].as_u64().unwrap() >= 1, "{packets}");
        assert_eq!(
            packets["lost"], 0,
            "what was under way is not lost: {packets}"
        );
    }
}

#[test]
fn a_second_signal_ends_at_once() {
    let responder = Responder::on_loopback();
    // Nobody takes its output, so the first signal cannot end the run: its report has no place.
    let (_untaken, full) = full_stream();
    let mut command = twinpath(&format!("sender {} --duration 60 -d", responder.at));
    command.stdout(OwnedFd::from(full)).stderr(Stdio::piped());
    let mut run = Running::of(command.spawn().unwrap());
    // It listens to signals before it logs.
    run.wait_for_error("");
    run.signal(&["INT"]);
    std::thread::sleep(Duration::from_millis(300));
    assert!(run.0.try_wait().unwrap().is_none(), "it has ended");
    // Two threads may take one signal each at the same moment, neither as the second: so again.
    let until = Instant::now() + Duration::from_secs(30);
    let status = loop {
        run.signal(&["TERM"]);
        std::thread::sleep(Duration::from_millis(50));
        if let Some(status) = run.0.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < until, "it does not end");
    };
    assert!([Some(130), Some(143)].contains(&status.code()), "{status}");
}

/// Two ends of a stream, the second of which takes nothing more.
fn full_stream() -> (UnixStream, UnixStream) {
    let (far, mut near) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    for size in [4096, 1] {
        while near.write(&[b'\n'; 4096][..size]).is_ok() {}
    }
    near.set_nonblocking(false).unwrap();
    (far, near)
}

#[test]
fn a_run_stopped_before_its_first_packet_has_measured_nothing() {
    let responder = Responder::on_loopback();
    let line = format!("sender {} --start-delay 600 -d", responder.at);
    let mut run = Running::start(&line);
    run.wait_for_error("");
    run.signal(&["INT"]);
    let done = run.finish();
    assert_eq!(done.status, 1, "{}", done.stderr);
    let last = done.stderr.lines().last().unwrap();
    assert_eq!(last, "twinpath: stopped before the first packet was due");
    let text = &done.stdout;
    let started = text.contains("\nstarted ");
    let due = text.contains("\nnot started; first packet due 20");
    assert!(!started && due, "{text}");
}

#[test]
fn a_closed_pipe_ends_a_run_quietly() {
    let responder = Responder::on_loopback();
    for output in ["-v", "--output jsonl", "--output csv"] {
        let line = format!("sender {} --duration 600 -i 5 {output}", responder.at);
        let mut run = Running::start(&line);
        run.wait_for("");
        drop(run.0.stdout.take());
        let done = run.finish();
        assert_eq!((done.status, done.stderr.as_str()), (0, ""), "{output}");
    }
    for line in ["dscptable", "selftest -c 2 -i 1", "--help"] {
        let mut run = Running::start(line);
        drop(run.0.stdout.take());
        let done = run.finish();
        assert_eq!((done.status, done.stderr.as_str()), (0, ""), "{line}");
    }
}

#[test]
fn a_full_disk_is_one_clear_line() {
    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else {
        println!("skipped: this host has no /dev/full");
        return;
    };
    let mut command = twinpath("dscptable");
    command.stdout(full).stderr(Stdio::piped());
    let done = Running::of(command.spawn().unwrap()).finish();
    assert_eq!(done.status, 1);
    assert!(
        done.stderr
            .starts_with("twinpath: cannot write the result: "),
        "{}",
        done.stderr
    );
}

#[cfg(all(target_os = "linux", feature = "report"))]
#[test]
fn a_result_for_a_closed_stdout_is_an_error_at_once_and_files_are_written_all_the_same() {
    use crate::program::shell;
    let responder = Responder::on_loopback();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("run.parquet");
    let program = env!("CARGO_BIN_EXE_twinpath");
    let endless = format!("sender {} -c inf -i 10", responder.at);
    let saving = format!(
        "sender {} -c 3 -i 10 --save {}",
        responder.at,
        file.display()
    );
    let csv = format!("{endless} --output csv");
    for line in [
        &*endless,
        &*csv,
        &*saving,
        "dscptable",
        "--help",
        "selftest",
    ] {
        let done = shell(&format!("timeout 60 {program} {line} >&-"));
        assert_eq!(done.status, 1, "{line}: {}", done.stderr);
        let said = "cannot write the result: stdout is closed; ";
        assert!(done.stderr.contains(said), "{line}: {}", done.stderr);
        assert_eq!(done.stderr.lines().count(), 1, "{line}: {}", done.stderr);
    }
    let done = run(&format!("report {} --json", file.display()));
    assert_eq!(done.session()["packets"]["received"], 3);
    let discarded = format!("{program} sender {} -c 1 > /dev/null", responder.at);
    assert_eq!(shell(&discarded).status, 0);
    // As parents do that give it away.
    let discarded = discarded.replace("> /dev", "1<> /dev");
    assert_eq!(shell(&discarded).status, 0);
}
