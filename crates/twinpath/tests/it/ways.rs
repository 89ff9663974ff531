//! The way of a reply as a TLV of STAMP asks for it (RFC 9503), between two hosts with two links.

use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::hosts::{Hosts, ip};
use crate::program::{Responder, Running, finish};
use crate::responders::last_words;

/// Sends a STAMP request with a TLV, and prints of the reply: the address and the interface that it came
/// to, that it came from, and its TLV. Arguments: own addresses (the request has the first), the far
/// address, the TLV.
const ASK: &str = "
import select, socket, struct, sys
near, far, tlv = sys.argv[1].split(','), sys.argv[2], bytes.fromhex(sys.argv[3])
six = ':' in far
family, level, option = (socket.AF_INET6, 41, 49) if six else (socket.AF_INET, 0, 8)
sockets = []
for address in near:
    one = socket.socket(family, socket.SOCK_DGRAM)
    one.setsockopt(level, option, 1)
    one.bind((address, 40000))
    sockets.append(one)
request = struct.pack('!IIIH', 0, 0xeeae8517, 1, 0x8001) + bytes([2, 1]) + bytes(28) + tlv
sockets[0].sendto(request, (far, 862))
ready, _, _ = select.select(sockets, [], [], 5)
for one in ready:
    reply, control, _, source = one.recvmsg(2000, 200)
    info = control[0][2]
    index = struct.unpack('@I', info[16:20] if six else info[:4])[0]
    print(one.getsockname()[0], socket.if_indextoname(index), source[0], reply[44:].hex())
";

/// Two hosts with two links: 10.98.0 and fd98 by `v0` and `v1`, 10.99.0 and fd99 by `w0` and `w1`.
/// The far host's routes to the near one's addresses on the second link lead over the first.
fn two_links() -> Option<Hosts> {
    let hosts = Hosts::new()?;
    let (near, far) = (&hosts.near, &hosts.far);
    for line in [
        format!("-n {near} link add w0 type veth peer name w1 netns {far}"),
        format!("netns exec {near} sysctl -qw net.ipv4.conf.all.rp_filter=0"),
        format!("netns exec {far} sysctl -qw net.ipv4.conf.all.rp_filter=0"),
        format!("netns exec {near} sysctl -qw net.ipv4.conf.v0.rp_filter=0"),
        format!("netns exec {far} sysctl -qw net.ipv4.conf.w1.rp_filter=0"),
        format!("-n {near} addr add 10.99.0.1/24 dev w0"),
        format!("-n {far} addr add 10.99.0.2/24 dev w1"),
        format!("-n {near} addr add fd99::1/64 dev w0 nodad"),
        format!("-n {far} addr add fd99::2/64 dev w1 nodad"),
        format!("-n {near} addr add 10.98.0.9/24 dev v0"),
        format!("-n {near} link set w0 up"),
        format!("-n {far} link set w1 up"),
        format!("-n {far} route add 10.99.0.1/32 via 10.98.0.1"),
        format!("-n {far} -6 route add fd99::1/128 via fd98::1"),
    ] {
        ip(&line).unwrap_or_else(|why| panic!("ip {line}: {why}"));
    }
    let python = Command::new("python3").arg("--version").output();
    if python.is_err() {
        eprintln!("skipped: no python3");
        return None;
    }
    Some(hosts)
}

fn responder(hosts: &Hosts, options: &str) -> Responder {
    bound_responder(hosts, "", options)
}

fn bound_responder(hosts: &Hosts, address: &str, options: &str) -> Responder {
    hosts.responder(&format!("{address}:862 --json {options}"))
}

/// What [`ASK`] prints; nothing without a reply.
fn ask(hosts: &Hosts, near: &str, far: &str, tlv: &str) -> String {
    let mut python = Command::new("python3");
    python.args(["-c", ASK, near, far, tlv]);
    let mut command = Hosts::on(&hosts.near, &python);
    command.stdin(Stdio::null());
    let done = finish(command);
    assert_eq!(done.status, 0, "{}", done.stderr);
    done.stdout.trim().to_owned()
}

#[test]
fn a_reply_comes_from_the_node_address_that_was_asked_for() {
    let Some(hosts) = two_links() else { return };
    let _responder = responder(&hosts, "");
    // 10.98.0.3 is the far host's, 10.98.0.77 is not.
    for (tlv, seen) in [
        (
            "800900040a620003",
            "10.98.0.1 v0 10.98.0.3 000900040a620003",
        ),
        (
            "800900040a62004d",
            "10.98.0.1 v0 10.98.0.2 800900040a62004d",
        ),
    ] {
        assert_eq!(ask(&hosts, "10.98.0.1", "10.98.0.2", tlv), seen);
    }
    let six = "80090010fd980000000000000000000000000002";
    let seen = ask(&hosts, "fd99::1", "fd99::2", six);
    assert_eq!(seen, format!("fd99::1 v0 fd98::2 00{}", &six[2..]));
}

#[test]
fn a_sender_measures_replies_from_the_node_that_it_named() {
    let Some(hosts) = two_links() else { return };
    let _responder = responder(&hosts, "");
    let tlv = "--stamp --ssid 7 --tlv destination-node=10.98.0.3 --timeout 20 --json";
    let done = hosts.run(&format!("sender 10.98.0.2:862 {tlv} -c 3 -i 5"));
    let session = done.session();
    assert_eq!(session["packets"]["received"], 3, "{}", done.stderr);
    assert_eq!(session["odd_replies"], serde_json::json!({}));
    let node = &session["stamp"]["destination_node"];
    assert_eq!(
        (&node["replies"], &node["address"]),
        (&3.into(), &"10.98.0.3".into())
    );
    // Many sessions on shared sockets, where the node of some is the far end of others.
    let both = "--to 10.98.0.2:862 --to 10.98.0.3:862 --paths 20 --threads 1";
    let done = hosts.run(&format!("sender {both} {tlv} -c 3 -i 50"));
    let report: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    let sessions = report["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 40, "{}", done.stderr);
    for session in sessions {
        assert_eq!(session["packets"]["received"], 3, "{session}");
        assert_eq!(session["odd_replies"], serde_json::json!({}), "{session}");
    }
}

/// Sends a STAMP request by a raw socket with its checksum changed by each of these, from port 40000.
const CHECKSUMS: &str = "
import socket, struct, sys
payload = bytes(12) + bytes([0x80, 1, 2, 1]) + bytes(28)
near, far = [socket.inet_aton(address) for address in sys.argv[1:3]]
header = struct.pack('!HHH', 40000, 862, 8 + len(payload))
octets = near + far + bytes([0, 17]) + header[4:] + header + bytes(2) + payload
total = sum(struct.unpack('!%dH' % (len(octets) // 2), octets))
total = (total & 0xffff) + (total >> 16)
right = ~(total + (total >> 16)) & 0xffff
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
raw.bind((sys.argv[1], 0))
for change in sys.argv[3:]:
    raw.sendto(header + struct.pack('!H', right ^ int(change)) + payload, (sys.argv[2], 0))
";

#[test]
fn a_request_with_a_wrong_checksum_gets_no_reply() {
    let Some(hosts) = two_links() else { return };
    let responder = responder(&hosts, "");
    let mut python = Command::new("python3");
    python.args(["-c", CHECKSUMS, "10.98.0.1", "10.98.0.2", "1", "256", "0"]);
    let done = finish(Hosts::on(&hosts.near, &python));
    assert_eq!(done.status, 0, "{}", done.stderr);
    // What is asked later is answered later.
    let seen = ask(&hosts, "10.98.0.1", "10.98.0.2", "80020004 00000000");
    assert!(seen.starts_with("10.98.0.1 v0 10.98.0.2 "), "{seen}");
    let last = last_words(responder);
    assert_eq!(last["reflected"], 2);
    assert!(
        last["ignored"]
            .as_object()
            .unwrap()
            .values()
            .all(|count| *count == 0),
        "{last}"
    );
}

#[test]
fn an_address_that_the_host_has_only_now_is_its_own_soon() {
    let Some(hosts) = two_links() else { return };
    let _responder = responder(&hosts, "");
    let tlv = "800900040a62004d";
    let until = Instant::now() + Duration::from_mins(1);
    ip(&format!("-n {} addr add 10.98.0.77/24 dev v1", hosts.far)).unwrap();
    while ask(&hosts, "10.98.0.1", "10.98.0.2", tlv)
        != format!("10.98.0.1 v0 10.98.0.77 00{}", &tlv[2..])
    {
        assert!(Instant::now() < until, "the address is not known");
    }
}

#[test]
fn a_reply_goes_to_another_address_where_that_is_allowed() {
    let Some(hosts) = two_links() else { return };
    let near = "10.98.0.1,10.98.0.9,10.99.0.1";
    for (options, tlv, seen) in [
        (
            "--allow-return-address 10.98.0.9",
            "800a0008800200040a620009",
            "10.98.0.9 v0 10.98.0.2 000a0008000200040a620009",
        ),
        (
            "",
            "800a0008800200040a620009",
            "10.98.0.1 v0 10.98.0.2 800a0008800200040a620009",
        ),
        (
            "--allow-return-address 10.98.0.9",
            "800a0008800200040a630001",
            "10.98.0.1 v0 10.98.0.2 800a0008800200040a630001",
        ),
    ] {
        let responder = responder(&hosts, options);
        assert_eq!(ask(&hosts, near, "10.98.0.2", tlv), seen, "{options}");
        assert_eq!(last_words(responder)["ways_refused"], 0);
    }
}

/// Prints what of a packet with a routing header comes to an interface: destination and header.
/// Argument: the interface.
const SNIFF: &str = "
import socket, sys
raw = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x86dd))
raw.bind((sys.argv[1], 0))
raw.settimeout(20)
print('ready', flush=True)
replies = 0
while replies < int(sys.argv[2]):
    packet = raw.recv(2000)
    if packet[6] in (43, 17):
        size = 8 + 8 * packet[41] if packet[6] == 43 else 0
        print(socket.inet_ntop(socket.AF_INET6, packet[24:40]), packet[40:40 + size].hex() or 'directly', flush=True)
        replies += 1
";

#[test]
fn a_reply_visits_the_segments_that_are_asked_for_where_that_is_allowed() {
    let Some(hosts) = two_links() else { return };
    let near = &hosts.near;
    for line in [
        format!("netns exec {near} sysctl -qw net.ipv6.conf.all.seg6_enabled=1"),
        format!("netns exec {near} sysctl -qw net.ipv6.conf.v0.seg6_enabled=1"),
        format!("-n {near} addr add fd98::a/64 dev v0 nodad"),
        format!("-n {near} addr add fd98::b/64 dev v0 nodad"),
    ] {
        ip(&line).unwrap_or_else(|why| panic!("ip {line}: {why}"));
    }
    let [a, b, sender] = ["a", "b", "1"].map(|last| format!("{:0>32}", format!("fd98{last:0>28}")));
    let tlv = format!("800a002480040020{a}{b}");
    let mut python = Command::new("python3");
    python.args(["-c", SNIFF, "v0", "6"]);
    let mut sniffer = Running::spawn(Hosts::on(near, &python));
    sniffer.wait_for("ready");
    for (options, seen) in [
        (
            "--srv6-return fd98::/64",
            tlv.replacen("800a", "000a", 1).replacen("8004", "0004", 1),
        ),
        ("--srv6-return fd97::/64", tlv.clone()),
        ("", tlv.clone()),
    ] {
        let responder = responder(&hosts, options);
        let expected = format!("fd98::1 v0 fd98::2 {seen}");
        assert_eq!(
            ask(&hosts, "fd98::1", "fd98::2", &tlv),
            expected,
            "{options}"
        );
        // The next one goes the ordinary way.
        let ordinary = ask(&hosts, "fd98::1", "fd98::2", "80020004 00000000");
        assert!(
            ordinary.starts_with("fd98::1 v0 fd98::2 0002"),
            "{ordinary}"
        );
        assert_eq!(last_words(responder)["ways_refused"], 0);
    }
    let seen = sniffer.finish().stdout;
    let mut replies = seen.lines().skip_while(|line| *line == "ready");
    let routed = format!("fd98::a 1106040202000000{sender}{b}{a}");
    assert_eq!(replies.next(), Some(&*routed), "{seen}");
    let direct: Vec<&str> = replies.collect();
    assert_eq!(direct, ["fd98::1 directly"; 5], "{seen}");
}

#[test]
fn a_reply_on_the_same_link_leaves_by_it_though_the_route_says_another() {
    let Some(hosts) = two_links() else { return };
    let same_link = "800a00088001000400000001";
    for (bound, near, far) in [
        ("", "10.99.0.1", "10.99.0.2"),
        ("10.99.0.2", "10.99.0.1", "10.99.0.2"),
        ("", "fd99::1", "fd99::2"),
    ] {
        let responder = bound_responder(&hosts, bound, "");
        let ordinary = ask(&hosts, near, far, "80020004 00000000");
        assert!(
            ordinary.starts_with(&format!("{near} v0 {far} ")),
            "{ordinary}"
        );
        let seen = ask(&hosts, near, far, same_link);
        assert_eq!(seen, format!("{near} w0 {far} 000a00080001000400000001"));
        assert_eq!(last_words(responder)["ways_refused"], 0);
    }
}

#[test]
fn a_bound_responder_is_told_the_link_from_the_second_request_with_tlvs_on() {
    let Some(hosts) = two_links() else { return };
    // To the far address on the first link, by the second one. The reply has that address nevertheless.
    let route = "route add 10.98.0.2/32 via 10.99.0.2 src 10.99.0.1";
    ip(&format!("-n {} {route}", hosts.near)).unwrap();
    let same_link = "800a00088001000400000001";
    let answer = |link: &str, far: &str| format!("10.99.0.1 {link} {far} 000a00080001000400000001");
    for (far, first) in [("10.99.0.2", "w0"), ("10.98.0.2", "v0")] {
        let _responder = bound_responder(&hosts, far, "");
        for link in [first, "w0", "w0"] {
            assert_eq!(ask(&hosts, "10.99.0.1", far, same_link), answer(link, far));
        }
    }
}

#[test]
fn a_reply_that_cannot_leave_by_its_link_takes_the_ordinary_way_and_says_so() {
    let Some(hosts) = two_links() else { return };
    // From an address of the first link by the second, on which the far host has no route there.
    let route = "-6 route add fd98:9::2/128 via fd99::2";
    ip(&format!(
        "-n {} addr add fd98:9::2/128 dev lo nodad",
        hosts.far
    ))
    .unwrap();
    ip(&format!("-n {} {route}", hosts.near)).unwrap();
    for (options, far) in [("", "fd98:9::2"), ("fd99::2", "fd99::2")] {
        let responder = match options {
            "" => responder(&hosts, ""),
            // Bound to an address, the kernel does not keep to an interface.
            near => hosts.responder(&format!("[{near}]:862 --json")),
        };
        let seen = ask(&hosts, "fd98::1", far, "800a00088001000400000001");
        assert_eq!(
            seen,
            format!("fd98::1 v0 {far} 800a00088001000400000001"),
            "{options}"
        );
        assert_eq!(last_words(responder)["ways_refused"], 1);
    }
}

#[test]
fn without_a_reply_a_request_is_counted() {
    let Some(hosts) = two_links() else { return };
    let responder = responder(&hosts, "");
    assert_eq!(
        ask(&hosts, "10.98.0.1", "10.98.0.2", "800a00088001000400000000"),
        ""
    );
    let last = last_words(responder);
    assert_eq!(
        (&last["reflected"], &last["ignored"]["no_reply_wanted"]),
        (&0.into(), &1.into())
    );
}

#[test]
fn a_follow_up_says_when_the_reply_before_left() {
    let responder = Responder::start("127.0.0.1:0");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_mins(1)))
        .unwrap();
    let mut request = [0; 64];
    request[4..14].copy_from_slice(&[0xee, 0xae, 0x85, 0x17, 0, 0, 0, 1, 0x80, 1]);
    request[44..48].copy_from_slice(&[0x80, 7, 0, 16]);
    let word = |octets: &[u8]| u64::from_be_bytes(octets.try_into().unwrap());
    let mut before = None;
    // A stamp may come too late for the next reply.
    let told = (0..1_000_u32).find_map(|seq| {
        request[..4].copy_from_slice(&seq.to_be_bytes());
        socket.send_to(&request, responder.at).unwrap();
        let mut reply = [0; 64];
        socket.recv(&mut reply).unwrap();
        let follow_up = reply[48..].to_vec();
        let earlier = before.replace(reply)?;
        (word(&follow_up[4..12]) != 0).then_some((earlier, follow_up))
    });
    let (earlier, follow_up) = told.expect("no stamp in time");
    assert_eq!(follow_up[..4], earlier[..4], "its number");
    let (t3, left) = (word(&earlier[4..12]), word(&follow_up[4..12]));
    assert!(left >= t3 && left - t3 < 60 << 32, "{t3} {left}");
    assert_eq!(follow_up[12..], [2, 0, 0, 0], "software");
}

/// The commands of the page's example, with addresses and interfaces of two hosts here.
#[test]
fn the_example_of_segments_on_the_page_works() {
    let Some(hosts) = Hosts::new() else { return };
    let page = include_str!("../../../../docs/stamp-extensions.md");
    let (_, behind) = page.split_once("SRv6, from a sender at ").unwrap();
    let (_, example) = behind.split_once("```\n").unwrap();
    let (example, _) = example.split_once("\n```").unwrap();
    let here = [
        ("2001:db8:5::1", "fd98::a"),
        ("2001:db8::/32", "fd98::/64"),
        ("2001:db8::", "fd98::"),
        ("eth0", "v0"),
    ];
    let example = here.iter().fold(example.to_owned(), |text, (there, here)| {
        text.replace(there, here)
    });
    // What follows two spaces says where a command runs.
    let commands: Vec<&str> = example
        .lines()
        .map(|line| line.split("  ").next().unwrap())
        .collect();
    let [sysctl, responder, sender] = *commands else {
        panic!("{example}")
    };
    let near = &hosts.near;
    let run = |options: &str| {
        let line = sender.strip_prefix("twinpath ").unwrap();
        let done = hosts.run(&format!("{line} -c 5 -i 20 --timeout 5 {options}"));
        assert_eq!(done.status, 0, "{}", done.stdout);
        done
    };
    // The router is an address of the sender's host here.
    ip(&format!("-n {near} addr add fd98::a/64 dev v0 nodad")).unwrap();
    ip(&format!("netns exec {near} {sysctl}")).unwrap();
    let options = responder.strip_prefix("twinpath responder ").unwrap();
    let allowed = hosts.responder(options);
    let told = "TLV              return-path: replies 5, path used";
    let text = run("").stdout;
    assert!(text.lines().any(|line| line == told), "{text}");
    drop(allowed);
    let _refusing = hosts.responder(":862");
    let text = run("").stdout.replace("\n  ", " ");
    assert!(text.contains("path not used"), "{text}");
    assert!(text.contains("--srv6-return PREFIX for segments"), "{text}");
}
