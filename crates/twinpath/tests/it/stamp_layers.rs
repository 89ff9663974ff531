//! STAMP packets as an independent program reads them: scapy's layer of RFC 8762 and RFC 8972. Its
//! names of flags run from the wrong end: octets are compared.

use std::net::UdpSocket;
use std::process::Command;
use std::time::Duration;

use crate::program::{Responder, finish, run};

/// Prints the fields of the packets of its arguments, each in hexadecimal digits, one a line.
const READ: &str = r#"
import sys
from scapy.contrib import stamp
from scapy.layers.inet import UDP
for role, digits in zip(sys.argv[1::2], sys.argv[2::2]):
    layer = getattr(stamp, "STAMPSession%sTestUnauthenticated" % role)
    octets = bytes.fromhex(digits)
    # Where the TLVs end it takes from the UDP header.
    udp = UDP(len=8 + len(octets))
    p = layer(octets, _parent=udp, _underlayer=udp)
    fields = [p.seq, p.ts != 0, p.ssid, int(p.err_estimate.Z), p.err_estimate.multiplier != 0]
    if role == "Reflector":
        fields += [p.seq_sender, p.ts_sender != 0, p.ttl_sender, p.mbz1, p.mbz2]
    tlvs = ["%d/%d/%d/%d" % (int(t.flags), t.type, t.len, len(t.value)) for t in p.tlv_objects]
    print(*map(int, fields), *tlvs)
"#;

/// What it reads, a line for each; `None`: it is not here.
fn read_by_scapy(packets: &[(&str, &[u8])]) -> Option<Vec<String>> {
    // The system's packages are the system's Python's.
    let has_scapy = |python: &&str| {
        let mut command = Command::new(python);
        command.args(["-c", "from scapy.contrib import stamp"]);
        command.output().is_ok_and(|done| done.status.success())
    };
    let Some(python) = ["/usr/bin/python3", "python3"].into_iter().find(has_scapy) else {
        eprintln!("skipped: no python3 with scapy here");
        return None;
    };
    let mut command = Command::new(python);
    command.args(["-c", READ]);
    for (role, octets) in packets {
        let digits: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
        command.args([*role, &digits.concat()]);
    }
    let done = finish(command);
    assert_eq!(done.status, 0, "{}", done.stderr);
    Some(done.stdout.lines().map(str::to_owned).collect())
}

/// The first request of a sender with these options.
fn request(options: &str) -> Vec<u8> {
    let far = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    far.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let at = far.local_addr().unwrap();
    run(&format!(
        "sender {at} --stamp -c 1 --timeout 0.01 {options}"
    ));
    let mut packet = [0; 2_048];
    let octets = far.recv(&mut packet).unwrap();
    packet[..octets].to_vec()
}

#[test]
fn an_independent_program_reads_what_is_sent_and_returned() {
    let responder = Responder::start("127.0.0.1:0");
    let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let patience = Some(Duration::from_secs(20));
    socket.set_read_timeout(patience).unwrap();
    socket.set_ttl(61).unwrap();
    let answered = |request: &[u8]| {
        socket.send_to(request, responder.at).unwrap();
        let mut reply = [0; 2_048];
        let octets = socket.recv(&mut reply).unwrap();
        reply[..octets].to_vec()
    };
    let plain = request("--ssid 4242");
    let padded = request("--ssid 4243 --padding 100");
    let tlvs = "--tlv location --tlv timestamp-information --tlv cos=ef --tlv direct-measurement \
                --tlv access-report=2:7 --tlv follow-up-telemetry --tlv micro-session=3";
    let questions = request(&format!("--ssid 4245 {tlvs}"));
    let mut asking = [&plain[..44], &[0x80, 3, 0, 4, 0, 0, 0, 0]].concat();
    asking.extend([0x80, 200, 0, 2, 5, 6, 0x80, 4, 0, 4, 40, 0, 0, 0]);
    asking.extend([0x80, 6, 0, 9, 1]);
    asking[14..16].copy_from_slice(&4244_u16.to_be_bytes());
    let replies = [&plain, &padded, &asking, &questions].map(|request| answered(request));
    let packets = [
        ("Sender", plain.as_slice()),
        ("Sender", &padded),
        ("Sender", &questions),
        ("Reflector", &replies[0]),
        ("Reflector", &replies[1]),
        // Before the TLV that does not end in the packet, which that program cannot read.
        ("Reflector", &replies[2][..66]),
        ("Reflector", &replies[3]),
    ];
    let Some(read) = read_by_scapy(&packets) else {
        return;
    };
    // Number, T1, SSID, Z, Multiplier; then number, T1, TTL and MBZ of the reply; then each TLV: flags,
    // type, Length and octets of its value.
    assert_eq!(
        read,
        [
            "0 1 4242 0 1",
            "0 1 4243 0 1 128/1/66/66",
            "0 1 4245 0 1 128/2/56/56 128/3/4/4 128/4/4/4 128/5/12/12 128/6/4/4 128/7/16/16 128/11/4/4",
            "0 1 4242 0 1 0 1 61 0 0",
            "0 1 4243 0 1 0 1 61 0 0 0/1/66/66",
            "0 1 4244 0 1 0 1 61 0 0 0/3/4/4 128/200/2/2 0/4/4/4",
            // Without a micro-session of its own.
            "0 1 4245 0 1 0 1 61 0 0 0/2/56/56 0/3/4/4 0/4/4/4 0/5/12/12 0/6/4/4 0/7/16/16 128/11/4/4",
        ]
    );
    assert_eq!(replies[2][66..], [0x40, 6, 0, 9, 1]);
}
