//! Inputs to begin with, in each target's own form: captures of other programs, and talk that no
//! capture holds.

mod captures;
mod talk;

use twinpath_wire::control::Sid;

use self::captures::{datagrams, streams};
use self::talk::{
    accept_session, greeting, many, request, server_start, set_up, start_ack, start_sessions,
    stop_sessions,
};

/// Captures with a control connection, and the Server's port there.
const CONTROL: [(&str, u16); 9] = [
    ("unauthenticated.pcap", 8620),
    ("unauthenticated-padding-dscp.pcap", 8620),
    ("unauthenticated-zero-addresses.pcap", 8620),
    ("controller-twampy.pcap", 862),
    ("authenticated.pcap", 8620),
    ("authenticated-padding.pcap", 8620),
    ("encrypted.pcap", 8620),
    ("encrypted-padding.pcap", 8620),
    ("mixed.pcap", 8620),
];

/// Captures with test packets in the open.
const TEST: [&str; 14] = [
    "unauthenticated.pcap",
    "unauthenticated-zero-addresses.pcap",
    "unauthenticated-padding-dscp.pcap",
    "mixed.pcap",
    "light-twampy.pcap",
    "light-twampy-imix.pcap",
    "stamp-open.pcap",
    "stamp-v1-ptp.pcap",
    "stamp-v1-no-extensions.pcap",
    "stamp-tlv.pcap",
    "stamp-v1-tlv.pcap",
    "stamp-v1-malformed.pcap",
    "stamp-v1-bad-flags.pcap",
    "stamp-authenticated.pcap",
];

/// Inputs for the target of that name.
///
/// # Panics
/// If there is no such target, or the captures cannot be read.
pub fn of(target: &str) -> Vec<Vec<u8>> {
    match target {
        "packets" => packets(),
        "messages" => messages(),
        "server" => both(&clients()),
        "client" => both(&servers()),
        "secured_server" => secured_clients(),
        "secured_client" => secured_servers(),
        "sender" => histories(),
        "reflector" => TEST.map(|file| reflected(file, 0, 90)).to_vec(),
        "negotiated" => negotiated(),
        "samples" => samples(),
        "keys" => key_files(),
        "options" => lines(),
        "raw_file" => raw_files(),
        "capture" => captured(),
        _ => panic!("no target {target}"),
    }
}

/// The local clock of the captures, and what else stands before a datagram.
fn packets() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for file in TEST {
        for (datagram, speaks) in datagrams(file).into_iter().take(4).zip(0..) {
            let clock = datagram.at.unix_ns().to_be_bytes();
            let ports = [datagram.from.port(), datagram.to_port];
            let ports: Vec<u8> = ports.into_iter().flat_map(u16::to_be_bytes).collect();
            all.push([&clock[..], &ports, &[speaks % 3], &datagram.octets].concat());
        }
    }
    all
}

fn messages() -> Vec<Vec<u8>> {
    let mut all = vec![
        greeting(17),
        set_up(1),
        server_start(0),
        request(),
        accept_session(0, 7, sid(0)),
        start_sessions(),
        start_ack(0),
        stop_sessions(0, 1),
        many(7, 0, &[sid(0), sid(1)]),
    ];
    for (file, port) in CONTROL {
        let streams = streams(file, port);
        all.push(streams.server[..112].to_vec());
        all.push(streams.client[164..].to_vec());
    }
    all
}

fn sid(number: u8) -> Sid {
    Sid([0xa0 + number; 16])
}

/// What clients say: captured, and with Individual Session Control.
pub fn clients() -> Vec<Vec<u8>> {
    let captured = CONTROL.map(|(file, port)| streams(file, port).client);
    let mut all = captured.to_vec();
    all.push([&set_up(17)[..], &individual().concat()].concat());
    all.push([set_up(33), request(), start_sessions(), request()].concat());
    all
}

/// Commands of a client with Individual Session Control. The driver of the targets counts its SIDs
/// from 1.
fn individual() -> Vec<Vec<u8>> {
    let first = [1_u8, 2].map(|number| Sid([number; 16]));
    vec![
        request(),
        request(),
        many(7, 0, &first),
        many(9, 0, &first[..1]),
        many(9, 0, &[sid(0), sid(1)]),
        request(),
        stop_sessions(0, 1),
    ]
}

/// What Servers say: captured, and with Individual Session Control.
pub fn servers() -> Vec<Vec<u8>> {
    let captured = CONTROL.map(|(file, port)| streams(file, port).server);
    let mut all = captured.to_vec();
    let several = [
        greeting(17),
        server_start(0),
        accept_session(0, 7, sid(0)),
        accept_session(5, 0, sid(1)),
        accept_session(0, 7, sid(2)),
        many(8, 0, &[sid(2)]),
        many(8, 5, &[sid(0)]),
        many(10, 0, &[sid(2)]),
    ];
    all.push(several.concat());
    let two = [
        greeting(1),
        server_start(0),
        accept_session(0, 7, sid(0)),
        accept_session(0, 7, sid(1)),
        start_ack(0),
    ];
    all.push(two.concat());
    all
}

/// Whole, and in pieces that cut through messages.
fn both(streams: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let heads = [[0x20, 255], [0x37, 15]];
    let with = |head: [u8; 2]| {
        streams
            .iter()
            .map(move |stream| [&head, &stream[..]].concat())
    };
    heads.into_iter().flat_map(with).collect()
}

/// Without their HMAC, each with an octet in front that says how it is sent.
fn secured_clients() -> Vec<Vec<u8>> {
    let plain = |(how, mut message): (u8, Vec<u8>)| {
        message.truncate(message.len() - 16);
        if let [7 | 9, ..] = message[..] {
            // Of the number of SIDs, one octet.
            message.drain(12..15);
        }
        [vec![how], message].concat()
    };
    let round = || vec![request(), start_sessions(), stop_sessions(0, 1), request()];
    let mut all = Vec::new();
    for flags in [0x10, 0x21, 0x32, 0x1e, 0x81] {
        for (features, commands) in [(0x60_u32, round()), (0x10, individual())] {
            for forged in [9, 2] {
                let how = |at: usize| u8::from(at == forged);
                let said = commands.iter().cloned().enumerate();
                let said = said.flat_map(|(at, message)| plain((how(at), message)));
                let head = [&[flags][..], &features.to_be_bytes()].concat();
                all.push(head.into_iter().chain(said).collect());
            }
        }
    }
    all
}

/// The same of Servers, with an octet for each message's kind besides.
fn secured_servers() -> Vec<Vec<u8>> {
    let messages = [
        (0, accept_session(0, 7, sid(0))),
        (0, accept_session(0, 8, sid(1))),
        (1, start_ack(0)),
        (2, many(8, 0, &[sid(0), sid(1)])),
    ];
    let mut all = Vec::new();
    for (flags, wanted) in [(0x20, 7), (0x21, 0x2f), (0x22, 0x48), (0x2a, 0x60)] {
        for (offered, skipped) in [(0_u32, 3), (0x1f0, 2)] {
            for forged in [9, 1] {
                let head = [&[flags, wanted][..], &offered.to_be_bytes(), &[0]].concat();
                let said = messages.iter().enumerate().filter(|(at, _)| *at != skipped);
                let said = said.flat_map(|(at, (kind, message))| {
                    let covered = message.len() - 16;
                    let mut said = vec![u8::from(at == forged), *kind];
                    if *kind == 2 {
                        said.push(2);
                    }
                    said.extend_from_slice(&message[..covered]);
                    said
                });
                all.push(head.into_iter().chain(said).collect());
            }
        }
    }
    all
}

/// Histories of a sender that reach far.
fn histories() -> Vec<Vec<u8>> {
    let reply = |octets: usize, at: usize, number: u8| {
        let mut reply = vec![0; octets];
        reply[at + 3] = number;
        reply
    };
    let record = |what: u8, datagram: &[u8]| {
        [
            &[what, u8::try_from(datagram.len()).unwrap_or(255)],
            datagram,
        ]
        .concat()
    };
    let open = reply(41, 24, 2);
    let (answered, stamped) = (record(0x7f, &open), record(0xff, &open));
    let garbage = record(0x0a, b"GET / HTTP/1.0\r\n\r\n");
    let secured: Vec<u8> = (0..8)
        .flat_map(|number| record(0x59, &reply(112, 48, number)))
        .collect();
    let mut all = vec![
        Vec::new(),
        vec![0],
        vec![3, 0xff, 0xff],
        [&[0][..], &answered, &answered, &garbage, &stamped].concat(),
        [&[2][..], &stamped.repeat(20)].concat(),
        [&[3][..], &answered.repeat(20), &garbage].concat(),
        [&[0x84][..], &secured, &garbage].concat(),
        [&[0x8e][..], &secured, &answered].concat(),
    ];
    for file in TEST {
        let replies = datagrams(file).into_iter().skip(1).step_by(2).take(6);
        let said =
            replies.flat_map(|reply| record(0x59, &reply.octets[..reply.octets.len().min(255)]));
        all.push([4].into_iter().chain(said).collect());
    }
    all
}

/// A capture as [`of`] has it for the reflector.
pub fn reflected(file: &str, flags: u8, padding: u8) -> Vec<u8> {
    let mut input = vec![flags, padding];
    for datagram in datagrams(file) {
        input.extend_from_slice(&datagram.from.port().to_be_bytes());
        input.push(datagram.to_port.to_be_bytes()[1]);
        input.extend([datagram.ttl, datagram.tos, 100]);
        push(&mut input, &datagram.octets);
    }
    input
}

/// A captured session as [`of`] has it for negotiated sessions, its sender's port made that of the spec.
pub fn agreed_as(file: &str, setting: [u8; 4], orders: &[u8]) -> Vec<u8> {
    let mut input = setting.to_vec();
    for (at, datagram) in datagrams(file).into_iter().enumerate() {
        input.extend([0x30, setting[3]]);
        input.push(orders.get(at).copied().unwrap_or(3));
        input.extend([64, datagram.tos, 50]);
        push(&mut input, &datagram.octets);
    }
    input
}

fn push(input: &mut Vec<u8>, octets: &[u8]) {
    let length = u16::try_from(octets.len()).expect("a datagram's length");
    input.extend_from_slice(&length.to_be_bytes());
    input.extend_from_slice(octets);
}

fn negotiated() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for file in [
        "unauthenticated.pcap",
        "unauthenticated-padding-dscp.pcap",
        "light-twampy.pcap",
    ] {
        for features in [0, 2, 6, 0x1f, 0x86] {
            all.push(agreed_as(file, [features, 20, 0x11, 0x20], &[]));
        }
        // Sealed, the last with a wrong HMAC; then stopped, taken away and started again.
        for mode in [4, 8] {
            let orders = [0x83, 0x83, 0x83, 0x80, 0x82, 0x81, 0xc3, 0x83, 0x83];
            all.push(agreed_as(file, [0, 20, 0x11, 0x20 | mode], &orders));
        }
    }
    all
}

/// Records: a calm run, losses, copies, steps of the clock, gaps, anything.
fn samples() -> Vec<Vec<u8>> {
    let calm = [0x44, 0x1c].repeat(60);
    let mixed = [
        &[0x44, 0x1c][..],
        &[0x4a],
        &[0x4e, 0x1c],
        &[0x4d, 0x1c],
        &[0x41],
        &[0x43, 40, 0, 0, 0, 0, 0, 0, 9, 9],
        &[0x42, 20, 0x7f, 0, 0, 0, 0, 0, 0, 0],
    ];
    let wild = [
        0xf4, 3, 0x7f, 1, 2, 3, 4, 5, 6, 7, 60, 9, 9, 9, 9, 9, 9, 9, 9,
    ];
    let mut all = Vec::new();
    for flags in [0, 0x1c, 0x3f, 0xfe] {
        for interval in [20, 30, 34, 44] {
            let head = [flags, interval, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0];
            all.push([&head[..], &calm].concat());
            all.push([&head[..], &mixed.concat().repeat(12)].concat());
            all.push([&head[..], &wild.repeat(20), &calm].concat());
        }
    }
    all
}

fn key_files() -> Vec<Vec<u8>> {
    let files: [&[u8]; 8] = [
        b"",
        b"alice secret\n",
        b"# comment\n\n  alice   a b  c \r\nbob\tsecret",
        "\u{feff}b\u{fc}rgermeister geheim\nalice x\n".as_bytes(),
        b"alice one\nalice two\n",
        b"alice\n",
        b"\xff\xfe a\n",
        b"a\x1bb secret\n",
    ];
    let mut all: Vec<Vec<u8>> = files.map(<[u8]>::to_vec).to_vec();
    let line = |number: usize| format!("key{number} secret{number}\n").into_bytes();
    all.push((0..40).flat_map(line).collect());
    all.push([&[b'n'; 90][..], b" secret\n"].concat());
    all.push([b"alice ", &[b's'; 1_100][..]].concat());
    all
}

/// Values that options take, one line for each option with each.
fn lines() -> Vec<Vec<u8>> {
    const VALUES: [&str; 40] = [
        "1",
        "0",
        "-1",
        "65535",
        "4294967296",
        "1.5",
        "10ms",
        "100us",
        "1h",
        "inf",
        "5%",
        "50%/10",
        "5%/3/10s",
        "be,ef,af41",
        "46",
        "0xb8",
        "20000-20010",
        "10-5",
        "192.0.2.0/24",
        "2001:db8::/32",
        "[::1]:862",
        "fe80::1%eth0",
        "host:70000",
        ":862",
        "poisson",
        "uniform:1ms-2ms",
        "burst:10:100ms",
        "json",
        "text",
        "zero",
        "user",
        "auto",
        "lin:0:100us:20",
        "log:1us:1.1:30",
        "1ms,2ms,5ms",
        "g729a",
        "site=lab",
        "encrypted,mixed",
        "stateful",
        "ptp",
    ];
    let mut all = Vec::new();
    for (command, options) in (0..).zip(crate::options::OPTIONS.iter()) {
        for (at, value) in VALUES.iter().enumerate() {
            // Four options of a line are likely to want the same kind of value somewhere.
            let mut line = vec![command];
            for step in 0..4 {
                let option = (at + step * 11) % (options.len() + 1);
                line.push(u8::try_from(option).unwrap_or(0));
                line.extend_from_slice(value.as_bytes());
                if step == at % 4 {
                    break;
                }
                line.push(b'\n');
            }
            all.push(line);
        }
    }
    all
}

fn raw_files() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for how in [1, 3, 7, 15] {
        for form in 0..8 {
            all.push(vec![how, form]);
        }
    }
    // Rows of the model with other values; facts with others; without a column; with octets changed.
    let rows = [
        0_u8, 1, 4, 1, 40, 1, 2, 3, 4, 5, 6, 7, 8, 5, 2, 2, 1, 20, 0, 0, 0, 0, 0, 0, 0, 9, 1, 1, 4,
    ];
    for form in 0..8 {
        all.push([&[1, form][..], &rows.repeat(12)].concat());
        all.push([&[0x11, form, 1, 0, 40, 5, 3][..], b"\"x\""].concat());
        all.push(vec![0x21, form, 3 * form]);
        all.push(vec![
            0x41, form, 3, 0, 0, 0, 90, 1, 0, 0, 4, 0, 0x80, 0, 0, 9, form, 7,
        ]);
    }
    all
}

fn captured() -> Vec<Vec<u8>> {
    let files = CONTROL.iter().map(|(file, _)| *file).chain(TEST);
    (0..)
        .zip(files)
        .map(|(form, file)| [&[form][..], &captures::octets(file)].concat())
        .collect()
}
