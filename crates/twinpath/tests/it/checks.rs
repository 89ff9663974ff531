//! `twinpath check` as a monitoring system runs it: a line on stdout, nothing on stderr, a state.

mod endings;

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::far_end::FarEnd;
use crate::hosts::{Hosts, ip};
use crate::program::{Done, Responder, Running, finish, free_port, run, taken_port, twinpath};
use crate::responders::last_words;

const STATES: [&str; 4] = ["OK", "WARNING", "CRITICAL", "UNKNOWN"];

/// What a check said behind its state, without performance data, and that.
fn said(done: &Done, state: &str) -> (String, String) {
    let line = done.stdout.lines().next().unwrap_or_default().to_owned();
    let by_status = usize::try_from(done.status)
        .ok()
        .and_then(|status| STATES.get(status));
    assert_eq!(by_status, Some(&state), "{line}{}", done.stderr);
    let rest = line.strip_prefix(&format!("TWINPATH {state} - "));
    let rest = rest.unwrap_or_else(|| panic!("not {state}: {line}"));
    let (text, perfdata) = rest.split_once(" | ").unwrap_or((rest, ""));
    assert!(!perfdata.contains('|'), "{line}");
    (text.to_owned(), perfdata.to_owned())
}

/// The same of a run without details, which is one line that fits.
fn checked(line: &str, state: &str) -> (String, String) {
    let done = run(&format!("check {line}"));
    assert_eq!(done.stdout.lines().count(), 1, "{line}: {}", done.stdout);
    assert_eq!(done.stderr, "", "{line}");
    let (text, perfdata) = said(&done, state);
    let columns = format!("TWINPATH {state} - {text}").chars().count();
    // Bad usage is said in full.
    assert!(columns <= 80 || state == "UNKNOWN", "{text}");
    (text, perfdata)
}

/// Short enough for a test.
const SHORT: &str = "-c 10 -i 5 --timeout 0.5";

#[test]
fn figures_within_their_ranges_are_ok_and_have_performance_data() {
    let responder = Responder::on_loopback();
    let far = responder.at;
    let lists = "--warn rtt_p95=30s,loss=1% --crit rtt_p95=60s,loss=5%";
    let (text, perfdata) = checked(&format!("{far} {SHORT} {lists}"), "OK");
    assert!(
        text.starts_with("round trip p95 ") && text.ends_with(", loss 0 %"),
        "{text}"
    );
    let (delay, loss) = perfdata.split_once(' ').unwrap();
    assert!(
        delay.starts_with("rtt_p95=0.") && delay.ends_with("s;30;60;0"),
        "{perfdata}"
    );
    assert_eq!(loss, "loss=0%;1;5;0;100");
    let (text, perfdata) = checked(&format!("{far} {SHORT}"), "OK");
    assert!(text.starts_with("loss 0 %, round trip median "), "{text}");
    assert!(
        perfdata.starts_with("loss=0%;;;0;100 rtt_median="),
        "{perfdata}"
    );
    // Both ends are on one host, and so is their clock.
    let lists = "--warn forward.p99=30s,voice.forward.mos=1:,duplicates=0,packets.sent=10:10";
    let (text, perfdata) = checked(&format!("{far} {SHORT} {lists}"), "OK");
    assert!(perfdata.ends_with("packets.sent=10;10:10;;0"), "{perfdata}");
    assert!(text.starts_with("outbound p99 "), "{text}");
    let stamp = format!("{far} --stamp --ssid 7 {SHORT} --warn loss=0");
    assert_eq!(checked(&stamp, "OK").0, "loss 0 %");
}

#[test]
fn figures_beyond_their_ranges_are_warning_or_critical_and_said_first() {
    let responder = Responder::on_loopback();
    let far = responder.at;
    let lists = "--warn loss=1%,rtt_p95=1ns --crit rtt_p95=60s";
    let (text, _) = checked(&format!("{far} {SHORT} {lists}"), "WARNING");
    assert!(
        text.starts_with("round trip p95 ") && text.contains(" (> 0.001 us), loss"),
        "{text}"
    );
    let lists = "--warn rtt_p95=1ns --crit rtt_p95=2ns";
    let (text, _) = checked(&format!("{far} {SHORT} {lists}"), "CRITICAL");
    assert!(text.contains("(> 0.002 us)"), "{text}");
    let (text, _) = checked(
        &format!("{far} {SHORT} --crit voice.forward.mos=4.5:"),
        "CRITICAL",
    );
    assert!(
        text.contains("MOS 4.") && text.contains("(< 4.5)"),
        "{text}"
    );
    let (text, _) = checked(&format!("{far} {SHORT} --warn sent=@10:20"), "WARNING");
    assert_eq!(text, "sent 10 (within 10 to 20)");
}

#[test]
fn lost_packets_are_judged_by_their_share_and_as_infinite_delays() {
    // Numbers 0, 5, 10, 15: a fifth.
    let far = FarEnd::losing(5);
    let run = |lists: &str, state: &str| {
        checked(
            &format!("{} -c 20 -i 3 --timeout 0.5 {lists}", far.at),
            state,
        )
    };
    let (text, perfdata) = run("--warn loss=20%", "OK");
    assert_eq!((&*text, &*perfdata), ("loss 20 %", "loss=20%;20;;0;100"));
    assert_eq!(
        run("--warn loss=19.9%", "WARNING").0,
        "loss 20 % (> 19.9 %)"
    );
    assert_eq!(
        run("--warn loss=5% --crit loss=10%", "CRITICAL").0,
        "loss 20 % (> 10 %)"
    );
    let with_loss = "percentiles_with_loss.round_trip";
    let (text, perfdata) = run(&format!("--crit {with_loss}.p95=30s"), "CRITICAL");
    assert!(text.contains("p95 infinite (> 30 s)"), "{text}");
    assert_eq!(perfdata, "");
    run(&format!("--crit {with_loss}.median=30s"), "OK");
    // The reflector copies the numbers, so losses have no direction.
    let (text, _) = run("--warn loss_forward=1%", "UNKNOWN");
    assert_eq!(text, "loss outbound unknown: losses have no direction");
    let (text, _) = run("--warn loss_forward=1% --crit loss=1%", "CRITICAL");
    assert!(text.starts_with("loss 20 % (> 1 %)"), "{text}");
}

#[test]
fn all_packets_lost_is_critical_whatever_the_lists_say() {
    let (_silent, port) = taken_port();
    let closed = free_port();
    let refused = format!("UDP port {closed} unreachable");
    for (port, why) in [(port, "nothing came back"), (closed, &refused)] {
        for lists in [
            "",
            "--crit loss=100%",
            "--warn loss=~:",
            "--warn sent=1:,rtt_p95=1s",
        ] {
            let line = format!("127.0.0.1:{port} -c 3 -i 5 --timeout 0.2 {lists}");
            let (text, _) = checked(&line, "CRITICAL");
            assert_eq!(text, format!("all 3 packets lost, {why}"));
        }
    }
}

#[test]
fn packets_that_want_no_reply_are_not_lost() {
    let responder = Responder::on_loopback();
    let line = format!(
        "{} {SHORT} --stamp --tlv return-path=no-reply --crit loss=1%",
        responder.at
    );
    let (text, _) = checked(&line, "UNKNOWN");
    assert!(text.starts_with("no reply is wanted: "), "{text}");
}

#[test]
fn what_could_not_be_measured_is_unknown() {
    let responder = Responder::on_loopback();
    let far = responder.at;
    let port = free_port();
    for (line, part) in [
        (
            "no-such-host.invalid".to_owned(),
            "cannot resolve no-such-host.invalid",
        ),
        (format!("{far} --interface nowhere0"), "nowhere0"),
        (
            format!("{far} -c 1000 -i 1s"),
            "--deadline 50 s is too short; use a smaller --count",
        ),
        (
            format!("{far} -c 10 -i 100 --deadline 2s"),
            "and 1 s is left for start and report: --deadline 2 s is too short; use a smaller --count or --interval, or --deadline 3s",
        ),
        (format!("{far} -c inf"), "a check has to end: use --count N"),
        (format!("{far} --near 203.0.113.7"), "203.0.113.7"),
        (
            "--targets /no/such/file".to_owned(),
            "cannot read /no/such/file",
        ),
        (
            format!("{far} --warn lss=1%"),
            "no figure is called lss: use loss, lost or late",
        ),
        (
            format!("{far} --warn loss=1"),
            "1 has no unit: use 1% for a share",
        ),
        (
            format!("{far} --crit rtt_p95=fast"),
            "not a range: use 50ms (alert above it)",
        ),
        (format!("{far} --dscp nonsense"), "--dscp nonsense"),
        (
            format!("{far} --json"),
            "--json is an option of sender, not of check",
        ),
        (String::new(), "FAR[:PORT] is missing"),
        ("fe80::1".to_owned(), "give the interface too"),
        (format!("127.0.0.1:{port} --control"), "connection refused"),
        (format!("{far} --key-id a"), "need --control: add it"),
        (format!("{far} --control --to {far}"), "exclude each other"),
    ] {
        if cfg!(not(feature = "control")) && line.contains("--control") {
            continue;
        }
        let (text, perfdata) = checked(&line, "UNKNOWN");
        assert!(text.contains(part), "{line}: {text}");
        assert_eq!(perfdata, "", "{line}");
    }
}

#[test]
fn a_host_without_a_route_is_unknown_and_one_way_figures_of_two_clocks_are_too() {
    let Some(hosts) = Hosts::new() else { return };
    let done = hosts.run("check 192.0.2.1 --warn loss=1%");
    assert_eq!(done.stderr, "");
    let (text, _) = said(&done, "UNKNOWN");
    assert!(text.contains("no route to 192.0.2.1:20001"), "{text}");
    // The far host's clock is not known to be this one's.
    let _responder = hosts.responder(":20001");
    let line = format!("check 10.98.0.2 {SHORT} --warn forward.p95=30s,forward.pdv_p99=30s");
    let done = hosts.run(&line);
    if done.status == 0 {
        println!("skipped in part: this host's clock is synchronized");
    } else {
        let (text, perfdata) = said(&done, "UNKNOWN");
        assert!(
            text.starts_with("outbound p95 unknown: clocks not synchronized"),
            "{text}"
        );
        assert!(perfdata.starts_with("forward.pdv_p99="), "{perfdata}");
    }
    let done = hosts.run(&format!("{line} --crit rtt_p95=1ns"));
    said(&done, "CRITICAL");
}

#[test]
fn half_of_the_packets_dropped_by_a_link_are_judged() {
    let Some(hosts) = Hosts::new() else { return };
    let _responder = hosts.responder(":20001");
    let netem = format!(
        "netns exec {} tc qdisc add dev v0 root netem loss 100%",
        hosts.near
    );
    let line = format!("check 10.98.0.2 {SHORT} --warn loss=1%");
    said(&hosts.run(&line), "OK");
    if let Err(why) = ip(&netem) {
        println!("skipped in part: no netem here ({why})");
        return;
    }
    let (text, _) = said(&hosts.run(&line), "CRITICAL");
    assert!(text.starts_with("all 10 packets lost"), "{text}");
}

#[test]
fn of_several_targets_the_worst_state_wins_and_the_failing_are_named_first() {
    let responder = Responder::on_loopback();
    let far = responder.at;
    let closed = free_port();
    let lossy = FarEnd::losing(2);
    let directory = tempfile::tempdir().unwrap();
    let file = |lines: &str| {
        let path = directory.path().join("targets");
        std::fs::write(&path, lines).unwrap();
        format!("--targets {} {SHORT}", path.display())
    };
    let line = file(&format!("{far} good\n{} half\n", lossy.at));
    let (text, perfdata) = checked(&format!("{line} --warn loss=60%"), "OK");
    assert_eq!(text, "2 targets, loss 0 % to 50 %");
    assert_eq!(
        perfdata,
        "'good loss'=0%;60;;0;100 'half loss'=50%;60;;0;100"
    );
    let (text, _) = checked(&format!("{line} --warn loss=1%"), "WARNING");
    assert_eq!(text, "1 of 2 targets: half loss 50 % (> 1 %)");
    let line = file(&format!(
        "{far} good\n{} half\n127.0.0.1:{closed} gone\nno.invalid\n",
        lossy.at
    ));
    let (text, _) = checked(&format!("{line} --warn loss=1%"), "CRITICAL");
    assert!(
        text.starts_with("3 of 4 targets: gone all 10 packets lost; "),
        "{text}"
    );
    // Why, where there is room for it; and what to do about it, once for all that are like it.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap();
    let line = file(&format!("{far} good\n{silent} mute\n"));
    let (text, _) = checked(&line, "CRITICAL");
    assert_eq!(
        text,
        "1 of 2 targets: mute all 10 packets lost, nothing came back"
    );
    let line = file(&format!(
        "{far} good\n127.0.0.1:{closed} gone\n127.0.0.2:{closed} gone-too\n"
    ));
    let done = run(&format!("check {line} -v"));
    let details = done.stdout.replace("\n  ", " ");
    let why = format!("warning: nothing listens on UDP port {closed} of 127.0.0.1: start a");
    assert_eq!(details.matches(&why).count(), 1, "{details}");
    assert!(details.contains("(2 sessions)\n"), "{details}");
    let line = file(&format!("{far} good\nno.invalid nowhere\n"));
    let (text, _) = checked(&format!("{line} --warn loss=1%"), "UNKNOWN");
    assert_eq!(text, "1 of 2 targets: nowhere cannot resolve no.invalid");
    let done = run(&format!("check {line} --warn loss=1% -v"));
    said(&done, "UNKNOWN");
    let details: Vec<&str> = done.stdout.lines().skip(1).collect();
    assert!(details[0].starts_with("UNKNOWN nowhere: "), "{details:?}");
    assert_eq!(details.last(), Some(&"OK good: loss 0 %"));
    assert!(
        done.stderr.contains("nowhere not measured"),
        "{}",
        done.stderr
    );
    let (text, _) = checked(
        &format!(
            "{far} --to {} {SHORT} --dscp be,ef --warn loss=60%",
            lossy.at
        ),
        "OK",
    );
    assert_eq!(text, "4 sessions, loss 0 % to 50 %");
}

#[test]
fn the_output_of_many_targets_is_bounded() {
    let responder = Responder::start("0.0.0.0:0");
    let port = responder.at.port();
    let mut targets = String::new();
    for number in 1..=300 {
        let port = if number % 3 == 0 { free_port() } else { port };
        writeln!(
            targets,
            "127.7.{}.{}:{port} site-{number}",
            number / 250,
            number % 250 + 1
        )
        .unwrap();
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("targets");
    std::fs::write(&path, targets).unwrap();
    let line = format!(
        "--targets {} -c 2 -i 200 --timeout 5 --warn loss=1%,rtt_p95=30s",
        path.display()
    );
    let (text, perfdata) = checked(&line, "CRITICAL");
    assert_eq!(
        text,
        "100 of 300 targets: site-3 all 2 packets lost; 99 more"
    );
    assert!(
        perfdata.starts_with("critical=100;;;0;300 warning=0;;;0;300 unknown=0;"),
        "{perfdata}"
    );
    assert!(
        perfdata.contains(" loss_min=0%;1;;0;100 loss_max=100%;1;;0;100 rtt_p95_min="),
        "{perfdata}"
    );
    let done = run(&format!("check {line} -v"));
    assert!(
        done.stdout.lines().count() < 250 && done.stdout.len() < 16_000,
        "{}",
        done.stdout.len()
    );
    assert!(
        done.stdout.contains("\n200 more, none of them worse\n"),
        "{}",
        done.stdout
    );
}

#[test]
fn details_follow_the_line_and_remarks_follow_them() {
    let responder = Responder::on_loopback();
    let line = format!(
        "check {} {SHORT} --warn rtt_p95=30s -v --fill zero --padding 0",
        responder.at
    );
    let done = run(&line);
    let (_, perfdata) = said(&done, "OK");
    assert!(perfdata.starts_with("rtt_p95="), "{perfdata}");
    let details: Vec<&str> = done.stdout.lines().skip(1).collect();
    assert!(
        details[0].starts_with("TWAMP Light from 127.0.0.1:"),
        "{details:?}"
    );
    assert!(
        details
            .iter()
            .any(|line| line.contains("; warning above 30 s")),
        "{details:?}"
    );
    assert!(
        details.iter().all(|line| line.chars().count() <= 80),
        "{details:?}"
    );
    assert!(
        done.stderr.contains("--fill has no padding to fill"),
        "{}",
        done.stderr
    );
    // Where both are one stream, as for Icinga 2.
    let mut command = std::process::Command::new("sh");
    let program = env!("CARGO_BIN_EXE_twinpath");
    command
        .args(["-c", &format!("{program} {line} 2>&1")])
        .stdin(Stdio::null());
    let done = finish(command);
    assert!(done.stdout.starts_with("TWINPATH OK - "), "{}", done.stdout);
    assert!(
        done.stdout
            .trim_end()
            .lines()
            .last()
            .unwrap()
            .starts_with("note: "),
        "{}",
        done.stdout
    );
}

#[cfg(feature = "control")]
#[test]
fn a_controlled_check_negotiates_its_sessions() {
    let server = Responder::server("");
    let line = format!("{} 127.0.0.1:0 --control {SHORT} --warn loss=1%", server.at);
    assert_eq!(checked(&line, "OK").0, "loss 0 %");
    let done = run(&format!("check {line} -v"));
    assert!(
        done.stdout.contains("\nTWAMP from 127.0.0.1:"),
        "{}",
        done.stdout
    );
    let refusing = Responder::server("--max-sessions 1");
    let line = format!(
        "{} 127.0.0.1:0 --control {SHORT} --dscp be,ef --warn loss=1%",
        refusing.at
    );
    let (text, _) = checked(&line, "UNKNOWN");
    assert!(
        text.starts_with("1 of 2 sessions: ") && text.contains("refused (Accept "),
        "{text}"
    );
    let none = Responder::server("--max-sessions 0");
    let line = format!("{} 127.0.0.1:0 --control {SHORT}", none.at);
    let (text, _) = checked(&line, "UNKNOWN");
    assert!(text.contains(" refuses the session "), "{text}");
}

#[test]
fn lists_of_which_one_is_never_reached_are_bad_usage() {
    let responder = Responder::start("127.0.0.1:0 --json");
    let line = format!(
        "{} {SHORT} --warn rtt_p95=50ms --crit rtt_p95=20ms",
        responder.at
    );
    let (text, _) = checked(&line, "UNKNOWN");
    assert!(
        text.starts_with("--warn rtt_p95=50ms is never reached: "),
        "{text}"
    );
    assert_eq!(last_words(responder)["reflected"], 0, "nothing is sent");
}

#[test]
fn details_have_all_of_what_the_first_line_has_no_room_for() {
    let name = "no-such-host-of-this-name-or-of-any-other.invalid";
    let directory = tempfile::tempdir().unwrap();
    let targets = directory.path().join("targets");
    std::fs::write(&targets, format!("{name}\n")).unwrap();
    for line in [name.to_owned(), format!("--targets {}", targets.display())] {
        let done = run(&format!("check {line} {SHORT} -v"));
        let (text, _) = said(&done, "UNKNOWN");
        assert!(text.ends_with('…'), "{text}");
        let (_, details) = done.stdout.split_once('\n').unwrap();
        let details = details.replace("\n  ", " ");
        let remedy = "check the name, or give the address";
        assert!(details.contains(remedy), "{line}: {}", done.stdout);
    }
}
