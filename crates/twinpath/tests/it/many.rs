//! Many targets and many paths in one run.

#[cfg(feature = "pictures")]
mod pages;

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::far_end::{FarEnd, ntp};
use crate::hosts::{Hosts, ip};
use crate::lossy::LossyReflector;
use crate::program::{Done, Responder, Running, run, taken_port};

fn document(done: &Done) -> Value {
    serde_json::from_str(&done.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", done.stdout, done.stderr))
}

fn sessions(document: &Value) -> &[Value] {
    document["sessions"].as_array().unwrap()
}

#[test]
fn the_lossy_one_of_16_paths_is_named_in_text() {
    let far = LossyReflector::start();
    let line = format!(
        "sender 127.0.0.1:{} --paths 16 -c 20 -i 10ms --timeout 4",
        far.port
    );
    let done = run(&line);
    assert_eq!(done.status, 0, "{}{}", done.stdout, done.stderr);
    let text = done.stdout.replace("\n  ", " ");
    let named = format!(
        " of 16, source port {}: 25.00% loss; all others 0%",
        far.lossy_port()
    );
    assert!(text.contains(&named), "{named}: {text}");
    let mut rows = done.stdout.lines().filter(|line| line.starts_with("path "));
    assert!(rows.next().unwrap().ends_with(" 25.00%"), "{text}");
    assert_eq!(rows.count(), 15, "{text}");
}

#[test]
fn a_dead_one_of_eight_paths_is_no_fault_of_the_far_end_alone() {
    let far = LossyReflector::losing_every(1);
    let line = format!(
        "sender 127.0.0.1:{} --paths 8 -c 3 -i 10ms --timeout 4",
        far.port
    );
    let text = run(&line).stdout.replace("\n  ", " ");
    let port = far.lossy_port();
    let warning = format!(
        "warning: no reply and no error from 127.0.0.1:{} for packets from port {port}, although 7 of 8 sessions",
        far.port
    );
    assert!(text.contains(&warning), "{warning}: {text}");
    assert!(!text.contains("no reflector there answers"), "{text}");
    let far = LossyReflector::losing_every(1);
    let line = format!(
        "sender 127.0.0.1:{} --paths 8 -c 3 -i 10ms --timeout 4 --json",
        far.port
    );
    let document = document(&run(&line));
    let findings = sessions(&document).iter();
    let findings = findings.flat_map(|session| session["findings"].as_array().unwrap());
    let mut silent = findings.filter(|finding| finding["key"] == "nothing-came-back");
    let others = &silent.next().unwrap()["others"];
    assert_eq!(others["port"], far.lossy_port());
    assert_eq!(
        (&others["answered"], &others["sessions"]),
        (&7.into(), &8.into())
    );
    assert_eq!(silent.count(), 0);
}

#[test]
fn a_quit_signal_tells_what_all_sessions_come_to() {
    let responder = Responder::on_loopback();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap();
    let mut sender = Running::start(&format!(
        "sender {} --to {silent} -c inf -i 10ms --timeout 0.1",
        responder.at
    ));
    sender.wait_until_it_catches("QUIT");
    let part = format!("1 of 2 targets did not answer: {silent}");
    let first = loop {
        sender.signal(&["QUIT"]);
        let said = sender.wait_for_error("2 sessions: ");
        let words = sender.wait_for_error("target");
        if words.contains(&part) {
            break said;
        }
    };
    assert!(first.contains(" sent, "), "{first}");
    sender.signal(&["INT"]);
    sender.finish();
}

#[test]
fn a_quit_signal_tells_since_when_a_target_is_silent() {
    let responder = Responder::on_loopback();
    let answered = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&answered);
    let other = FarEnd::start(Duration::ZERO, move |_, times| {
        count.fetch_add(1, Ordering::Relaxed);
        times.map(ntp)
    });
    let mut sender = Running::start(&format!(
        "sender {} --to {} -c inf -i 10ms --timeout 0.1",
        responder.at, other.at
    ));
    sender.wait_until_it_catches("QUIT");
    let patience = Instant::now() + Duration::from_mins(1);
    while answered.load(Ordering::Relaxed) < 20 {
        assert!(Instant::now() < patience, "nothing is measured");
        thread::sleep(Duration::from_millis(10));
    }
    let silent = other.at;
    drop(other);
    let since = loop {
        sender.signal(&["QUIT"]);
        let worst = sender.wait_for_error(&format!("{silent}: "));
        if let Some((_, since)) = worst.split_once("; no replies to packets sent after ") {
            break since.trim_end().to_owned();
        }
    };
    assert!(since.ends_with(" UTC"), "{since}");
    sender.signal(&["QUIT"]);
    let words = sender.wait_for_error("1 of 2 targets stopped answering: ");
    assert!(
        words.contains(&format!("{silent} after {since}")),
        "{words}"
    );
    sender.signal(&["INT"]);
    sender.finish();
}

#[test]
fn the_lossy_one_of_16_paths_is_named_in_json() {
    let far = LossyReflector::start();
    let line = format!(
        "sender 127.0.0.1:{} --paths 16 -c 20 -i 10ms --timeout 4 --json",
        far.port
    );
    let done = run(&line);
    let document = document(&done);
    let sessions = sessions(&document);
    assert_eq!(sessions.len(), 16);
    for (number, session) in (1..).zip(sessions) {
        assert_eq!(session["path"], number);
        let address = format!("127.0.0.1:{}", far.port);
        assert_eq!(session["target"]["address"], address);
        let port = session["sender"].as_str().unwrap().rsplit(':').next();
        let is_lossy = port == Some(&far.lossy_port().to_string());
        let lost = if is_lossy { 5 } else { 0 };
        assert_eq!(session["packets"]["lost"], lost, "{session}");
    }
    let losing = |session: &&Value| session["packets"]["lost"] != 0;
    assert_eq!(sessions.iter().filter(losing).count(), 1);
}

#[test]
fn a_hundred_targets_are_measured_whatever_some_of_them_do() {
    let Some(hosts) = Hosts::new() else { return };
    for line in [
        format!("-n {} route add local 10.64.0.0/16 dev lo", hosts.far),
        format!("-n {} route add 10.64.0.0/16 via 10.98.0.2", hosts.near),
        // Dropped there: it does not forward.
        format!("-n {} route add 10.66.0.0/16 via 10.98.0.2", hosts.near),
    ] {
        ip(&line).unwrap();
    }
    let _responder = hosts.responder("0.0.0.0:20001");
    let answering = (0..100).map(|number| format!("10.64.{}.{}", number % 7, number + 1));
    let silent = ["10.66.0.1", "10.66.0.2", "10.66.0.3"].map(str::to_owned);
    let refusing = ["10.64.9.9:9".to_owned()];
    let impossible = ["no-such-host.invalid", "192.0.2.9"].map(str::to_owned);
    let all = answering.chain(silent).chain(refusing).chain(impossible);
    let to: Vec<String> = all.map(|target| format!("--to {target}")).collect();
    let line = format!("sender {} -c 5 -i 50ms --timeout 4", to.join(" "));

    let done = hosts.run(&format!("{line} --json"));
    assert_eq!(done.status, 1, "{}", done.stderr);
    let document = document(&done);
    assert_eq!(sessions(&document).len(), 104);
    for session in sessions(&document) {
        let name = session["target"]["name"].as_str().unwrap();
        let answers = name.starts_with("10.64.") && !name.contains(':');
        let received = if answers { 5 } else { 0 };
        assert_eq!(session["packets"]["sent"], 5, "{name}");
        assert_eq!(session["packets"]["received"], received, "{name}");
    }
    let failed = document["failed"].as_array().unwrap();
    let mut names: Vec<&str> = failed
        .iter()
        .map(|failed| failed["target"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["192.0.2.9", "no-such-host.invalid"], "{failed:?}");
    let last = done.stderr.lines().last().unwrap();
    assert_eq!(last, "twinpath: 2 of 106 targets could not be measured");
    for name in ["192.0.2.9", "no-such-host.invalid"] {
        let said = done.stderr.matches(&format!("{name} not measured")).count();
        assert_eq!(said, 1, "{}", done.stderr);
    }

    let done = hosts.run(&line);
    assert_eq!(done.status, 1, "{}", done.stderr);
    let text = done.stdout.replace("\n  ", " ");
    assert!(
        text.starts_with("4 of 104 targets did not answer: 10.66.0.1, 10.66.0.2, 10.66.0.3 and 1 more; 2 targets could not be measured\n"),
        "{text}"
    );
    assert!(
        text.contains("50 of 104 sessions; use -v for all"),
        "{text}"
    );
    assert!(
        text.contains("warning: no-such-host.invalid not measured: "),
        "{text}"
    );
}

/// The keys of a record of the first session, or the labels of a sample of it.
fn form(format: &str, text: &str) -> String {
    match format {
        "csv" => text.lines().next().unwrap().to_owned(),
        "jsonl" => {
            let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
            let mut lines = lines.filter(|line: &Value| line["session"] == 1);
            let line = lines.next().unwrap();
            let keys: Vec<&String> = line.as_object().unwrap().keys().collect();
            format!("{keys:?} {}", line["target"]["name"])
        }
        _ => {
            let sample = text
                .lines()
                .find(|line| line.starts_with("twinpath_packets_sent{session=\"1\""));
            let sample = sample.unwrap().split(' ').next().unwrap();
            sample.split("target=").last().unwrap().to_owned()
        }
    }
}

#[test]
fn the_form_of_records_does_not_depend_on_what_could_be_measured() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let responder = Responder::on_loopback();
    let at = responder.at;
    let first =
        format!("[[target]]\naddress = \"{at}\"\nname = \"fra\"\nlabels = {{ x = \"1\" }}\n");
    let other = |address: &str| {
        format!("{first}[[target]]\naddress = \"{address}\"\nlabels = {{ site = \"a\" }}\n")
    };
    let good = write("good.toml", &other(&format!("localhost:{}", at.port())));
    let bad = write("bad.toml", &other("no-such-host.invalid"));
    let saved = write("a.parquet", "");
    for format in ["csv", "jsonl", "prometheus"] {
        let options = format!("-c 1 --label x=2 --output {format}");
        let good = run(&format!("sender --targets {good} -4 {options}"));
        assert_eq!(good.status, 0, "{}", good.stderr);
        let bad = run(&format!("sender --targets {bad} {options} --save {saved}"));
        assert_eq!(bad.status, 1, "{}", bad.stderr);
        let wanted = form(format, &good.stdout);
        assert_eq!(form(format, &bad.stdout), wanted, "{}", bad.stderr);
        assert!(wanted.contains("fra") || format == "csv", "{wanted}");
        if format != "csv" {
            let report = run(&format!("report {saved} --output {format}"));
            assert_eq!(form(format, &report.stdout), wanted, "{}", report.stderr);
        }
    }
}

#[test]
fn the_only_target_of_a_list_is_named_and_so_is_the_only_one_measured() {
    let directory = tempfile::tempdir().unwrap();
    let responder = Responder::on_loopback();
    let list = directory.path().join("targets");
    let line = format!("sender --targets {} -c 1", list.display());
    let one = format!("{} fra-core1\n", responder.at);
    std::fs::write(&list, &one).unwrap();
    let done = run(&format!("{line} -v"));
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert!(done.stdout.contains("target=fra-core1 "), "{}", done.stdout);
    assert!(
        done.stdout.contains("\nTarget fra-core1\n"),
        "{}",
        done.stdout
    );
    std::fs::write(&list, format!("{one}no-such-host.invalid gone\n")).unwrap();
    let done = run(&line);
    assert_eq!(done.status, 1, "{}", done.stderr);
    assert!(done.stdout.contains("\nfra-core1 "), "{}", done.stdout);
    assert!(
        done.stdout.contains("gone not measured: "),
        "{}",
        done.stdout
    );
    #[cfg(feature = "pictures")]
    {
        let page = directory.path().join("a.html");
        run(&format!("{line} --html {}", page.display()));
        let page = std::fs::read_to_string(page).unwrap();
        assert!(page.contains("fra-core1"), "{page}");
    }
}

#[test]
fn silent_targets_are_measured_and_only_all_of_them_are_a_status_of_3() {
    let responder = Responder::on_loopback();
    let sockets = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    let [silent, other] = sockets.each_ref().map(|one| one.local_addr().unwrap());
    let options = "-c 2 -i 10ms --timeout 2";
    let one = run(&format!(
        "sender --to {silent} --to {} {options}",
        responder.at
    ));
    assert_eq!(one.status, 0, "{}", one.stderr);
    let all = run(&format!("sender {silent} --to {other} --paths 2 {options}"));
    assert_eq!(all.status, 3, "{}", all.stderr);
}

#[test]
fn records_of_several_targets_name_them() {
    let responder = Responder::on_loopback();
    let far = responder.at;
    let line = format!("sender {far} --paths 2 -c 1 -i 10ms --timeout 20 --dscp ef");
    let csv = run(&format!("{line} --output csv --label site=x")).stdout;
    let heading = csv.lines().next().unwrap();
    assert!(
        heading.ends_with(",fate,session,target_name,target_address,class,path,site"),
        "{csv}"
    );
    let row = format!(",received,2,{far},{far},ef,2,x");
    assert!(csv.lines().any(|line| line.ends_with(&row)), "{csv}");
    let refused = run(&format!("{line} --output csv --label path=x"));
    assert_eq!(refused.status, 2, "{}", refused.stderr);

    let lines = run(&format!("{line} --output jsonl")).stdout;
    let record: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(record["target"]["name"], far.to_string());
    assert_eq!(record["class"], "ef");
    assert_eq!(record["path"], record["session"]);

    let metrics = run(&format!("{line} --output prometheus")).stdout;
    let target = format!("target=\"{far}\",path=\"2\"}} 0");
    let lost = metrics
        .lines()
        .filter(|line| line.contains("packets_lost{"));
    assert_eq!(lost.filter(|line| line.ends_with(&target)).count(), 1);
}

#[test]
fn a_run_of_one_target_has_the_records_that_it_always_had() {
    let responder = Responder::on_loopback();
    let far = responder.at;
    let line = format!("sender {far} -c 1 -i 10ms --timeout 20 --dscp ef,be");
    let csv = run(&format!("{line} --output csv --label path=x")).stdout;
    let heading = csv.lines().next().unwrap();
    assert!(heading.ends_with(",fate,session,path"), "{csv}");
    let metrics = run(&format!("{line} --output prometheus")).stdout;
    assert!(!metrics.contains("target="), "{metrics}");
}

#[cfg(feature = "report")]
#[test]
fn a_saved_run_of_many_targets_is_reported_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("run.parquet");
    let responder = Responder::on_loopback();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let line = format!(
        "sender {} --to {} --to no-such-host.invalid --paths 2 -c 3 -i 10ms --timeout 0.2 --save {}",
        responder.at,
        silent.local_addr().unwrap(),
        file.display(),
    );
    let measured = run(&line);
    assert_eq!(measured.status, 1, "{}", measured.stderr);
    let saved = run(&format!("report {}", file.display()));
    assert_eq!(saved.stdout, measured.stdout);
    let saved = run(&format!("report {} --json", file.display()));
    let document = document(&saved);
    assert_eq!(document["failed"][0]["target"], "no-such-host.invalid");
    let paths: Vec<&Value> = sessions(&document)
        .iter()
        .map(|session| &session["path"])
        .collect();
    assert_eq!(paths, [1, 2, 1, 2]);
}

#[test]
fn the_only_one_of_several_classes_that_can_begin_is_still_named_in_records() {
    let responder = Responder::on_loopback();
    // Of two consecutive ports the second is taken.
    let (free, _taken, port) = loop {
        let (free, port) = taken_port();
        if let Ok(taken) = UdpSocket::bind(("127.0.0.1", port + 1)) {
            break (free, taken, port);
        }
    };
    drop(free);
    let line = format!(
        "sender {} 127.0.0.1:{port} --dscp be,ef -c 2 -i 10 -q",
        responder.at
    );
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("run.parquet");
    let csv = run(&format!("{line} --output csv --save {}", file.display()));
    assert_eq!(csv.status, 1, "{}", csv.stderr);
    let why = "the port is in use (1 of its 2 sessions); choose another port, ";
    assert!(csv.stderr.contains(why), "{}", csv.stderr);
    let read = run(&format!("report {} --output csv", file.display()));
    for csv in [csv, read] {
        let rows: Vec<&str> = csv.stdout.lines().collect();
        assert!(rows[0].ends_with(",fate,session"), "{rows:?}");
        assert!(rows[1].ends_with(",received,1"), "{rows:?}");
    }
    let jsonl = run(&format!("{line} --output jsonl"));
    assert!(jsonl.stdout.contains(",\"session\":1}"), "{}", jsonl.stdout);
}
