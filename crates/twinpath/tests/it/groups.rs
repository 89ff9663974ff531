//! Requests to a multicast group, which a responder joins (RFC 10052 section 4.2).

use std::process::Command;

use crate::authenticated::hmac;
use crate::hostile::sent_by;
use crate::hosts::{Hosts, ip};
use crate::program::{finish, run};
use crate::responders::last_words;

const KEY: &str = "00112233445566778899aabbccddeeff";

/// Sends datagrams (`sys.argv[5:]`, in hexadecimal digits) to a group from one socket, and prints the source of each
/// reply and its octets, until there are as many as `sys.argv[4]` says, or for a second after the last.
const ASK: &str = r#"
import socket, sys
near, group, port, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
family = socket.AF_INET6 if ":" in group else socket.AF_INET
out = socket.socket(family, socket.SOCK_DGRAM)
if family == socket.AF_INET6:
    out.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex("v0"))
else:
    out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(near))
out.bind((near, 0))
for text in sys.argv[5:]:
    out.sendto(bytes.fromhex(text), (group, port))
try:
    while True:
        out.settimeout(30 if count > 0 else 1)
        octets, source = out.recvfrom(2000)
        count -= 1
        print(source[0], octets.hex())
except OSError:
    pass
"#;

/// An open STAMP request for so many replies, 1 ms apart, with an HMAC TLV or none.
fn request(seq: u32, replies: u8, is_signed: bool) -> Vec<u8> {
    let control = [
        0x80, 12, 0, 12, 0, 0, 0, replies, 0, 15, 0x42, 0x40, 0, 0, 0, 0,
    ];
    let mut request = [seq.to_be_bytes().as_slice(), &[0; 40], &control].concat();
    request[4..16].copy_from_slice(&[0xee, 0xae, 0x85, 0x17, 0, 0, 0, 1, 0x80, 1, 2, 1]);
    if is_signed {
        let digest = hmac(KEY, &[&request[..4], &control].concat());
        request.extend([&[0x80, 8, 0, 16], digest.as_slice()].concat());
    }
    request
}

/// Source, number and flags of the first TLV of each reply to these requests, `count` at least.
fn replies(
    hosts: &Hosts,
    near: &str,
    group: &str,
    count: usize,
    requests: &[Vec<u8>],
) -> Vec<(String, u32, u8)> {
    use std::fmt::Write as _;
    let mut command = Command::new("python3");
    command.args(["-c", ASK, near, group, "20005", &count.to_string()]);
    for request in requests {
        let mut digits = String::new();
        for octet in request {
            write!(digits, "{octet:02x}").unwrap();
        }
        command.arg(digits);
    }
    let done = finish(Hosts::on(&hosts.near, &command));
    assert_eq!(done.status, 0, "{}", done.stderr);
    let reply = |line: &str| {
        let (source, octets) = line.split_once(' ').unwrap();
        let number = u32::from_str_radix(&octets[..8], 16).unwrap();
        let flags = u8::from_str_radix(&octets[88..90], 16).unwrap();
        (source.to_owned(), number, flags)
    };
    done.stdout.lines().map(reply).collect()
}

#[test]
fn signed_requests_to_a_group_are_answered_from_an_address_of_the_host_and_all_else_is_not() {
    let Some(hosts) = Hosts::new() else { return };
    // The host is in another group too, which the responder has not joined.
    ip(&format!(
        "-n {} addr add 239.7.7.8/32 dev v1 autojoin",
        hosts.far
    ))
    .unwrap();
    let responder = hosts.responder(&format!(
        ":20005 --json --threads 2 --hmac-key {KEY} --allow-control 10.98.0.0/24 --allow-control fd98::/64 \
         --join 239.7.7.7%v1 --join ff05::7777%v1"
    ));
    let mut answered = 0;
    for (near, far, group, other, first) in [
        ("10.98.0.1", "10.98.0.2", "239.7.7.7", "239.7.7.8", 10),
        ("fd98::1", "fd98::2", "ff05::7777", "ff02::1", 20),
    ] {
        let before = sent_by(&hosts.far);
        let plain = request(first, 3, false)[..44].to_vec();
        let asked = [
            plain.clone(),
            request(first, 3, false),
            request(first + 1, 3, true),
            request(first + 1, 3, true),
            // Over the limit of replies: one.
            request(first + 2, 11, true),
            request(first + 2, 11, true),
        ];
        let seen = replies(&hosts, near, group, 4, &asked);
        let mut numbers: Vec<u32> = seen.iter().map(|(_, number, _)| *number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [0, 1, 2, 3], "{seen:?}");
        assert!(seen.iter().all(|(source, ..)| source == far), "{seen:?}");
        let mut flags: Vec<u8> = seen.iter().map(|(.., flags)| *flags).collect();
        flags.sort_unstable();
        assert_eq!(flags, [0, 0, 0, 0x10], "{seen:?}");
        // The host has sent these and nothing else.
        assert_eq!(sent_by(&hosts.far) - before, 4);
        let elsewhere = replies(&hosts, near, other, 0, &[request(first + 3, 3, true)]);
        assert_eq!(elsewhere, [], "not its group");
        answered += 4;
    }
    let last = last_words(responder);
    assert_eq!(
        last["reflected"].as_u64().unwrap() + last["reflected_control"]["copies"].as_u64().unwrap(),
        answered,
        "{last}"
    );
    assert!(last["ignored"]["multicast"].as_u64() >= Some(8), "{last}");

    // Without the option nothing.
    let responder = hosts.responder(&format!(
        ":20005 --json --hmac-key {KEY} --allow-control 10.98.0.0/24"
    ));
    ip(&format!(
        "-n {} addr add 239.7.7.7/32 dev v1 autojoin",
        hosts.far
    ))
    .unwrap();
    let seen = replies(&hosts, "10.98.0.1", "239.7.7.7", 0, &[request(30, 3, true)]);
    assert_eq!(seen, []);
    assert_eq!(last_words(responder)["ignored"]["multicast"], 1);
}

#[test]
fn a_group_that_cannot_be_joined_is_one_line() {
    let keyed = format!("--hmac-key {KEY} --allow-control ::/0");
    for (line, status, said) in [
        (
            format!(":0 {keyed} --join 192.0.2.1"),
            2,
            "--join 192.0.2.1: not a multicast group: use 239.1.1.1, ",
        ),
        (
            format!(":0 {keyed} --join 239.1.1.1%"),
            2,
            "an interface is missing after %",
        ),
        (
            format!("127.0.0.1:0 {keyed} --join 239.1.1.1"),
            2,
            "--join 239.1.1.1 needs a responder on all IPv4 addresses",
        ),
        (
            format!(":0 -4 {keyed} --join ff05::1"),
            2,
            "--join ff05::1 needs a responder on all IPv6 addresses",
        ),
        (
            ":0 --join 239.1.1.1".to_owned(),
            2,
            "--join need --allow-control: add it",
        ),
        (
            ":0 --allow-control ::/0 --control-unauthenticated --join 239.1.1.1".to_owned(),
            2,
            "exclude each other: use one of them",
        ),
        (
            format!(":0 {keyed} --portable --join 239.1.1.1"),
            2,
            "--join and --portable exclude each other",
        ),
        (
            format!(":0 {keyed} --join 239.1.1.1%none7"),
            1,
            "cannot join the group 239.1.1.1 by interface none7: ",
        ),
    ] {
        let done = run(&format!("responder {line}"));
        assert_eq!((done.status, done.stdout.as_str()), (status, ""), "{line}");
        assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
        assert!(done.stderr.contains(said), "{line}: {}", done.stderr);
    }
}
