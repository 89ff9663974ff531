//! Runs whose terminal is gone.

use std::fs::{self, File};
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::pty;
use serde_json::Value;

use crate::program::{Responder, Running, run};

/// The program as the leader of a session on a terminal of its own, where all its streams go, but for
/// `stdout` where there is one; and the terminal's other end. `None` where there is no `setsid`.
fn on_terminal(line: &str, stdout: Option<File>) -> Option<(Running, File)> {
    if Command::new("setsid").arg("--version").output().is_err() {
        println!("skipped: there is no program named setsid (util-linux)");
        return None;
    }
    // Neither end is the program's but as a stream.
    let flags = pty::OpenptFlags::RDWR | pty::OpenptFlags::NOCTTY | pty::OpenptFlags::CLOEXEC;
    let terminal = pty::openpt(flags).unwrap();
    pty::unlockpt(&terminal).unwrap();
    let ours = pty::ioctl_tiocgptpeer(&terminal, flags).unwrap();
    let mut command = Command::new("setsid");
    command
        .args(["--ctty", env!("CARGO_BIN_EXE_twinpath")])
        .args(line.split_whitespace())
        .env("TERM", "xterm")
        .stdin(ours.try_clone().unwrap());
    match stdout {
        Some(file) => command.stdout(file),
        None => command.stdout(ours.try_clone().unwrap()),
    };
    command.stderr(ours);
    Some((Running::of(command.spawn().unwrap()), File::from(terminal)))
}

/// Reads from a terminal until it shows this.
fn wait_for(terminal: &mut File, text: &str) {
    let mut screen = String::new();
    let mut octets = [0; 4_096];
    while !screen.contains(text) {
        let count = terminal.read(&mut octets).unwrap();
        screen.push_str(&String::from_utf8_lossy(&octets[..count]));
    }
}

#[test]
fn a_terminal_that_hangs_up_ends_a_run_with_its_document_its_page_and_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let responder = Responder::on_loopback();
    let server = Responder::server("");
    for (name, command) in [
        ("sender", format!("sender {}", responder.at)),
        (
            "controller",
            format!("controller {} 127.0.0.1:0", server.at),
        ),
    ] {
        let [saved, page, document] =
            ["parquet", "html", "json"].map(|end| directory.path().join(format!("{name}.{end}")));
        let line = format!(
            "{command} --duration 600 -i 10 --json -v --save {} --html {}",
            saved.display(),
            page.display()
        );
        let stdout = File::create(&document).unwrap();
        let Some((mut sender, mut terminal)) = on_terminal(&line, Some(stdout)) else {
            return;
        };
        // Lines for people go to the terminal, the document to its file.
        wait_for(&mut terminal, "seq=5 ");
        drop(terminal);
        assert_eq!(sender.ended().code(), Some(0), "{name}");
        let document: Value = serde_json::from_slice(&fs::read(document).unwrap()).unwrap();
        let received = document["sessions"][0]["packets"]["received"].as_u64();
        assert!(received >= Some(5), "{document}");
        assert_eq!(document["saved"]["complete"], true);
        assert_eq!(document["pictures"][0]["complete"], true);
        let again = run(&format!("report {} --json", saved.display())).session();
        assert_eq!(again["packets"]["received"].as_u64(), received);
        assert!(
            !again["notes"].to_string().contains("interrupted"),
            "{again}"
        );
        assert!(fs::read_to_string(page).unwrap().contains("</html>"));
    }
}

#[test]
fn a_run_whose_output_was_the_terminal_that_hung_up_writes_its_file_and_fails() {
    let directory = tempfile::tempdir().unwrap();
    let saved = directory.path().join("run.parquet");
    let responder = Responder::on_loopback();
    for (form, shown) in [("text -v", "seq=5 "), ("jsonl", "\"seq\":5,")] {
        let line = format!(
            "sender {} --duration 600 -i 10 --output {form} --save {}",
            responder.at,
            saved.display()
        );
        let Some((mut sender, mut terminal)) = on_terminal(&line, None) else {
            return;
        };
        wait_for(&mut terminal, shown);
        drop(terminal);
        assert_eq!(sender.ended().code(), Some(1), "{form}");
        let again = run(&format!("report {} --json", saved.display())).session();
        assert!(again["packets"]["received"].as_u64() >= Some(5), "{form}");
        assert!(
            !again["notes"].to_string().contains("interrupted"),
            "{form}: {again}"
        );
    }
}

#[test]
fn several_hangups_ask_a_selftest_for_its_document_and_end_nothing_at_once() {
    let selftest = Running::start("selftest -c 100000 -i 1 --json");
    // It measures once it has a thread for that, and some replies soon after.
    let tasks = format!("/proc/{}/task", selftest.0.id());
    let until = Instant::now() + Duration::from_mins(1);
    loop {
        let threads = fs::read_dir(&tasks).unwrap().flatten();
        let mut names = threads.filter_map(|thread| fs::read(thread.path().join("comm")).ok());
        if names.any(|name| name == b"sender\n") {
            break;
        }
        assert!(Instant::now() < until, "it does not measure");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_secs(2));
    for _ in 0..3 {
        selftest.signal(&["HUP"]);
        std::thread::sleep(Duration::from_millis(5));
    }
    let done = selftest.finish();
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert!(done.session()["packets"]["received"].as_u64() >= Some(1));
}

#[test]
fn under_nohup_a_hangup_ends_nothing() {
    let responder = Responder::on_loopback();
    let mut command = Command::new("nohup");
    command
        .arg(env!("CARGO_BIN_EXE_twinpath"))
        .args(format!("sender {} -c 100 -i 10 --output jsonl", responder.at).split_whitespace())
        .stdin(Stdio::null());
    let mut sender = Running::spawn(command);
    sender.wait_for("\"received\"");
    sender.signal(&["HUP"]);
    let done = sender.finish();
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert_eq!(done.session()["packets"]["sent"], 100);
}

#[test]
fn a_responder_whose_terminal_hangs_up_prints_what_it_did() {
    let responder = Responder::start("127.0.0.1:0 --json");
    let done = run(&format!("sender {} -c 3 -i 2 --json", responder.at));
    assert_eq!(done.status, 0, "{}", done.stderr);
    let last = responder.stop("HUP");
    assert_eq!(last.status, 0, "{}", last.stderr);
    let document: Value = serde_json::from_str(&last.stdout).unwrap();
    assert_eq!(document["reflected"], 3);
}

#[test]
fn a_run_that_is_told_to_stop_does_not_wait_for_a_long_timeout() {
    // Nothing answers there; a run of a day's timeout would not end before its deadline.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let far = silent.local_addr().unwrap();
    let mut run = Running::start(&format!("sender {far} -c 1 --timeout 1d --json"));
    silent.recv_from(&mut [0; 64]).unwrap();
    run.wait_until_it_catches("TERM");
    run.signal(&["TERM"]);
    run.ended();
    let done = run.finish();
    let packets = &done.session()["packets"];
    assert_eq!((&packets["sent"], &packets["lost"]), (&0.into(), &0.into()));
    assert_eq!(packets["in_flight"], 1, "{packets}");
}
