//! What others on the network can do to a run: forged ICMP errors, and packets that are not for one
//! host alone.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};

use crate::hosts::{Hosts, ip};
use crate::program::{Done, Running, finish, twinpath};
use crate::wire::dissected_during;

/// Sends forged ICMP errors, "packet too big" or "port unreachable", about the flow from `source` to
/// `destination`, with the octets that are given for those of the packet, once a line on its input says so.
const FORGE: &str = r#"
import socket, struct, sys
source, sport, destination, dport = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
what, octets, times = sys.argv[5], bytes.fromhex(sys.argv[6]), int(sys.argv[7])
v4, v6, info = {"too big": ((3, 4), (2, 0), (576, 1280)), "port": ((3, 3), (1, 4), (0, 0))}[what]
def checksum(octets):
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff
udp = struct.pack("!HHHH", sport, dport, 1422, 0) + octets
if ":" in source:
    inner = struct.pack("!IHBB", 6 << 28, 1422, 17, 64)
    inner += socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, destination)
    out = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    message = struct.pack("!BBHI", *v6, 0, info[1]) + inner + udp
else:
    inner = struct.pack("!BBHHHBBH", 0x45, 0, 1442, 1, 0x4000, 64, 17, 0)
    inner += socket.inet_aton(source) + socket.inet_aton(destination)
    out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    message = struct.pack("!BBHI", *v4, 0, info[0]) + inner + udp
    message = message[:2] + struct.pack("!H", checksum(message)) + message[4:]
print("ready", flush=True)
sys.stdin.readline()
for _ in range(times):
    out.sendto(message, (source, 0))
"#;

/// What forges errors, before it does: on a busy host Python takes longer to begin than a run to end.
struct Forger(Running);

impl Forger {
    /// `None` where there is no Python.
    fn ready(host: &str, arguments: &[&str]) -> Option<Self> {
        if Command::new("python3").arg("--version").output().is_err() {
            eprintln!("skipped: no python3 here");
            return None;
        }
        let mut command = Command::new("python3");
        command.args(["-c", FORGE]).args(arguments);
        let mut command = Hosts::on(host, &command);
        command.stdin(Stdio::piped());
        let mut forger = Running::spawn(command);
        forger.wait_for("ready");
        Some(Self(forger))
    }

    fn strike(mut self) {
        self.0.0.stdin.take().unwrap().write_all(b"\n").unwrap();
        let done = self.0.finish();
        assert_eq!(done.status, 0, "{}", done.stderr);
    }
}

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
/// without DF as asked, although both ends are told during the run that they are too big for the path.
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
    let at_sender = [near, "30500", far, "30600", "too big", "", "1"];
    let at_reflector = [far, "30600", near, "30500", "too big", "", "1"];
    let (Some(one), Some(other)) = (
        Forger::ready(&hosts.far, &at_sender),
        Forger::ready(&hosts.near, &at_reflector),
    ) else {
        return;
    };
    let rows = dissected_during(&hosts, 2 * COUNT, &filter, &fields, || {
        let done = attacked(&hosts, &line, || {
            one.strike();
            other.strike();
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
    let Some(rows) = rows else { return };
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

/// Sends a request to each address from a socket of its own, bound to `sys.argv[1]` and port
/// `sys.argv[2]`, and prints those that answered.
const ASK_ALL: &str = r#"
import socket, struct, sys, time
near, nport, port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
now = time.time()
stamp = struct.pack("!II", (int(now) + 2208988800) & 0xffffffff, int(now % 1 * 2**32))
for number, far in enumerate(sys.argv[4:]):
    family = socket.AF_INET6 if ":" in far else socket.AF_INET
    out = socket.socket(family, socket.SOCK_DGRAM)
    out.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    out.settimeout(30 if far in ("10.98.0.2", "fd98::2") else 0.4)
    if family == socket.AF_INET6:
        out.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex("v0"))
    else:
        out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("10.98.0.1"))
    out.bind((near, nport))
    out.sendto(struct.pack("!I", number) + stamp + b"\x80\x01" + bytes(30), (far, port))
    try:
        out.recvfrom(2000)
        print(far)
    except OSError:
        pass
    out.close()
"#;

const FOR_MANY: [&str; 4] = ["10.98.0.255", "255.255.255.255", "224.0.0.1", "224.0.0.251"];

/// Datagrams that the far host has sent.
pub(crate) fn sent_by(host: &str) -> u64 {
    let mut command = Command::new("cat");
    command.args(["/proc/net/snmp", "/proc/net/snmp6"]);
    let output = Hosts::on(host, &command).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let udp = |row: &&Vec<&str>| row[0] == "Udp:";
    let place = rows.iter().find(udp).unwrap();
    let place = place.iter().position(|name| *name == "OutDatagrams");
    let v4 = rows.iter().filter(udp).nth(1).unwrap()[place.unwrap()];
    let v6 = rows
        .iter()
        .find(|row| row[0] == "Udp6OutDatagrams")
        .unwrap()[1];
    v4.parse::<u64>().unwrap() + v6.parse::<u64>().unwrap()
}

#[test]
fn what_is_sent_to_many_is_never_answered() {
    for options in ["", "--portable", "--portable --threads 2"] {
        let Some(hosts) = Hosts::new() else { return };
        // A group that the host is in, besides the one that every host is in.
        ip(&format!(
            "-n {} addr add 224.0.0.251/32 dev v1 autojoin",
            hosts.far
        ))
        .unwrap();
        let responder = hosts.responder(&format!(":20005 {options} --json"));
        let before = sent_by(&hosts.far);
        let mut asked = vec!["10.98.0.1", "0", "20005", "10.98.0.2"];
        asked.extend(FOR_MANY);
        let Some(done) = python(&hosts.near, ASK_ALL, &asked) else {
            return;
        };
        assert_eq!(done.stdout, "10.98.0.2\n", "{options}");
        let asked = ["::", "0", "20005", "fd98::2", "ff02::1", "ff05::2"];
        let done = python(&hosts.near, ASK_ALL, &asked).unwrap();
        assert_eq!(done.stdout, "fd98::2\n", "{options}");
        assert_eq!(sent_by(&hosts.far) - before, 2, "{options}");
        let did = responder.stop("TERM");
        let did: serde_json::Value = serde_json::from_str(&did.stdout).unwrap();
        assert_eq!(
            (&did["reflected"], &did["send_errors"]),
            (&2.into(), &0.into())
        );
        if options.is_empty() {
            assert!(did["ignored"]["multicast"].as_u64().unwrap() >= 4, "{did}");
        }
    }
}

#[test]
fn an_agreed_session_answers_nothing_that_is_sent_to_many() {
    for options in ["", "--portable"] {
        let Some(hosts) = Hosts::new() else { return };
        let server = hosts.listener(&format!(
            "server :862 --test-ports 30600-30600 {options} --json"
        ));
        let line = "controlclient 10.98.0.1:30500 10.98.0.2 --receiver-port 30600 -v";
        let mut client = Running::spawn(Hosts::on(&hosts.near, &twinpath(line)));
        let mut lines = BufReader::new(client.0.stdout.take().unwrap());
        let mut said = String::new();
        while !said.contains(" started: ") {
            said.clear();
            assert!(lines.read_line(&mut said).unwrap() > 0, "it does not run");
        }
        let mut asked = vec!["10.98.0.1", "30500", "30600", "10.98.0.2"];
        asked.extend(FOR_MANY);
        let before = sent_by(&hosts.far);
        let Some(done) = python(&hosts.near, ASK_ALL, &asked) else {
            return;
        };
        assert_eq!(done.stdout, "10.98.0.2\n", "{options}");
        assert_eq!(sent_by(&hosts.far) - before, 1, "{options}");
        client.signal(&["TERM"]);
        client.ended();
        let did: serde_json::Value = serde_json::from_str(&server.stop("TERM").stdout).unwrap();
        assert_eq!(did["reflected"], 1, "{options}");
    }
}

/// Sends requests with sources that are no single host's.
const SPOOFED: &str = r#"
import socket, struct, sys
out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
far = sys.argv[1]
for source in sys.argv[2:]:
    octets = bytes(3) + b"\1" + bytes(8) + b"\x80\x01" + bytes(30)
    udp = struct.pack("!HHHH", 4321, 20005, 8 + len(octets), 0) + octets
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0)
    out.sendto(head + socket.inet_aton(source) + socket.inet_aton(far) + udp, (far, 0))
"#;

#[test]
fn a_request_that_no_single_host_sent_is_never_answered() {
    for options in ["", "--portable"] {
        let Some(hosts) = Hosts::new() else { return };
        // Nothing but the responder is to refuse them.
        let mut lenient = Command::new("sysctl");
        lenient.args([
            "-qw",
            "net.ipv4.conf.all.rp_filter=0",
            "net.ipv4.conf.v1.rp_filter=0",
        ]);
        assert!(Hosts::on(&hosts.far, &lenient).status().unwrap().success());
        let _responder = hosts.responder(&format!(":20005 {options}"));
        let before = sent_by(&hosts.far);
        let sources = ["10.98.0.2", "10.98.0.255", "255.255.255.255", "224.0.0.9"];
        let Some(_) = python(&hosts.near, SPOOFED, &sources) else {
            return;
        };
        // Behind them a request that is answered.
        let asked = ["10.98.0.1", "0", "20005", "10.98.0.2"];
        let done = python(&hosts.near, ASK_ALL, &asked).unwrap();
        assert_eq!(done.stdout, "10.98.0.2\n", "{options}");
        assert_eq!(sent_by(&hosts.far) - before, 1, "{options}");
    }
}

#[test]
fn addresses_of_many_are_no_address_to_listen_on() {
    let Some(hosts) = Hosts::new() else { return };
    for address in [
        "10.98.0.255",
        "255.255.255.255",
        "224.0.0.1",
        "[ff02::1%v1]",
    ] {
        for options in ["", "--portable"] {
            let line = format!("responder {address}:20005 {options}");
            let command = Hosts::on(&hosts.far, &twinpath(&line));
            let mut refused = Running::spawn(command);
            refused.ended();
            let done = refused.finish();
            assert_ne!(done.status, 0, "{line}");
            assert_eq!(done.stderr.lines().count(), 1, "{line}: {}", done.stderr);
        }
    }
}

/// Plain sockets listen on each address by itself: also on those that come later.
#[test]
fn plain_sockets_answer_on_addresses_that_come_and_go() {
    let Some(hosts) = Hosts::new() else { return };
    let responder = hosts.responder(":20001 --portable");
    let far = &hosts.far;
    ip(&format!("-n {far} addr add 10.98.0.9/24 dev v1")).unwrap();
    ip(&format!("-n {far} addr add fd98::9/64 dev v1 nodad")).unwrap();
    for address in ["10.98.0.9", "fd98::9", "10.98.0.2"] {
        let until = std::time::Instant::now() + std::time::Duration::from_mins(1);
        while hosts
            .run(&format!("sender {address} -c 1 --timeout 0.3"))
            .status
            != 0
        {
            assert!(std::time::Instant::now() < until, "{address}");
        }
    }
    ip(&format!("-n {far} addr del 10.98.0.9/24 dev v1")).unwrap();
    let done = hosts.run("sender 10.98.0.2 -c 3 -i 5 --json");
    assert_eq!(done.session()["packets"]["received"], 3);
    assert_eq!(responder.stop("TERM").status, 0);
}

/// Octets as a test packet begins, of another run.
const ANOTHERS: &str = "00000003eb00000000000000800100000000000000000000";

#[test]
fn icmp_errors_about_packets_that_were_not_sent_are_counted_apart() {
    for (near, far) in [("10.98.0.1", "10.98.0.2"), ("fd98::1", "fd98::2")] {
        let Some(hosts) = Hosts::new() else { return };
        let _responder = hosts.responder(":30600");
        let bracketed = |ip: &str| {
            if ip.contains(':') {
                format!("[{ip}]")
            } else {
                ip.to_owned()
            }
        };
        let (from, to) = (bracketed(near), bracketed(far));
        let line = format!("sender {to}:30600 {from}:30500 -c 100 -i 30");
        let forgers = ["port", "too big"].map(|what| {
            let forged = [near, "30500", far, "30600", what, ANOTHERS, "1"];
            Forger::ready(&hosts.far, &forged)
        });
        let [Some(one), Some(other)] = forgers else {
            return;
        };
        let done = attacked(&hosts, &line, || {
            one.strike();
            other.strike();
        });
        let session = done.session();
        assert_eq!(session["packets"]["received"], 100, "{far}");
        assert_eq!(session["icmp"], serde_json::json!([]), "{far}");
        assert_eq!(session["icmp_foreign"], 2, "{far}");
        let notes = session["notes"].as_array().unwrap();
        assert!(
            notes.iter().any(|note| note["key"] == "icmp-foreign"),
            "{notes:?}"
        );
    }
}

#[test]
fn an_icmp_error_about_a_packet_of_the_run_is_its_own() {
    let Some(hosts) = Hosts::new() else { return };
    for far in ["10.98.0.2", "[fd98::2]"] {
        for protocol in ["", "--stamp --ssid 7"] {
            let line = format!("sender {far}:30601 {protocol} -c 3 -i 50 --timeout 0.3 --json");
            let done = hosts.run(&line);
            let session = done.session();
            assert_eq!(done.status, 3, "{line}: {}", done.stderr);
            assert_eq!(session["icmp"][0]["what"], "port unreachable", "{line}");
            assert_eq!(session["icmp_foreign"], 0, "{line}");
            assert!(
                !done.stderr.contains("quotes too little"),
                "{}",
                done.stderr
            );
        }
    }
}

#[test]
fn a_storm_of_forged_errors_stops_no_packet() {
    let Some(hosts) = Hosts::new() else { return };
    let _responder = hosts.responder(":30600");
    let line = "sender 10.98.0.2:30600 10.98.0.1:30500 -c 150 -i 20";
    let about = [
        "10.98.0.1",
        "30500",
        "10.98.0.2",
        "30600",
        "port",
        "",
        "20000",
    ];
    let Some(forger) = Forger::ready(&hosts.far, &about) else {
        return;
    };
    let done = attacked(&hosts, line, || forger.strike());
    let session = done.session();
    assert_eq!(session["packets"]["sent"], 150);
    assert_eq!(session["packets"]["received"], 150);
    assert_eq!(session["packets"]["send_errors"], 0);
    assert!(session["icmp"][0]["count"].as_u64().unwrap() > 1_000);
}
