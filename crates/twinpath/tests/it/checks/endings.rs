//! How a check ends that does not end by itself.

use super::*;

#[test]
fn the_deadline_ends_a_check_whatever_it_waits_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let deaf = listener.local_addr().unwrap();
    let begun = Instant::now();
    // A server that sends no greeting.
    if cfg!(feature = "control") {
        let line = format!("{deaf} --control -c 2 -i 10ms --timeout 0.1 --deadline 2");
        let (text, _) = checked(&line, "UNKNOWN");
        assert_eq!(
            text,
            format!("stopped before {deaf} answered (--deadline 2 s)")
        );
    }
    // A pipe that is never closed.
    let mut command = twinpath("check --targets - -c 2 --timeout 0.1 --deadline 1.5");
    command.stdin(Stdio::piped());
    let mut running = Running::spawn(command);
    let mut stdin = running.0.stdin.take().unwrap();
    stdin.write_all(b"127.0.0.1\n").unwrap();
    let done = running.finish();
    let (text, _) = said(&done, "UNKNOWN");
    assert_eq!(
        text,
        "nothing within 1.5 s (--deadline), while looking up targets"
    );
    drop(stdin);
    assert!(begun.elapsed() < Duration::from_mins(1));
}

#[test]
fn a_name_that_no_server_answers_leaves_time_for_the_other_targets() {
    let Some(hosts) = Hosts::new() else { return };
    // It ignores what comes from here.
    let _deaf = hosts.responder(":53 --allow 192.0.2.0/24");
    let _responder = hosts.responder(":20001");
    let directory = std::path::PathBuf::from(format!("/etc/netns/{}", hosts.near));
    let conf = "nameserver 10.98.0.2\noptions timeout:30\n";
    let made = std::fs::create_dir_all(&directory)
        .and_then(|()| std::fs::write(directory.join("resolv.conf"), conf));
    if let Err(why) = made {
        println!("skipped: no resolver for a network namespace ({why})");
        return;
    }
    let line = format!("check 10.98.0.2 --to slow.example {SHORT} --deadline 6 --warn loss=1%");
    let done = hosts.run(&line);
    let alone = hosts.run(&format!("check slow.example {SHORT} --deadline 4"));
    std::fs::remove_dir_all(&directory).unwrap();
    let (text, perfdata) = said(&done, "UNKNOWN");
    assert_eq!(text, "1 of 2 targets: cannot resolve slow.example");
    assert_eq!(perfdata, "'10.98.0.2 loss'=0%;1;;0;100");
    let (text, _) = said(&alone, "UNKNOWN");
    assert_eq!(text, "cannot resolve slow.example: no answer within 2 s");
}

#[test]
fn a_signal_ends_a_check_as_unknown() {
    for (signal, name) in [
        ("TERM", "SIGTERM"),
        ("INT", "SIGINT"),
        ("ALRM", "SIGALRM"),
        ("HUP", "SIGHUP"),
    ] {
        let (_silent, port) = taken_port();
        let running = Running::start(&format!("check 127.0.0.1:{port} -c 30 -i 1s"));
        running.wait_until_it_catches(signal);
        running.signal(&[signal]);
        let done = running.finish();
        assert_eq!(done.stdout.lines().count(), 1, "{}", done.stdout);
        let (text, _) = said(&done, "UNKNOWN");
        assert!(
            text.starts_with(&format!("ended by {name} after ")),
            "{text}"
        );
    }
}

#[test]
fn a_closed_stdout_does_not_change_the_state() {
    let responder = Responder::on_loopback();
    let program = env!("CARGO_BIN_EXE_twinpath");
    for (list, status) in [("--warn rtt_p95=30s", 0), ("--crit rtt_p95=1ns", 2)] {
        let mut command = std::process::Command::new("sh");
        let line = format!("{program} check {} {SHORT} {list} >&-", responder.at);
        command.args(["-c", &line]).stdin(Stdio::null());
        assert_eq!(finish(command).status, status, "{line}");
    }
}
