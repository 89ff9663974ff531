//! Whom packets over member links go to: the far end's MAC address, found, changed or forged.

use std::process::Command;

use serde_json::{Value, json};

use super::{Lag, received, sessions};
use crate::hosts::{Hosts, ip};
use crate::program::{Responder, Running, twinpath};
use crate::responders::last_words;

/// One more host on the link, 10.97.0.3 and 10.96.0.3, which has another MAC address. The near host is
/// 10.96.0.1 too.
struct Third(String);

impl Third {
    /// `None` where it cannot be made; says why.
    fn beside(lag: &Lag) -> Option<Self> {
        let (near, far) = (&lag.0.near, &lag.0.far);
        let third = Self(format!("{far}-third"));
        let name = &third.0;
        for line in [
            format!("netns add {name}"),
            format!("-n {far} link add v3 link bond0 type macvlan mode bridge"),
            format!("-n {far} link set v3 netns {name}"),
            format!("-n {name} addr add 10.97.0.3/24 dev v3"),
            format!("-n {name} addr add 10.96.0.3/24 dev v3"),
            format!("-n {name} link set v3 up"),
            format!("-n {near} addr add 10.96.0.1/24 dev bond0"),
        ] {
            if let Err(why) = ip(&line) {
                eprintln!("skipped: no third host (ip {line}: {why})");
                return None;
            }
        }
        Some(third)
    }
}

impl Drop for Third {
    fn drop(&mut self) {
        let _ = ip(&format!("netns del {}", self.0));
    }
}

/// Without the second link, replies that the far host's kernel sends come by the first.
fn with_one_link(lag: &Lag) {
    ip(&format!("-n {} link set m2 down", lag.0.near)).unwrap();
}

/// So many sessions that they share a thread, and those of a member its sockets.
#[test]
fn each_far_end_of_many_sessions_is_sent_to_at_its_own_address() {
    let Some(lag) = Lag::new() else { return };
    let Some(third) = Third::beside(&lag) else {
        return;
    };
    with_one_link(&lag);
    let line = "responder :862 --micro-session-id 11";
    let _far = lag.0.listener(line);
    let _third = Responder::spawn(Hosts::on(&third.0, &twinpath(line)));
    let classes = "be,cs1,cs2,cs3,cs4,ef";
    let line = format!(
        "sender 10.97.0.2 --to 10.97.0.3 --to 10.96.0.3 --stamp --micro-session 1@m1 --dscp {classes} -c 5 -i 100 --timeout 5 --json"
    );
    let done = lag.0.run(&line);
    let all = sessions(&done);
    assert_eq!(all.len(), 18, "{}", done.stderr);
    for session in &all {
        assert_eq!(received(session), 5, "{session}");
    }
    let senders = |far: &str| {
        let mut of_far = all.iter().filter(|it| it["target"]["name"] == far);
        let sender = of_far.next().unwrap()["sender"].as_str().unwrap();
        sender.split(':').next().unwrap().to_owned()
    };
    assert_eq!(senders("10.97.0.2"), "10.97.0.1");
    assert_eq!(senders("10.97.0.3"), "10.97.0.1");
    assert_eq!(senders("10.96.0.3"), "10.96.0.1");
}

#[test]
fn a_far_end_that_is_not_found_is_looked_for_until_it_is() {
    let Some(lag) = Lag::new() else { return };
    let far = &lag.0.far;
    ip(&format!("-n {far} link set bond0 down")).unwrap();
    let _responder = lag.0.responder(":862 --micro-session-id 11@n1");
    let line = "sender 10.97.0.2 --stamp --duration 120 -i 20 --timeout 0.5 --output jsonl";
    let mut run = lag.0.start(&format!("{line} --micro-session 1:11@m1"));
    run.wait_for_error("the far end does not answer on its link");
    ip(&format!("-n {far} link set bond0 up")).unwrap();
    run.wait_for("\"fate\":\"received\"");
    run.signal(&["INT"]);
    let done = run.finish();
    assert!(
        done.stderr.contains("the far end answers on its link"),
        "{}",
        done.stderr
    );
    assert!(!done.stderr.contains("does not answer"), "{}", done.stderr);
    let said = "the far end's MAC address is not known";
    assert!(done.stderr.contains(said), "{}", done.stderr);
}

#[test]
fn a_far_end_that_has_another_address_is_found_again() {
    let Some(lag) = Lag::new() else { return };
    let (near, far) = (&lag.0.near, &lag.0.far);
    with_one_link(&lag);
    // The kernel gives up an old address sooner than it usually does.
    for (key, value) in [("delay_first_probe_time", 1), ("retrans_time_ms", 100)] {
        let key = format!("net.ipv4.neigh.bond0.{key}");
        ip(&format!("netns exec {near} sysctl -qw {key}={value}")).unwrap();
    }
    // Not that of a port, to which frames would be taken in as well.
    ip(&format!(
        "-n {far} link set bond0 address 02:00:00:00:02:88"
    ))
    .unwrap();
    // It answers only what is for its own address, as its kernel does.
    let _responder = lag.0.responder(":862 --micro-session-id 11");
    let line = "sender 10.97.0.2 --stamp --duration 120 -i 20 --timeout 0.5 --output jsonl";
    let mut run = lag.0.start(&format!("{line} --micro-session 1:11@m1"));
    run.wait_for("\"fate\":\"received\"");
    // Nothing announces it.
    ip(&format!(
        "-n {far} link set bond0 address 02:00:00:00:02:99"
    ))
    .unwrap();
    run.wait_for("\"fate\":\"lost\"");
    run.wait_for_error("the far end has another MAC address");
    run.wait_for("\"fate\":\"received\"");
    run.signal(&["INT"]);
    let session = run.finish().session();
    assert!(received(&session) > 1, "{session}");
}

/// Sends requests in forged frames until it is interrupted: those of the near host's address, from another
/// MAC address. Prints which frames come to that: those for its own port, and others.
const FORGER: &str = r#"
import signal, socket, struct, sys, time
tag = bytes.fromhex(sys.argv[1])
forged = bytes.fromhex("020000000066")
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
link.bind(("m1", 0))
link.settimeout(0.01)
body = bytes(44) + bytes.fromhex("800b00040001000b")
udp = struct.pack("!4H", 7777, 862, 8 + len(body), 0)
ip = bytearray(struct.pack("!BBHIBBH4s4s", 0x45, 0, 28 + len(body), 0, 64, 17, 0,
    socket.inet_aton("10.97.0.1"), socket.inet_aton("10.97.0.2")))
total = sum(struct.unpack("!10H", ip))
while total >> 16: total = (total & 0xffff) + (total >> 16)
ip[10:12] = struct.pack("!H", ~total & 0xffff)
frame = bytes.fromhex("020000000201") + forged + tag + b"\x08\x00" + ip + udp + body
own = others = 0
running = True
def stop(*_):
    global running
    running = False
signal.signal(signal.SIGINT, stop)
print("ready", flush=True)
end = time.monotonic() + 60
while running and time.monotonic() < end:
    link.send(frame)
    pause = time.monotonic() + 0.01
    while time.monotonic() < pause:
        try: came = link.recv(2048)
        except (TimeoutError, socket.timeout): break
        if came[:6] == forged and came[12:14] == b"\x08\x00":
            if came[36:38] == struct.pack("!H", 7777): own += 1
            else: others += 1
print(own, others)
"#;

/// A forger on the near host, which has begun; `None`: not here.
fn forger(lag: &Lag, tag: &str) -> Option<Running> {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("skipped: no python3 here");
        return None;
    }
    let mut command = Command::new("python3");
    command.args(["-c", FORGER, tag]);
    let mut forger = Running::spawn(Hosts::on(&lag.0.near, &command));
    forger.wait_for("ready");
    Some(forger)
}

/// The frames that came to the forged address: replies to forged requests, and others.
fn taken(forger: Running) -> (u64, u64) {
    forger.signal(&["INT"]);
    let done = forger.finish();
    let numbers: Vec<u64> = done
        .stdout
        .split_whitespace()
        .map(|word| word.parse().unwrap())
        .collect();
    (numbers[0], numbers[1])
}

#[test]
fn a_forged_frame_leads_no_reply_astray_but_its_own() {
    let Some(lag) = Lag::new() else { return };
    let allow = "--allow-control 10.97.0.0/24 --control-unauthenticated";
    let _responder = lag
        .0
        .responder(&format!(":862 --micro-session-id 11@n1 {allow}"));
    let Some(forger) = forger(&lag, "") else {
        return;
    };
    let line = "sender 10.97.0.2 10.97.0.1:21000 --stamp -c 10 -i 200 --timeout 5 --json";
    let done = lag.0.run(&format!(
        "{line} --micro-session 1:11@m1 --tlv reflected-control=0:3:50ms"
    ));
    let (own, others) = taken(forger);
    let session = &sessions(&done)[0];
    assert_eq!(received(session), 10, "{session}");
    let further = &session["stamp"]["reflected_control"]["copies"];
    assert_eq!(further, 20, "{session}");
    // Forged requests are answered where they came from.
    assert!(own > 0, "{}", done.stderr);
    assert_eq!(others, 0);
}

#[test]
fn a_frame_of_a_vlan_on_a_member_is_not_answered() {
    let Some(lag) = Lag::new() else { return };
    for (tag, is_answered) in [("", true), ("81000005", false)] {
        let responder = lag.0.responder(":862 --micro-session-id 11@n1 --json");
        let Some(forger) = forger(&lag, tag) else {
            return;
        };
        // So that something has come by the member when the forger ends.
        let done = lag.measure("10.97.0.2 --micro-session 2:11@m1");
        assert_eq!(received(&sessions(&done)[0]), 10, "{}", done.stderr);
        let (own, _) = taken(forger);
        assert_eq!(own > 0, is_answered, "{tag}");
        let words: Value = last_words(responder);
        assert_eq!(words["reflected"] == json!(10), !is_answered, "{words}");
    }
}
