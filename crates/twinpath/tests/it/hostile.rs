//! What others on the network can do to a run: forged ICMP errors, and packets that are not for one
//! host alone.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Command;

use crate::hosts::{Hosts, ip};
use crate::program::{Done, Running, finish, twinpath};
use crate::wire::dissected_during;

/// Sends a forged ICMP error "packet too big" about the flow from `source` to `destination`, with
/// nothing of the packet but its headers.
const TOO_BIG: &str = r#"
import socket, struct, sys
source, sport, destination, dport = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
def checksum(octets):
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff
udp = struct.pack("!HHHH", sport, dport, 1422, 0)
if ":" in source:
    inner = struct.pack("!IHBB", 6 << 28, 1422, 17, 64)
    inner += socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, destination)
    out = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    message = struct.pack("!BBHI", 2, 0, 0, 1280) + inner + udp
else:
    inner = struct.pack("!BBHHHBBH", 0x45, 0, 1442, 1, 0x4000, 64, 17, 0)
    inner += socket.inet_aton(source) + socket.inet_aton(destination)
    out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    message = struct.pack("!BBHI", 3, 4, 0, 576) + inner + udp
    message = message[:2] + struct.pack("!H", checksum(message)) + message[4:]
out.sendto(message, (source, 0))
"#;

/// Runs a Python program on `host`; `None` where there is no Python.
fn python(host: &str, program: &str, arguments: &[&str]) -> Option<Done> {
    let mut command = Command::new("python3");
    command.args(["-c", program]).args(arguments);
    let done = finish(Hosts::on(host, &command));
    if done.stderr.contains("No such file") {
        eprintln!("skipped: no python3 here");
        return None;
    }
    assert_eq!(done.status, 0, "{}", done.stderr);
    Some(done)
}

/// Runs `line` on the near host, and `attack` once it measures. What it came to.
fn attacked(hosts: &Hosts, line: &str, attack: impl FnOnce()) -> Done {
    let command = twinpath(&format!("{line} --output jsonl"));
    let mut run = Running::spawn(Hosts::on(&hosts.near, &command));
    let mut lines = BufReader::new(run.0.stdout.take().unwrap());
    let mut first = String::new();
    lines.read_line(&mut first).unwrap();
    assert!(!first.is_empty(), "{}", run.finish().stderr);
    attack();
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    let mut done = run.finish();
    done.stdout = rest.lines().last().unwrap_or_default().to_owned();
    done
}

/// The packets of a run in both directions are whole, as long as they were asked to be, with and
/// without DF as asked, although both ends are told in mid-run that they are too big for the path.
fn no_forged_error_changes_the_size(v6: bool, sends: &str, reflects: &str, controlled: bool) {
    const COUNT: usize = 100;
    let Some(hosts) = Hosts::new() else { return };
    let (near, far) = if v6 {
        ("fd98::1", "fd98::2")
    } else {
        ("10.98.0.1", "10.98.0.2")
    };
    let role = if controlled {
        "server :862 --test-ports 30600-30600"
    } else {
        "responder :30600"
    };
    let _reflector = hosts.listener(&format!("{role} {reflects}"));
    let bracketed = |ip: &str| if v6 { format!("[{ip}]") } else { ip.to_owned() };
    let run = if controlled {
        let far = bracketed(far);
        format!("controller {far} {near} --receiver-port 30600 --ports 30500-30500")
    } else {
        format!("sender {}:30600 {}:30500", bracketed(far), bracketed(near))
    };
    let line = format!("{run} -c {COUNT} -i 30 --padding 1300 {sends}");
    let filter = ["-f", "udp or ip6 proto 44 or (ip[6:2] & 0x3fff != 0)"];
    let fields = ["ip.flags.df", "ip.flags.mf", "frame.len", "udp.srcport"];
    let mut is_skipped = false;
    let rows = dissected_during(&hosts, 2 * COUNT, &filter, &fields, || {
        let done = attacked(&hosts, &line, || {
            let at_sender = [near, "30500", far, "30600"];
            let at_reflector = [far, "30600", near, "30500"];
            is_skipped = python(&hosts.far, TOO_BIG, &at_sender).is_none()
                || python(&hosts.near, TOO_BIG, &at_reflector).is_none();
        });
        let session = done.session();
        assert_eq!(session["packets"]["sent"], COUNT, "{line}");
        assert_eq!(session["packets"]["received"], COUNT, "{line}");
        // The error came, and is told of.
        let icmp = &session["icmp"][0];
        assert_eq!(icmp["count"], 1, "{line}");
        assert!(icmp["what"].as_str().unwrap().contains("packet too big"));
        if !sends.is_empty() || v6 {
            // This host's kernel believes it.
            let route = ip(&format!("-n {} route get {far}", hosts.near)).unwrap();
            assert!(route.contains("mtu"), "{route}");
        }
    });
    let Some(rows) = rows.filter(|_| !is_skipped) else {
        return;
    };
    let octets = (14 + if v6 { 40 } else { 20 } + 8 + 14 + 1300).to_string();
    assert_eq!(rows.len(), 2 * COUNT, "{line}: {rows:?}");
    for row in &rows {
        let df = if row[3] == "30500" { sends } else { reflects };
        assert_eq!(row[2], octets, "{line}: {row:?}");
        if !v6 {
            let is_set = matches!(row[0].as_str(), "1" | "True");
            assert_eq!(is_set, !df.is_empty(), "{line}: {row:?}");
            assert!(matches!(row[1].as_str(), "0" | "False"), "{line}: {row:?}");
        }
    }
}

const DF: &str = "--do-not-fragment";

#[test]
fn a_forged_fragmentation_needed_changes_no_packet_of_a_run() {
    no_forged_error_changes_the_size(false, "", "", false);
    no_forged_error_changes_the_size(false, DF, DF, false);
}

#[test]
fn a_forged_packet_too_big_changes_no_packet_of_a_run() {
    no_forged_error_changes_the_size(true, "", "", false);
    no_forged_error_changes_the_size(true, DF, DF, false);
}

#[test]
fn a_forged_error_changes_no_packet_of_an_agreed_session() {
    no_forged_error_changes_the_size(false, "", DF, true);
    no_forged_error_changes_the_size(true, DF, "", true);
}

#[test]
fn packets_over_the_interface_s_mtu_leave_in_fragments_unless_df_is_asked_for() {
    let Some(hosts) = Hosts::new() else { return };
    for (host, device) in [(&hosts.near, "v0"), (&hosts.far, "v1")] {
        ip(&format!("-n {host} link set {device} mtu 1400")).unwrap();
    }
    let _responder = hosts.responder(":30600");
    let _server = hosts.listener("server :862 --test-ports 30700-30710");
    for far in ["10.98.0.2", "[fd98::2]"] {
        for portable in ["", "--portable"] {
            let line = format!("sender {far}:30600 --padding 3000 -c 3 -i 5 {portable}");
            let done = hosts.run(&format!("{line} --json"));
            assert_eq!(done.session()["packets"]["received"], 3, "{line}");
            let done = hosts.run(&format!("{line} {DF}"));
            assert_eq!((done.status, done.stdout.as_str()), (1, ""), "{line} {DF}");
            assert!(done.stderr.contains("MTU of 1400"), "{}", done.stderr);
        }
        let line = format!("controller {far} --padding 3000 -c 3 -i 5 --json");
        let done = hosts.run(&line);
        assert_eq!(done.session()["packets"]["received"], 3, "{line}");
    }
}
