use std::path::{Path, PathBuf};
use std::time::Duration;

use twinpath_metrics::Record;
use twinpath_wire::{Fate, Sample, Tos, Wall};

use super::file::Packets;
use super::{Capture, CaptureError, frame};

/// What the datagrams of these tests carry.
const PAYLOAD: &[u8] = b"sixteen octets..";
const ETHERNET: u32 = 1;

fn be(number: usize) -> [u8; 2] {
    u16::try_from(number).unwrap().to_be_bytes()
}

/// A UDP datagram from port 1000 to port 862.
fn datagram(payload: &[u8]) -> Vec<u8> {
    [
        &[0x03, 0xe8, 0x03, 0x5e],
        &be(8 + payload.len())[..],
        &[0, 0],
        payload,
    ]
    .concat()
}

fn v4(rest: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0xb8];
    packet.extend(be(20 + rest.len()));
    packet.extend([0, 1, 0x40, 0, 61, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
    packet.extend(rest);
    packet
}

/// `next`: the kind of the first header behind.
fn v6(next: u8, rest: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x6b, 0x80, 0, 0];
    packet.extend(be(rest.len()));
    packet.extend([next, 61]);
    for last in [1, 2] {
        packet.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    packet.extend(rest);
    packet
}

fn framed(header: &[u8], packet: &[u8]) -> Vec<u8> {
    [header, packet].concat()
}

#[test]
fn a_datagram_is_found_behind_every_header_that_may_stand_before_it() {
    let udp = datagram(PAYLOAD);
    let (four, six) = (v4(&udp), v6(17, &udp));
    let ethernet = |kind: [u8; 2]| [&[2; 12][..], &kind[..]].concat();
    let tagged = |tags: &[u8], packet: &[u8]| framed(&framed(&[2; 12], tags), packet);
    // Hop-by-Hop of 8 octets, Destination Options of 16, Routing of 8, and the first fragment.
    let options = [vec![60, 0, 1, 4, 0, 0, 0, 0], vec![43, 1], vec![0; 14]].concat();
    let routing = [vec![44, 0, 0, 0, 0, 0, 0, 0], vec![17, 0, 0, 1, 0, 0, 0, 9]].concat();
    let extended = v6(0, &[options, routing, udp.clone()].concat());
    let mut with_options = four.clone();
    with_options[0] = 0x46;
    with_options[3] += 4;
    with_options.splice(20..20, [1, 1, 1, 0]);
    let mut first_fragment = four.clone();
    first_fragment[6..8].copy_from_slice(&[0x20, 0]);
    let mut offloaded = four.clone();
    offloaded[2..4].fill(0);
    for (what, link, frame) in [
        ("Ethernet", ETHERNET, framed(&ethernet([8, 0]), &four)),
        (
            "Ethernet, IPv6",
            ETHERNET,
            framed(&ethernet([0x86, 0xdd]), &six),
        ),
        ("a tag", ETHERNET, tagged(&[0x81, 0, 0, 7, 8, 0], &four)),
        (
            "two tags",
            ETHERNET,
            tagged(&[0x88, 0xa8, 0, 7, 0x81, 0, 0, 8, 0x86, 0xdd], &six),
        ),
        (
            "cooked",
            113,
            framed(&[&[0; 14][..], &[8, 0]].concat(), &four),
        ),
        (
            "cooked, tagged",
            113,
            framed(&[&[0; 14][..], &[0x81, 0, 0, 7, 8, 0]].concat(), &four),
        ),
        (
            "cooked of version 2",
            276,
            framed(&[&[0x86, 0xdd][..], &[0; 18]].concat(), &six),
        ),
        ("BSD loopback", 0, framed(&[2, 0, 0, 0], &four)),
        ("OpenBSD loopback", 108, framed(&[0, 0, 0, 24], &six)),
        ("raw IP", 101, four.clone()),
        ("raw IP, 6", 101, six.clone()),
        ("raw IPv4", 228, four.clone()),
        ("raw IPv6", 229, six.clone()),
        ("extension headers", 101, extended),
        ("options of IPv4", 101, with_options),
        ("a first fragment", 101, first_fragment),
        ("no total length", 101, offloaded),
        ("padding behind", 101, framed(&four, &[0xee; 30])),
        ("padding behind, 6", 101, framed(&six, &[0xee; 30])),
    ] {
        let found = frame::udp(link, &frame).unwrap();
        let found = found.unwrap_or_else(|| panic!("{what}"));
        assert_eq!(found.payload, PAYLOAD, "{what}");
        assert_eq!(found.octets, PAYLOAD.len(), "{what}");
        assert_eq!((found.from.port(), found.to.port()), (1_000, 862), "{what}");
        assert_eq!((found.tos, found.ttl), (Tos(0xb8), 61), "{what}");
        let six = found.from.is_ipv6();
        let ends = if six {
            ["2001:db8::1", "2001:db8::2"]
        } else {
            ["192.0.2.1", "192.0.2.2"]
        };
        let found = [found.from.ip(), found.to.ip()].map(|ip| ip.to_string());
        assert_eq!(found, ends, "{what}");
    }
}

#[test]
fn what_is_no_datagram_or_only_the_rest_of_one_is_left_out() {
    let udp = datagram(PAYLOAD);
    let four = v4(&udp);
    let mut tcp = four.clone();
    tcp[9] = 6;
    let mut later_fragment = four.clone();
    later_fragment[7] = 2;
    let mut short_header = four.clone();
    short_header[0] = 0x44;
    let mut version = four.clone();
    version[0] = 0x55;
    let later_fragment_6 = v6(44, &[&[17, 0, 0, 8, 0, 0, 0, 9], &udp[..]].concat());
    let endless = v6(0, &[0; 400]);
    let mut short_udp = four.clone();
    short_udp[24..26].copy_from_slice(&[0, 7]);
    for (what, link, frame) in [
        ("TCP", 101, tcp),
        ("a later fragment", 101, later_fragment),
        ("a later fragment, 6", 101, later_fragment_6),
        ("a header of 16 octets", 101, short_header),
        ("IP of version 5", 101, version),
        (
            "ARP",
            ETHERNET,
            framed(&[&[2; 12][..], &[8, 6]].concat(), &four),
        ),
        ("tags without end", ETHERNET, [0x81, 0].repeat(200)),
        ("extension headers without end", 101, endless),
        ("UDP shorter than its header", 101, short_udp),
        ("nothing", 101, Vec::new()),
    ] {
        assert_eq!(frame::udp(link, &frame).unwrap(), None, "{what}");
    }
    assert!(matches!(
        frame::udp(127, &four),
        Err(CaptureError::Link(127))
    ));
}

#[test]
fn a_packet_that_was_cut_keeps_its_length_and_what_there_is_of_it() {
    let whole = v4(&datagram(PAYLOAD));
    for length in 0..whole.len() {
        let found = frame::udp(101, &whole[..length]).unwrap();
        // The headers of IP and UDP are 28 octets.
        match found {
            None => assert!(length < 28, "{length}"),
            Some(found) => {
                assert_eq!(found.payload, &PAYLOAD[..length - 28], "{length}");
                assert_eq!(found.octets, PAYLOAD.len(), "{length}");
            }
        }
    }
}

/// Numbers in the order of octets of the machine that captured.
fn number(big: bool, number: u32) -> [u8; 4] {
    if big {
        number.to_be_bytes()
    } else {
        number.to_le_bytes()
    }
}

fn pcap(big: bool, magic: u32, link: u32, packets: &[(u32, u32, &[u8])]) -> Vec<u8> {
    let mut file = Vec::new();
    // 2.4: two short numbers.
    let version = if big { [0, 2, 0, 4] } else { [2, 0, 4, 0] };
    file.extend(number(big, magic));
    file.extend(version);
    for field in [0, 0, 65_535, link] {
        file.extend(number(big, field));
    }
    for (s, fraction, octets) in packets {
        let length = u32::try_from(octets.len()).unwrap();
        for field in [*s, *fraction, length, length + 3] {
            file.extend(number(big, field));
        }
        file.extend(*octets);
    }
    file
}

/// When, of which link, and what.
type Read = (i64, u32, Vec<u8>);

fn packets(file: &[u8]) -> Result<Vec<Read>, CaptureError> {
    let mut packets = Packets::open(file)?;
    let mut found = Vec::new();
    while let Some(packet) = packets.next()? {
        found.push((packet.at.unix_ns(), packet.link, packet.octets.to_vec()));
    }
    Ok(found)
}

fn breaks_off(file: &[u8]) -> bool {
    let mut packets = Packets::open(file).unwrap();
    while packets.next().unwrap().is_some() {}
    packets.broken_off()
}

#[test]
fn pcap_is_read_in_both_orders_of_octets_and_both_resolutions() {
    for big in [false, true] {
        for (magic, ns) in [(0xa1b2_c3d4, 250_000), (0xa1b2_3c4d, 250)] {
            // Above the link type stands whether frames have their check sequence.
            let file = pcap(
                big,
                magic,
                0x1400_0071,
                &[(1_795_449_600, 250, b"one"), (0, 0, b"")],
            );
            let expected: [Read; 2] = [
                (1_795_449_600_000_000_000 + ns, 113, b"one".to_vec()),
                (0, 113, Vec::new()),
            ];
            assert_eq!(packets(&file).unwrap(), expected, "{big} {magic:x}");
            // What breaks off in a packet ends before it.
            for length in 24..file.len() {
                let found = packets(&file[..length]).unwrap();
                assert_eq!(
                    found,
                    expected[..usize::from(length >= 24 + 19)],
                    "{length}"
                );
                let between = [24, 24 + 19].contains(&length);
                assert_eq!(breaks_off(&file[..length]), !between, "{length}");
            }
            assert!(!breaks_off(&file));
            for length in 4..24 {
                assert!(packets(&file[..length]).is_err(), "{length}");
            }
        }
    }
}

/// A block of pcapng around its body.
fn block(big: bool, kind: u32, body: &[u8]) -> Vec<u8> {
    let body = [body, &vec![0; body.len().next_multiple_of(4) - body.len()]].concat();
    let total = number(big, u32::try_from(12 + body.len()).unwrap());
    [&number(big, kind)[..], &total, &body, &total].concat()
}

fn section(big: bool) -> Vec<u8> {
    let version = if big { [0, 1, 0, 0] } else { [1, 0, 0, 0] };
    let body = [&number(big, 0x1a2b_3c4d)[..], &version, &[0xff; 8]].concat();
    block(big, 0x0a0d_0d0a, &body)
}

/// An interface; each option a code and its value.
fn interface(big: bool, link: u8, options: &[(u8, &[u8])]) -> Vec<u8> {
    let short = |number: u8| if big { [0, number] } else { [number, 0] };
    let mut body = [&short(link)[..], &[0, 0], &number(big, 0)].concat();
    for (code, value) in options {
        body.extend(short(*code));
        body.extend(short(u8::try_from(value.len()).unwrap()));
        body.extend(*value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    body.extend([0; 4]);
    block(big, 1, &body)
}

fn enhanced(big: bool, interface: u32, units: u64, octets: &[u8]) -> Vec<u8> {
    let length = u32::try_from(octets.len()).unwrap();
    let (high, low) = ((units >> 32) as u32, (units & 0xffff_ffff) as u32);
    let fields = [interface, high, low, length, length];
    let mut body = fields.map(|field| number(big, field)).concat();
    body.extend(octets);
    block(big, 6, &body)
}

#[test]
fn pcapng_is_read_with_the_resolution_and_offset_of_each_interface() {
    for big in [false, true] {
        let offset = |s: i64| {
            if big {
                s.to_be_bytes()
            } else {
                s.to_le_bytes()
            }
        };
        let file = [
            section(big),
            interface(big, 1, &[]),
            // A name before; nanoseconds.
            interface(big, 113, &[(2, b"eth0"), (9, &[9])]),
            // 1/1024 s, and seconds to be added.
            interface(big, 101, &[(9, &[0x8a]), (14, &offset(1_000))]),
            // Statistics, and a block that nobody knows.
            block(big, 5, &[0; 12]),
            block(big, 0x7777, b"whatever"),
            enhanced(big, 0, 5_000_000, b"micro"),
            enhanced(big, 1, 1 << 33, b"nano"),
            enhanced(big, 2, 1_536, b"binary"),
            // Another section has interfaces of its own, and an order of its own.
            section(!big),
            interface(!big, 12, &[(9, &[3])]),
            enhanced(!big, 0, 7, b"milli"),
        ]
        .concat();
        let expected: [Read; 4] = [
            (5_000_000_000, 1, b"micro".to_vec()),
            (1 << 33, 113, b"nano".to_vec()),
            (1_001_500_000_000, 101, b"binary".to_vec()),
            (7_000_000, 12, b"milli".to_vec()),
        ];
        assert_eq!(packets(&file).unwrap(), expected, "{big}");
        assert!(!breaks_off(&file));
        let last = enhanced(!big, 0, 7, b"milli").len();
        for cut in 1..last {
            assert!(breaks_off(&file[..file.len() - cut]), "{cut}");
        }
        assert!(!breaks_off(&file[..file.len() - last]));
        let unknown = [section(big), enhanced(big, 0, 1, b"of no interface")].concat();
        assert!(packets(&unknown).is_err());
        let too_fine = [section(big), interface(big, 1, &[(9, &[0xff])])].concat();
        assert!(packets(&too_fine).is_err());
    }
}

fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/captures")
}

fn samples(capture: &Capture) -> Vec<Sample> {
    let mut samples = Vec::new();
    let done = capture.each(|row| {
        if let Record::Sample(sample) = row.record {
            samples.push(sample);
        }
        Ok::<(), ()>(())
    });
    assert!(done.is_ok());
    samples
}

/// Worked out once by other means: a reader of a few lines of Python that knows where the fields of
/// these very packets stand.
#[test]
fn real_captures_have_the_delays_that_were_worked_out_by_other_means() {
    type Spread = [i64; 2];
    #[rustfmt::skip]
    let known: [(&str, usize, [i64; 3], Spread, Spread); 8] = [
        ("light-twampy.pcap", 10, [101_000, 166_000, 123_700], [48_670, 80_337], [48_591, 91_697]),
        ("light-twampy-imix.pcap", 24, [96_000, 265_000, 172_500], [55_803, 172_140], [39_376, 92_860]),
        ("unauthenticated.pcap", 10, [26_000, 56_000, 35_500], [21_000, 48_000], [5_000, 8_000]),
        ("unauthenticated-padding-dscp.pcap", 5, [24_000, 46_000, 39_400], [17_000, 38_000], [7_000, 9_000]),
        ("stamp-open.pcap", 5, [30_988, 73_557, 48_429], [14_667, 62_721], [10_836, 27_428]),
        ("stamp-authenticated.pcap", 5, [39_304, 286_526, 98_129], [15_115, 271_527], [14_999, 28_199]),
        ("stamp-v1-ptp.pcap", 5, [19_701, 40_661, 31_733], [115, 995], [18_706, 40_097]),
        ("stamp-v1-tlv.pcap", 5, [16_345, 42_563, 30_852], [28, 732], [15_613, 42_296]),
    ];
    for (file, packets, [least, most, mean], forward, backward) in known {
        let path = captures().join(file);
        let capture = Capture::open(&path, None, Duration::from_secs(1)).unwrap();
        assert_eq!(capture.sessions().len(), 1, "{file}");
        let samples = samples(&capture);
        assert_eq!(samples.len(), packets, "{file}");
        let received = |sample: &Sample| sample.fate == Fate::Received && sample.excluded.is_none();
        assert!(samples.iter().all(received), "{file}: {samples:?}");
        // A time stamp of NTP is rounded to nanoseconds: up to one here or there.
        let near = |what: &str, found: i64, expected: i64| {
            assert!(
                (found - expected).abs() <= 2,
                "{file}, {what}: {found}, {expected}"
            );
        };
        let delays = |of: fn(&Sample) -> Option<twinpath_wire::Delta>| -> Vec<i64> {
            samples
                .iter()
                .map(|sample| of(sample).unwrap().ns())
                .collect()
        };
        let trips = delays(Sample::round_trip);
        near("least", *trips.iter().min().unwrap(), least);
        near("most", *trips.iter().max().unwrap(), most);
        let count = i64::try_from(trips.len()).unwrap();
        near("mean", trips.iter().sum::<i64>() / count, mean);
        for (what, found, [least, most]) in [
            ("outbound", delays(Sample::forward), forward),
            ("inbound", delays(Sample::backward), backward),
        ] {
            near(what, *found.iter().min().unwrap(), least);
            near(what, *found.iter().max().unwrap(), most);
        }
    }
}

#[test]
fn packets_that_nobody_answered_are_lost_where_the_port_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.pcap");
    let request = |seq: u8| {
        v4(&datagram(
            &[&[0, 0, 0, seq, 1, 2, 3, 4, 5, 6, 7, 8][..], &[0; 32]].concat(),
        ))
    };
    let [one, two, three] = [1, 2, 3].map(request);
    let file = pcap(
        false,
        0xa1b2_c3d4,
        101,
        &[(10, 0, &one), (11, 0, &two), (15, 0, &three)],
    );
    std::fs::write(&path, file).unwrap();
    let open = |port| Capture::open(&path, port, Duration::from_secs(2));
    assert!(matches!(open(None), Err(CaptureError::NoSession)));
    assert!(matches!(open(Some(863)), Err(CaptureError::NothingTo(863))));
    let capture = open(Some(862)).unwrap();
    let samples = samples(&capture);
    // The third might have been answered after the end of the capture.
    assert_eq!(*capture.under_way.borrow(), [(1, 1)].into());
    let fates: Vec<(u64, Fate)> = samples
        .iter()
        .map(|sample| (sample.seq, sample.fate))
        .collect();
    assert_eq!(fates, [(1, Fate::Lost), (2, Fate::Lost)]);
    assert_eq!(samples[0].t1.at, Wall::from_unix_ns(10_000_000_000));
}

/// A request and its reply, which arrived after `there` and stayed for `stayed`, both in microseconds;
/// the reply is seen `after` the request.
fn exchange(at: u32, after: u32, there: u32, stayed: u32) -> [(u32, u32, Vec<u8>); 2] {
    // Seconds of 1900 and parts of 2^32 (RFC 4656 section 4.1.2).
    let ntp = |us: u32| {
        let parts = (u64::from(us) << 32) / 1_000_000 + 1;
        [2_208_988_800 + at, u32::try_from(parts).unwrap()]
            .map(u32::to_be_bytes)
            .concat()
    };
    let (mut request, mut reply) = ([0; 44], [0; 44]);
    request[..4].copy_from_slice(&at.to_be_bytes());
    request[4..12].copy_from_slice(&ntp(0));
    reply[..4].copy_from_slice(&at.to_be_bytes());
    reply[4..12].copy_from_slice(&ntp(there + stayed));
    reply[16..24].copy_from_slice(&ntp(there));
    reply[24..36].copy_from_slice(&request[..12]);
    let mut back = v4(&datagram(&reply));
    back[12..20].copy_from_slice(&[192, 0, 2, 2, 192, 0, 2, 1]);
    back[20..24].copy_from_slice(&[0x03, 0x5e, 0x03, 0xe8]);
    [(at, 0, v4(&datagram(&request))), (at, after, back)]
}

/// As the sender's engine decides (row M-10): its own rule is used.
#[test]
fn what_is_a_little_below_zero_is_the_stamps_error_and_not_left_out() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("short.pcap");
    let exchanges = [
        exchange(10, 50, 10, 20),
        // 7 and 99 us below zero; then 101.
        exchange(11, 50, 10, 57),
        exchange(12, 50, 10, 149),
        exchange(13, 50, 10, 151),
    ];
    let packets: Vec<(u32, u32, &[u8])> = exchanges
        .iter()
        .flatten()
        .map(|(s, us, octets)| (*s, *us, octets.as_slice()))
        .collect();
    std::fs::write(&path, pcap(false, 0xa1b2_c3d4, 101, &packets)).unwrap();
    let capture = Capture::open(&path, None, Duration::from_secs(2)).unwrap();
    let trips: Vec<(i64, bool)> = samples(&capture)
        .iter()
        .map(|sample| {
            let trip = sample.round_trip().unwrap().ns();
            ((trip + 500).div_euclid(1_000), sample.excluded.is_some())
        })
        .collect();
    assert_eq!(
        trips,
        [(30, false), (-7, false), (-99, false), (-101, true)]
    );
}

#[test]
fn other_interfaces_and_other_traffic_do_not_hide_a_session() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("busy.pcapng");
    let (mut request, mut reply) = ([0; 44], [0; 44]);
    request[..12].copy_from_slice(&[0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8]);
    reply[24..36].copy_from_slice(&request[..12]);
    let there = v4(&datagram(&request));
    let mut back = v4(&datagram(&reply));
    back[12..20].copy_from_slice(&[192, 0, 2, 2, 192, 0, 2, 1]);
    back[20..24].copy_from_slice(&[0x03, 0x5e, 0x03, 0xe8]);
    let mut file = [
        section(false),
        interface(false, 101, &[]),
        // USB.
        interface(false, 220, &[]),
        enhanced(false, 1, 1, b"a mouse moved"),
    ]
    .concat();
    for flow in 0..20_000_u32 {
        let mut other = v4(&datagram(&[0x55; 40]));
        other[12..16].copy_from_slice(&flow.to_be_bytes());
        file.extend(enhanced(false, 0, u64::from(flow), &other));
    }
    file.extend(enhanced(false, 0, 20_000, &there));
    file.extend(enhanced(false, 0, 20_100, &back));
    std::fs::write(&path, file).unwrap();
    let capture = Capture::open(&path, None, Duration::from_secs(1)).unwrap();
    assert_eq!(capture.sessions().len(), 1);
    assert_eq!(samples(&capture).len(), 1);
    // Where there is nothing but the mouse, that is what is said.
    let file = [
        section(false),
        interface(false, 220, &[]),
        enhanced(false, 0, 1, b"a mouse moved"),
    ];
    std::fs::write(&path, file.concat()).unwrap();
    let failed = Capture::open(&path, None, Duration::from_secs(1));
    assert!(matches!(failed, Err(CaptureError::Link(220))), "{failed:?}");
}

/// Numbers that look like chance, the same ones each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most as u64).unwrap()
    }

    fn octet(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }
}

/// Reads all there is, as a report does, with little memory.
fn survive(path: &Path, port: Option<u16>) -> usize {
    let Ok(capture) = Capture::open(path, port, Duration::from_millis(500)) else {
        return 0;
    };
    let mut rows = 0;
    let _ = capture.each(|_| {
        rows += 1;
        Ok::<(), ()>(())
    });
    rows
}

#[test]
fn mutated_captures_do_no_harm() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mutated");
    let mut chance = Chance(0x5eed);
    let mut files: Vec<Vec<u8>> = [
        "light-twampy.pcap",
        "stamp-authenticated.pcap",
        "stamp-v1-ptp.pcap",
    ]
    .map(|file| std::fs::read(captures().join(file)).unwrap())
    .into();
    // The same packets in the other form.
    let mut other = [section(false), interface(false, 1, &[(9, &[6])])].concat();
    for (at, _, octets) in packets(&files[0]).unwrap() {
        other.extend(enhanced(false, 0, at.unsigned_abs() / 1_000, &octets));
    }
    files.push(other);
    let mut rows = 0;
    for turn in 0..1_500 {
        let mut octets = files[turn % files.len()].clone();
        for _ in 0..=chance.below(12) {
            let at = chance.below(octets.len());
            match chance.below(4) {
                0 => octets[at] = chance.octet(),
                1 => octets[at] ^= 1 << chance.below(8),
                2 => octets[at] = 0xff,
                _ => {
                    let to = at + chance.below(8).min(octets.len() - at);
                    octets.drain(at..to);
                }
            }
        }
        std::fs::write(&path, &octets).unwrap();
        let port = (turn % 3 == 0).then_some(21_001);
        rows += survive(&path, port);
    }
    assert!(rows > 1_000, "most of the packets are still there: {rows}");
}

#[test]
fn arbitrary_octets_do_no_harm() {
    let mut chance = Chance(0x00c0_ffee);
    for turn in 0..3_000 {
        let length = chance.below(300);
        let octets: Vec<u8> = (0..length).map(|_| chance.octet()).collect();
        for link in [0, 1, 101, 113, 276] {
            if let Some(found) = frame::udp(link, &octets).unwrap() {
                assert!(found.payload.len() <= length);
            }
        }
        let begin = match turn % 3 {
            0 => pcap(turn % 2 == 0, 0xa1b2_c3d4, 101, &[]),
            1 => [section(true), interface(true, 1, &[])].concat(),
            _ => section(false),
        };
        let file = framed(&begin, &octets);
        let Ok(mut packets) = Packets::open(&*file) else {
            continue;
        };
        while let Ok(Some(packet)) = packets.next() {
            assert!(packet.octets.len() <= length, "no more than there is");
        }
    }
}
