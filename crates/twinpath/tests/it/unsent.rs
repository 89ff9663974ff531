//! Packets that this host could not send: the loss and the availability of such a run are unknown.

use std::time::Duration;

use serde_json::Value;

use crate::hosts::{Hosts, ip};
use crate::program::{Done, Responder, Running, run};

/// What all outputs of a run with unsent packets agree on.
fn is_incomplete(done: &Done, what: &str) -> Value {
    assert_eq!(done.status, 1, "{what}: {}{}", done.stdout, done.stderr);
    let session = done.session();
    let packets = &session["packets"];
    for key in ["loss_ratio", "loss_ratio_forward", "loss_ratio_backward"] {
        assert_eq!(packets[key], Value::Null, "{what}: {packets}");
    }
    assert_eq!(session["availability"]["ratio"], Value::Null, "{what}");
    assert_eq!(session["voice"], Value::Null, "{what}");
    assert_eq!(
        session["registry"]["packets.loss_ratio"],
        Value::Null,
        "{what}"
    );
    let said = done
        .stderr
        .lines()
        .filter(|line| line.contains("packets could not be sent") && line.contains("are unknown"));
    // Once, or of two sessions once each where their counts differ.
    assert!((1..=2).contains(&said.count()), "{what}: {}", done.stderr);
    session
}

/// Runs `line` on the near host while the network there is taken away by one `ip` line and given back by
/// others later: once the sender has printed `begun`, or else has a socket.
fn disturbed(hosts: &Hosts, line: &str, begun: Option<&str>, away: &str, back: &[&str]) -> Done {
    let mut run = hosts.start(line);
    let before = if let Some(part) = begun {
        run.wait_for(part)
    } else {
        hosts.wait_for_socket();
        String::new()
    };
    ip(&format!("-n {} {away}", hosts.near)).unwrap();
    std::thread::sleep(Duration::from_millis(2_500));
    for line in back {
        ip(&format!("-n {} {line}", hosts.near)).unwrap();
    }
    let mut done = run.finish();
    done.stdout.insert_str(0, &before);
    done
}

#[test]
fn a_link_that_is_down_makes_loss_and_availability_unknown_and_the_exit_status_1() {
    let (down, up) = ("link set v0 down", ["link set v0 up"]);
    let route = "route del 10.98.0.0/24 dev v0";
    let back = ["route add 10.98.0.0/24 dev v0"];
    std::thread::scope(|scope| {
        for case in [
            ("10.98.0.2", down, &up[..], ""),
            // In the start delay: the first packets cannot be sent.
            ("10.98.0.2", down, &up[..], "--start-delay 1"),
            ("10.98.0.2", down, &[][..], ""),
            ("10.98.0.2", route, &back[..], ""),
            ("[fd98::2]", down, &up[..], ""),
            ("[fd98::2]", "-6 route del fd98::/64 dev v0", &[][..], ""),
        ] {
            scope.spawn(move || taken_away(case));
        }
    });
}

type Case<'a> = (&'a str, &'a str, &'a [&'a str], &'a str);

fn taken_away((far, away, back, options): Case<'_>) {
    let Some(hosts) = Hosts::new() else { return };
    let _responder = hosts.responder(":20001");
    // The addresses of a link that is down are gone, unless they are to stay.
    ip(&format!(
        "netns exec {} sysctl -qw net.ipv6.conf.v0.keep_addr_on_down=1",
        hosts.near
    ))
    .unwrap();
    let line = format!("sender {far} -c 50 -i 100 --timeout 0.5 {options} --output jsonl");
    // Some packets are answered before.
    let begun = options.is_empty().then_some("\"seq\":12,");
    let done = disturbed(&hosts, &line, begun, away, back);
    let what = format!("{far} {away:?} {options}");
    let session = is_incomplete(&done, &what);
    let count = |key: &str| session["packets"][key].as_u64().unwrap();
    assert_eq!(count("sent") + count("unsent"), 50, "{what}");
    assert!(count("unsent") >= 10, "{what}: {}", session["packets"]);
    assert_eq!(count("unsent"), count("send_errors"), "{what}");
    let blocks = &session["availability"];
    assert!(blocks["unmeasured_blocks"].as_u64() >= Some(1), "{blocks}");
    assert!(blocks["blocks"].as_u64() >= Some(1), "{blocks}");
}

#[cfg(feature = "report")]
#[test]
fn a_saved_run_with_unsent_packets_says_the_same_again_merged_or_in_text() {
    let Some(hosts) = Hosts::new() else { return };
    let directory = tempfile::tempdir().unwrap();
    let [broken, whole, page] = ["broken.parquet", "whole.parquet", "page.html"]
        .map(|name| directory.path().join(name).display().to_string());
    let _responder = hosts.responder(":20001");
    let save = format!("-c 50 -i 100 --timeout 0.5 --report-interval 1 --save {broken}");
    let done = disturbed(
        &hosts,
        &format!("sender 10.98.0.2 --dscp be,ef {save}"),
        Some("From (UTC)"),
        "link set v0 down",
        &["link set v0 up"],
    );
    assert_eq!(done.status, 1, "{}{}", done.stdout, done.stderr);
    let ends = done.stderr.lines().last().unwrap();
    assert!(
        ends.starts_with("twinpath: 2 of 2 sessions were measured incompletely; be: "),
        "{ends}"
    );
    // Rows in which nothing or not all was sent, the table, its lines, and classes side by side.
    let text = &done.stdout;
    assert!(text.contains("\nLoss             unknown: "), "{text}");
    assert!(text.contains("\nAvailability     unknown: "), "{text}");
    let unknown = text.matches(" unknown").count();
    assert!(unknown >= 2 * 2 + 2 * 3 + 2 * 3, "{unknown}: {text}");
    assert!(
        !text.contains("0%  suspect: few packets, not sent"),
        "{text}"
    );
    let again = run(&format!("report {broken} --json"));
    let session = is_incomplete(&again, "again");
    assert_eq!(
        session["notes"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|note| note["key"] == "incompletely-measured")
            .count(),
        1
    );
    let done = hosts.run(&format!("sender 10.98.0.2 -c 400 -i 1 --save {whole} -q"));
    assert_eq!(done.status, 0, "{}", done.stderr);
    // What is added makes no denominator whole.
    let merged = run(&format!("report --merge {broken} {whole} --json"));
    let session = is_incomplete(&merged, "merged");
    assert_eq!(
        session["packets"]["sent"].as_u64().unwrap()
            + session["packets"]["unsent"].as_u64().unwrap(),
        500
    );
    if cfg!(feature = "pictures") {
        let drawn = run(&format!("report {broken} --html {page}"));
        assert_eq!(drawn.status, 1, "{}", drawn.stderr);
        let page = std::fs::read_to_string(&page).unwrap();
        assert!(page.contains("loss unknown"), "in the heading of the chart");
        assert!(page.contains("Could not be sent"), "in the table");
        assert!(page.contains("nothing sent"), "hatched, and in the key");
    }
}

/// Gives the far host addresses that nothing there answers for: neither ARP nor neighbour discovery
/// finds them.
fn hide(hosts: &Hosts) {
    for line in [
        format!(
            "netns exec {} sysctl -qw net.ipv4.conf.v1.arp_ignore=1",
            hosts.far
        ),
        format!("-n {} addr add 10.98.0.9/32 dev lo", hosts.far),
        format!("-n {} addr add fd98::9/128 dev lo", hosts.far),
    ] {
        ip(&line).unwrap();
    }
}

/// Tells the near host where it finds that address.
fn resolve(hosts: &Hosts, far: &str) {
    let link = ip(&format!("-n {} -o link show v1", hosts.far)).unwrap();
    let mut words = link
        .split_whitespace()
        .skip_while(|word| *word != "link/ether");
    let mac = words.nth(1).unwrap();
    let entry = format!("{far} lladdr {mac} dev v0 nud permanent");
    ip(&format!("-n {} neigh replace {entry}", hosts.near)).unwrap();
}

#[test]
fn packets_that_wait_for_the_neighbour_s_address_are_no_gap_in_the_measurement() {
    std::thread::scope(|scope| {
        for case in [
            ("10.98.0.9", "-c 8 -i 150"),
            ("fd98::9", "-c 8 -i 150"),
            ("fd98::9", "-c 35 -i 100"),
            ("10.98.0.9", "--duration 3 -i 200"),
        ] {
            scope.spawn(move || waited(case));
        }
    });
}

fn waited((far, limit): (&str, &str)) {
    let Some(hosts) = Hosts::new() else { return };
    let what = format!("{far} {limit}");
    let _responder = hosts.responder(":20001");
    hide(&hosts);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("run.parquet").display().to_string();
    let save = if cfg!(feature = "report") {
        format!("--save {file}")
    } else {
        String::new()
    };
    let line = format!("sender {far} {limit} --timeout 4 --json {save}");
    let run = hosts.start(&line);
    hosts.wait_for_socket();
    std::thread::sleep(Duration::from_millis(1_500));
    resolve(&hosts, far);
    let done = run.finish();
    let session = done.session();
    if session["packets"]["slots_skipped"] != 0 {
        eprintln!("skipped: this machine was too slow to send at the times that were due");
        return;
    }
    let mut sources = vec![done];
    if cfg!(feature = "report") {
        sources.push(self::run(&format!("report {file} --json")));
        sources.push(self::run(&format!("report --merge {file} {file} --json")));
    }
    for done in sources {
        assert_eq!(done.status, 0, "{what}: {}", done.stderr);
        let session = done.session();
        let packets = &session["packets"];
        assert_eq!(packets["received"], packets["sent"], "{what}: {packets}");
        assert_eq!(packets["loss_ratio"], 0.0, "{what}");
        assert_eq!(session["availability"]["ratio"], 1.0, "{what}");
        assert_eq!(session["availability"]["unmeasured_blocks"], 0, "{what}");
        assert!(!done.stderr.contains("unknown"), "{what}: {}", done.stderr);
        let notes = session["notes"].as_array().unwrap();
        let said = |key: &str| notes.iter().any(|note| note["key"] == key);
        assert!(said("first-packets-waited"), "{what}: {notes:?}");
        assert!(!said("own-wait"), "{what}: {notes:?}");
    }
    // Most of the second that it was measured for passed before the first packet left.
    assert!(
        session["departure"]["max_ns"].as_i64() > Some(1_000_000_000),
        "{what}"
    );
}

#[test]
fn a_sender_that_was_stopped_for_a_while_did_not_measure_that_while() {
    let responder = Responder::on_loopback();
    for limit in ["--duration 6", "-c 60"] {
        let line = format!(
            "sender {} {limit} -i 100 --timeout 0.3 --output jsonl",
            responder.at
        );
        let mut run = Running::start(&line);
        run.wait_for("\"seq\":12,");
        run.signal(&["STOP"]);
        std::thread::sleep(Duration::from_secs(3));
        run.signal(&["CONT"]);
        let done = run.finish();
        assert_eq!(done.status, 1, "{limit}: {}{}", done.stdout, done.stderr);
        let session = done.session();
        assert_eq!(session["packets"]["loss_ratio"], Value::Null, "{limit}");
        let blocks = &session["availability"];
        assert_eq!(blocks["ratio"], Value::Null, "{limit}");
        assert!(blocks["unmeasured_blocks"].as_u64() >= Some(1), "{blocks}");
        let count = |key: &str| session["packets"][key].as_u64().unwrap();
        // A count is reached all the same, later; a duration is not made longer.
        let unsent = if limit == "-c 60" {
            0
        } else {
            count("slots_skipped")
        };
        assert_eq!(count("unsent"), unsent, "{limit}: {}", session["packets"]);
        assert!(count("slots_skipped") > 0, "{limit}");
    }
}

#[test]
fn a_few_packets_refused_are_a_warning_and_the_loss_stays_known() {
    let Some(hosts) = Hosts::new() else { return };
    let _responder = hosts.responder(":20001");
    let line = "sender 10.98.0.2 -c 4000 -i 1 --timeout 0.5 --json";
    let mut run = hosts.start(&line.replace("--json", "--output jsonl"));
    run.wait_for("\"received\"");
    // A route that refuses, and its end, in one go.
    let script = "route add unreachable 10.98.0.2/32\nroute del unreachable 10.98.0.2/32\n";
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), script).unwrap();
    ip(&format!(
        "-n {} -batch {}",
        hosts.near,
        file.path().display()
    ))
    .unwrap();
    let done = run.finish();
    let session = done.session();
    let unsent = session["packets"]["unsent"].as_u64().unwrap();
    if unsent >= 40 {
        eprintln!("skipped: this machine was too slow to take a route away for a moment only");
        return;
    }
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert_eq!(session["packets"]["loss_ratio"], 0.0, "{session}");
    assert_eq!(session["availability"]["ratio"], 1.0, "{session}");
    let warned = done.stderr.contains(" did not leave this host");
    assert_eq!(warned, unsent > 0, "{}", done.stderr);
}
