//! Micro-sessions (RFC 9534): two hosts with two links between them that have one address at each end. A
//! bridge is the aggregate: not all kernels have bonds, and a bridge's ports have no addresses either.

mod changes;
mod neighbours;

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::hosts::{Hosts, ip};
use crate::program::{Done, finish, twinpath};
use crate::responders::last_words;

const BOTH: &str = "--micro-session 1:11@m1,2@m2";

/// `m1` and `m2` of the near host's `bond0` (10.97.0.1, fd97::1) end at `n1` and `n2` of the far host's
/// (10.97.0.2, fd97::2).
struct Lag(Hosts);

impl Lag {
    /// `None` where it cannot be made; says why.
    fn new() -> Option<Self> {
        let hosts = Hosts::new()?;
        let mut lines = Vec::new();
        for (host, _, number) in Self::ends(&hosts) {
            lines.push(format!(
                "-n {host} link add bond0 type bridge mcast_snooping 0"
            ));
            lines.push(format!("-n {host} addr add 10.97.0.{number}/24 dev bond0"));
            lines.push(format!(
                "-n {host} addr add fd97::{number}/64 dev bond0 nodad"
            ));
            lines.push(format!(
                "netns exec {host} sysctl -qw net.ipv6.conf.bond0.accept_dad=0"
            ));
        }
        lines.extend([1, 2].into_iter().flat_map(|link| Self::link(&hosts, link)));
        for (host, _, number) in Self::ends(&hosts) {
            lines.push(format!(
                "-n {host} link set bond0 address 02:00:00:00:0{number}:01 up"
            ));
        }
        for line in lines {
            if let Err(why) = ip(&line) {
                eprintln!("skipped: no bridges here (ip {line}: {why})");
                return None;
            }
        }
        let lag = Self(hosts);
        lag.wait_until_up();
        Some(lag)
    }

    /// The hosts, what their ends of links are called, and their numbers.
    fn ends(hosts: &Hosts) -> [(&str, char, u8); 2] {
        [(&hosts.near, 'm', 1), (&hosts.far, 'n', 2)]
    }

    /// How one of the links is made.
    fn link(hosts: &Hosts, link: u8) -> Vec<String> {
        let (near, far) = (&hosts.near, &hosts.far);
        let mut lines = vec![format!(
            "-n {near} link add m{link} type veth peer name n{link} netns {far}"
        )];
        for (host, end, number) in Self::ends(hosts) {
            let port = format!("{end}{link}");
            lines.push(format!(
                "-n {host} link set {port} address 02:00:00:00:0{number}:0{link}"
            ));
            lines.push(format!("-n {host} link set {port} master bond0"));
            // What comes by one port does not leave by the other: there would be a loop.
            lines.push(format!(
                "netns exec {host} bridge link set dev {port} isolated on"
            ));
            lines.push(format!("-n {host} link set {port} up"));
        }
        lines
    }

    /// The kernel takes its time to notice that a link is up.
    fn wait_until_up(&self) {
        let until = Instant::now() + Duration::from_secs(20);
        for (host, end, _) in Self::ends(&self.0) {
            for interface in ["bond0".to_owned(), format!("{end}1"), format!("{end}2")] {
                let state = || ip(&format!("-n {host} link show {interface}")).unwrap();
                while !state().contains("state UP") {
                    assert!(Instant::now() < until, "{interface} is not up");
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        }
    }

    /// A measurement of 10 packets a session, to its end.
    fn measure(&self, line: &str) -> Done {
        let line = format!("sender {line} --stamp -c 10 -i 5 --timeout 0.4 --json");
        self.0.run(&line)
    }

    /// Frames that left by an interface of the near host.
    fn sent_by(&self, interface: &str) -> u64 {
        let near = &self.0.near;
        let listed = ip(&format!("-n {near} -j -s link show dev {interface}")).unwrap();
        let listed: Value = serde_json::from_str(&listed).unwrap();
        listed[0]["stats64"]["tx"]["packets"].as_u64().unwrap()
    }
}

fn sessions(done: &Done) -> Vec<Value> {
    let document: Value = serde_json::from_str(&done.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", done.stdout, done.stderr));
    document["sessions"].as_array().unwrap().clone()
}

fn received(session: &Value) -> u64 {
    session["packets"]["received"].as_u64().unwrap()
}

#[test]
fn each_member_link_is_measured_by_a_session_of_its_own() {
    let Some(lag) = Lag::new() else { return };
    let far = &lag.0.far;
    let responder = lag
        .0
        .responder(":862 --micro-session-id 11@n1,12@n2 --json");
    let listed = ip(&format!("-n {far} -6 -o addr show dev bond0 scope link")).unwrap();
    let link_local = listed.split_whitespace().nth(3).unwrap();
    let link_local = link_local.split('/').next().unwrap();
    let link_local = format!("[{link_local}%bond0]");
    for far in ["10.97.0.2", "[fd97::2]", &link_local] {
        let done = lag.measure(&format!("{far} {BOTH}"));
        assert_eq!(done.status, 0, "{}", done.stderr);
        let all = sessions(&done);
        assert_eq!(all.len(), 2);
        for ((session, path), far_id) in all.iter().zip(1..).zip([11, 12]) {
            assert_eq!(received(session), 10, "{session}");
            assert_eq!(session["path"], path);
            let interface = format!("m{path}");
            let mut known = json!({ "id": path, "interface": interface });
            if path == 1 {
                // Only this one is given.
                known["far_id"] = json!(far_id);
            }
            assert_eq!(session["micro_session"], known);
            let told = &session["stamp"]["micro_session"];
            assert_eq!(
                (&told["sender_id"], &told["reflector_id"]),
                (&json!(path), &json!(far_id))
            );
            assert_eq!(session["timestamps"]["transmit"], "kernel");
            assert_eq!(session["timestamps"]["receive"], "kernel");
            assert_eq!(session["packets"]["duplicates"], 0);
            assert_eq!(session["odd_replies"], json!({}));
        }
        // All sessions of a LAG have both ports.
        assert_eq!(all[0]["sender"], all[1]["sender"]);
    }
    // Whatever is no micro-session goes the ways that the hosts choose, and is answered once.
    let others = ["10.97.0.2:862", "10.97.0.2 --micro-session 1"];
    for line in others {
        let session = &sessions(&lag.measure(line))[0];
        assert_eq!(received(session), 10, "{session}");
        assert_eq!(session["packets"]["duplicates"], 0);
    }
    assert_eq!(last_words(responder)["reflected"], 3 * 20 + 2 * 10);
}

#[test]
fn packets_and_replies_take_the_member_that_is_named() {
    let Some(lag) = Lag::new() else { return };
    let _responder = lag.0.responder(":862 --micro-session-id 11@n1,12@n2");
    for (own, other) in [("m1", "m2"), ("m2", "m1")] {
        let before = [own, other].map(|interface| lag.sent_by(interface));
        let line = format!("sender 10.97.0.2 --stamp -c 100 -i 2 --micro-session 7@{own}");
        let done = lag.0.run(&line);
        let said = format!("\nMember link {own}, Micro-session ID 7\n");
        assert!(done.stdout.contains(&said), "{}", done.stdout);
        let after = [own, other].map(|interface| lag.sent_by(interface));
        let [by_own, by_other] = [0, 1].map(|at| after[at] - before[at]);
        // The rest is what finds neighbours.
        assert!(by_own >= 100 && by_other < 50, "{by_own} {by_other}");
    }
}

#[test]
fn the_session_of_a_member_that_is_cut_loses_alone() {
    let Some(lag) = Lag::new() else { return };
    let _responder = lag.0.responder(":862 --micro-session-id 11@n1,12@n2");
    ip(&format!("-n {} link set n2 down", lag.0.far)).unwrap();
    let done = lag.measure(&format!("10.97.0.2 {BOTH}"));
    let all = sessions(&done);
    assert_eq!(received(&all[0]), 10, "{}", all[0]);
    let packets = &all[1]["packets"];
    assert_eq!(
        (&packets["sent"], &packets["lost"]),
        (&json!(10), &json!(10))
    );
    // The near end's own.
    ip(&format!("-n {} link set m2 down", lag.0.near)).unwrap();
    let done = lag.measure(&format!("10.97.0.2 {BOTH}"));
    assert_eq!((done.status, received(&sessions(&done)[0])), (1, 10));
    let said = "1 of 2 sessions could not measure; be path 2: none of 10 packets";
    assert!(done.stderr.contains(said), "{}", done.stderr);
    // A bond would go on by the other link.
    let session = &sessions(&lag.measure("10.97.0.2:862"))[0];
    assert!(received(session) > 0, "{session}");
}

#[test]
fn a_request_by_a_wrong_member_is_refused_by_the_far_end() {
    let Some(lag) = Lag::new() else { return };
    let responder = lag
        .0
        .responder(":862 --micro-session-id 11@n1,12@n2 --json");
    let done = lag.measure("10.97.0.2 --micro-session 1:12@m1,2:11@m2");
    assert_eq!(done.status, 3, "{}", done.stderr);
    let all = sessions(&done);
    assert_eq!([received(&all[0]), received(&all[1])], [0, 0]);
    let words = last_words(responder);
    assert_eq!(words["ignored"]["micro_session"], 20);
    assert_eq!(words["reflected"], 0);
}

/// The far end checks numbers alone, and replies leave by the link that leads to the near end's address.
#[test]
fn a_reply_by_a_wrong_member_is_counted_and_not_measured() {
    let Some(lag) = Lag::new() else { return };
    let _responder = lag.0.responder(":862 --micro-session-id 11");
    let all = sessions(&lag.measure("10.97.0.2 --micro-session 1@m1,2@m2"));
    // Until the bridge knows where that is, it may be any.
    assert!(received(&all[0]) >= 8 && received(&all[1]) <= 2, "{all:?}");
    let other = &all[0]["odd_replies"]["micro_session_mismatch"];
    assert!(other.as_u64() >= Some(8), "{}", all[0]);
}

#[test]
fn numbers_alone_are_checked_where_no_interface_is_named() {
    let Some(lag) = Lag::new() else { return };
    let responder = lag.0.responder(":862 --micro-session-id 11,12 --json");
    let done = lag.measure("10.97.0.2 --micro-session 1:11,2:12,3:13,4");
    let all = sessions(&done);
    // Of several numbers the far end knows none that would be meant.
    let counts: Vec<u64> = all.iter().map(received).collect();
    assert_eq!(counts, [10, 10, 0, 0]);
    assert_eq!(all[3]["odd_replies"]["micro_session_mismatch"], 10);
    assert_eq!(
        all[0]["micro_session"],
        json!({ "id": 1, "far_id": 11, "interface": null })
    );
    assert_eq!(last_words(responder)["ignored"]["micro_session"], 10);
    let done = lag
        .0
        .run("sender 10.97.0.2 --stamp --micro-session 5 -c 1 --timeout 0.1");
    let said = "\nMicro-session ID 5: only numbers are checked, not the member link\n";
    assert!(done.stdout.contains(said), "{}", done.stdout);
}

#[test]
fn a_member_that_is_made_again_is_used_again() {
    let Some(lag) = Lag::new() else { return };
    let _responder = lag.0.responder(":862 --micro-session-id 11@n1,12@n2");
    let line = "sender 10.97.0.2 --stamp --duration 30 -i 20 --timeout 0.5 --output jsonl";
    let mut run = lag.0.start(&format!("{line} --micro-session 2:12@m2"));
    let answered = |lines: &str| {
        let packet: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
        packet["seq"].as_u64().unwrap()
    };
    let mut last = answered(&run.wait_for("\"received\""));
    ip(&format!("-n {} link del m2", lag.0.near)).unwrap();
    for line in Lag::link(&lag.0, 2) {
        ip(&line).unwrap();
    }
    lag.wait_until_up();
    // Until replies come again, after many packets that had none.
    loop {
        let seq = answered(&run.wait_for("\"received\""));
        if seq > last + 5 {
            break;
        }
        last = seq;
    }
    run.signal(&["INT"]);
    let session = &run.finish().session();
    assert_eq!(session["interface_rebinds"], 1, "{session}");
}

#[test]
fn what_is_to_be_forwarded_is_not_answered() {
    let Some(lag) = Lag::new() else { return };
    let near = &lag.0.near;
    let responder = lag.0.responder(":862 --micro-session-id 11@n1 --json");
    let neighbour = "10.97.0.99 lladdr 02:00:00:00:02:01 dev bond0";
    ip(&format!("-n {near} neigh add {neighbour}")).unwrap();
    let done = lag.measure("10.97.0.99 --micro-session 1@m1");
    assert_eq!(done.status, 3, "{}", done.stderr);
    assert_eq!(last_words(responder)["reflected"], 0);
}

#[test]
fn a_far_end_that_is_no_neighbour_gets_nothing() {
    let Some(lag) = Lag::new() else { return };
    let done = lag.measure("10.97.0.77 --micro-session 1@m1");
    assert_eq!(done.status, 1);
    assert!(done.stderr.contains("left this host"), "{}", done.stderr);
    let done = lag.measure("10.97.0.2 --micro-session 1@m1 --padding 1460");
    let said = "exceed the interface's MTU of 1500";
    assert!(done.stderr.contains(said), "{}", done.stderr);
}

#[test]
fn what_is_no_member_link_is_named_first_and_measures_nothing() {
    let Some(lag) = Lag::new() else { return };
    let _responder = lag.0.responder(":862 --micro-session-id 11@n1,12@n2");
    for (other, says) in [
        (
            "m3",
            "cannot bind to interface m3: No such device (os error 19) (1 of its 2 sessions); see `ip link`",
        ),
        (
            "lo",
            "lo is not a member link (1 of its 2 sessions); name an Ethernet interface",
        ),
        (
            "bond0",
            "bond0 is not a member link (1 of its 2 sessions); name an Ethernet interface",
        ),
    ] {
        let line = "sender 10.97.0.2 --stamp -c 5 -i 5 --timeout 5 --micro-session";
        let done = lag.0.run(&format!("{line} 1:11@m1,2@{other}"));
        assert_eq!(done.status, 1, "{}", done.stderr);
        let text = done.unwrapped();
        let sentence = "\n10.97.0.2: 1 of 2 sessions could not be measured; no loss on 1 path";
        assert!(text.contains(sentence) && text.contains(says), "{text}");
    }
    for other in ["lo", "bond0"] {
        let line = format!("responder :863 --micro-session-id 11@{other}");
        let done = finish(Hosts::on(&lag.0.far, &twinpath(&line)));
        assert_eq!(done.status, 1, "{}", done.stderr);
        let says = format!("{other} is not a member link");
        assert!(done.stderr.contains(&says), "{}", done.stderr);
    }
}

#[test]
fn without_the_privilege_nothing_starts() {
    for line in [
        "sender 127.0.0.1 --stamp --micro-session 1@lo -c 1",
        "responder 127.0.0.1:0 --micro-session-id 1@lo",
    ] {
        let program = twinpath(line);
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid", "65534", "--clear-groups", "--inh-caps=-all"])
            .arg("--bounding-set=-all")
            .arg(program.get_program())
            .args(program.get_args());
        if Command::new("setpriv").arg("--version").output().is_err() {
            eprintln!("skipped: no setpriv");
            return;
        }
        let done = finish(command);
        if done.stderr.starts_with("setpriv:") {
            eprintln!("skipped: {}", done.stderr);
            return;
        }
        assert_eq!(
            (done.status, done.stderr.lines().count()),
            (1, 1),
            "{}",
            done.stderr
        );
        assert!(done.stderr.contains("member lo alone"), "{}", done.stderr);
        assert!(done.stderr.contains("grant CAP_NET_RAW"), "{}", done.stderr);
    }
}
