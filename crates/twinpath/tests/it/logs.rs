//! Log files: bounded, and never silent about what they lost.

use std::io::Read as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::program::{Responder, run};

/// Connects, reads the greeting, and goes away.
fn knock(server: &Responder) {
    let mut stream = TcpStream::connect(server.at).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream.read_exact(&mut [0; 64]).unwrap();
}

#[test]
fn a_storm_of_clients_is_a_line_of_each_kind_a_second_with_the_number_of_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("server.log");
    let options = format!("--max-connections-per-client 1 -l {}", log.display());
    let server = Responder::server(&options);
    let _held = TcpStream::connect(server.at).unwrap();
    let start = Instant::now();
    for _ in 0..400 {
        knock(&server);
    }
    assert_eq!(server.stop("INT").status, 0);
    // The first and the last second may be parts of one.
    let seconds = usize::try_from(start.elapsed().as_secs()).unwrap() + 2;
    let text = std::fs::read_to_string(&log).unwrap();
    let left_out = |line: &str| -> u64 {
        let (_, rest) = line.split_once("left_out=").unwrap_or(("", "0"));
        rest.split(' ').next().unwrap().trim().parse().unwrap()
    };
    let of_kind: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("client refused: it has reached its limit of connections"))
        .collect();
    assert!((1..=seconds).contains(&of_kind.len()), "{seconds}: {text}");
    let lines = u64::try_from(
        of_kind
            .iter()
            .filter(|line| !line.contains("lines left out"))
            .count(),
    );
    let all = lines.unwrap() + of_kind.iter().map(|line| left_out(line)).sum::<u64>();
    assert_eq!(all, 400, "{text}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_log_file_without_room_is_said_once_and_the_run_goes_on() {
    let mut server = Responder::server("-l /dev/full");
    server.wait_for("twinpath: cannot write the log file /dev/full: ");
    assert_eq!(
        run(&format!("controller {} 127.0.0.1:0 -c 2 -i 2", server.at)).status,
        0
    );
    let done = server.stop("INT");
    assert_eq!(done.status, 1);
    assert!(done.stdout.contains("2 packets"), "{}", done.stdout);
    let said = done.stderr.matches("cannot write").count();
    assert_eq!(said, 1, "{}", done.stderr);
    let last = done.stderr.lines().last().unwrap();
    assert!(
        last.starts_with("twinpath: the log file /dev/full is not complete: ")
            && last.contains(" lost: No space left on device")
            && last.contains("; free some space"),
        "{last}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_whose_log_file_lacks_lines_says_so_in_its_report_and_by_its_exit_status() {
    let responder = Responder::on_loopback();
    let server = Responder::server("");
    let directory = tempfile::tempdir().unwrap();
    let saved = directory.path().join("run.parquet").display().to_string();
    let measured = format!("sender {} -c 3 -i 1", responder.at);
    assert_eq!(run(&format!("{measured} -q --save {saved}")).status, 0);
    // Nothing answers there: all are lost, and that is not all there is to say.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for line in [
        measured.clone(),
        format!(
            "sender {} -c 2 -i 1 --timeout 0.1",
            silent.local_addr().unwrap()
        ),
        format!("controller {} 127.0.0.1:0 -c 2 -i 1", server.at),
        // Warned of nothing, a report logs with -d alone.
        format!(
            "report -d {saved} --html {}",
            directory.path().join("page").display()
        ),
        "selftest -d -c 2 -i 1".to_owned(),
    ] {
        let text = run(&format!("{line} -l /dev/full"));
        assert_eq!(text.status, 1, "{line}: {}", text.stderr);
        let said = "the log file /dev/full is not complete: ";
        let last = text.stderr.lines().last().unwrap();
        assert!(
            last.starts_with(&format!("twinpath: {said}")),
            "{line}: {last}"
        );
        let log = directory.path().join("log").display().to_string();
        let whole = run(&format!("{line} -l {log}"));
        assert!(
            !whole.stderr.contains("log file"),
            "{line}: {}",
            whole.stderr
        );
        if !line.starts_with("sender") && !line.starts_with("controller") {
            continue;
        }
        assert!(
            text.unwrapped().contains(&format!("warning: {said}")),
            "{line}: {}",
            text.stdout
        );
        for (file, complete) in [("/dev/full", false), (&log, true)] {
            let done = run(&format!("{line} --json -l {file}"));
            let document: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
            assert_eq!(document["log"]["path"], file, "{line}");
            assert_eq!(
                document["log"]["complete"], complete,
                "{line}: {}",
                document["log"]
            );
            assert_eq!(document["log"]["error"].is_null(), complete, "{line}");
        }
    }
}
