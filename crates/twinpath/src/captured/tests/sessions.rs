//! Sessions in captures.

use std::net::SocketAddr;
use std::time::Duration;

use twinpath_metrics::Record;
use twinpath_wire::{Fate, Sample, Wall};

use super::super::{Capture, CaptureError, counts};
use super::in_words;
use super::traffic::{BEGIN, Files, MS, Passed, Spec, capture, figures, ip, outcomes, sorted};
use super::{captures, datagram, enhanced, interface, open, pcap, section, v4};

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

/// Worked out once by other means: a few lines of Python with the places of the fields of
/// these packets.
#[test]
fn real_captures_have_the_delays_that_were_worked_out_by_other_means() {
    type Spread = [i64; 2];
    #[rustfmt::skip]
    let known: [(&str, usize, [i64; 3], Spread, Spread); 10] = [
        ("light-twampy.pcap", 10, [101_000, 166_000, 123_700], [48_670, 80_337], [48_591, 91_697]),
        ("light-twampy-imix.pcap", 24, [96_000, 265_000, 172_500], [55_803, 172_140], [39_376, 92_860]),
        ("unauthenticated.pcap", 10, [26_000, 56_000, 35_500], [21_000, 48_000], [5_000, 8_000]),
        ("unauthenticated-padding-dscp.pcap", 5, [24_000, 46_000, 39_400], [17_000, 38_000], [7_000, 9_000]),
        ("stamp-open.pcap", 5, [30_988, 73_557, 48_429], [14_667, 62_721], [10_836, 27_428]),
        ("stamp-authenticated.pcap", 5, [39_304, 286_526, 98_129], [15_115, 271_527], [14_999, 28_199]),
        ("stamp-v1-ptp.pcap", 5, [19_701, 40_661, 31_733], [115, 995], [18_706, 40_097]),
        // With T3 of all but the last reply when Follow-Up Telemetry says that it left.
        ("stamp-v1-tlv.pcap", 5, [4_244, 35_398, 16_338], [28, 732], [3_591, 34_871]),
        ("stamp-v1-tlv-hmac.pcap", 5, [4_815, 21_228, 8_325], [135, 953], [4_162, 21_093]),
        ("stamp-v1-authenticated-tlv.pcap", 5, [4_270, 31_677, 14_186], [74, 888], [3_512, 30_789]),
    ];
    for (file, packets, [least, most, mean], forward, backward) in known {
        let path = captures().join(file);
        let capture = open(std::slice::from_ref(&path), None, Duration::from_secs(1)).unwrap();
        assert_eq!(capture.sessions().len(), 1, "{file}");
        let samples = samples(&capture);
        assert_eq!(samples.len(), packets, "{file}");
        let received = |sample: &Sample| sample.fate == Fate::Received && sample.excluded.is_none();
        assert!(samples.iter().all(received), "{file}: {samples:?}");
        // A timestamp of NTP is rounded to nanoseconds: up to one here or there.
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
    let open = |port| {
        open(std::slice::from_ref(&path), port, Duration::from_secs(2)).map_err(|(_, error)| error)
    };
    assert!(matches!(open(None), Err(CaptureError::NoSession(_))));
    assert!(matches!(
        open(Some(863)),
        Err(CaptureError::NothingTo { port: 863, .. })
    ));
    let capture = open(Some(862)).unwrap();
    let samples = samples(&capture);
    // The third might have been answered after the end of the capture.
    assert_eq!(capture.sessions[0].under_way, 1);
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
    let capture = open(std::slice::from_ref(&path), None, Duration::from_secs(2)).unwrap();
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
    let capture = open(std::slice::from_ref(&path), None, Duration::from_secs(1)).unwrap();
    assert_eq!(capture.sessions().len(), 1);
    assert_eq!(samples(&capture).len(), 1);
    // Where there is only the mouse, the words are for that.
    let file = [
        section(false),
        interface(false, 220, &[]),
        enhanced(false, 0, 1, b"a mouse moved"),
    ];
    std::fs::write(&path, file.concat()).unwrap();
    let failed = open(&[path], None, Duration::from_secs(1));
    assert!(
        matches!(failed, Err((_, CaptureError::Link(220)))),
        "{failed:?}"
    );
}

/// A session whose replies are cut is not one that lost everything; a warning tells them apart.
#[test]
fn replies_that_are_cut_too_short_are_said_of_their_session() {
    let runs = [
        Spec::default(),
        Spec {
            sender: "[2001:db8::1]:20000".parse().unwrap(),
            reflector: "[2001:db8::2]:20002".parse().unwrap(),
            ..Spec::default()
        },
    ];
    // 32 octets of replies in IPv4, and 12 in IPv6.
    let file = capture(101, &sorted(&runs), 60);
    let files = Files::new(&[file]);
    let opened = files.open(None);
    assert_eq!(figures(&outcomes(&opened)), [[10, 10, 0, 0]]);
    let counts = opened.counts(0);
    assert_eq!(counts.not_read.cut, 20);
    let said = in_words(counts::findings(&counts, &[]));
    assert!(
        said[0].warning && said[0].line.contains("20 packets") && said[0].line.contains("-s 0"),
        "{said:?}"
    );
    let opened = files.open(Some(20_002));
    let found = outcomes(&opened);
    assert_eq!((found.len(), found[0].under_way), (1, 10));
    let counts = opened.counts(0);
    assert_eq!(counts.sessions[0].counts.cut_replies, 10);
    // The requests are used; the replies have one remark.
    assert_eq!(counts.not_read.cut, 10);
    assert!(in_words(counts::findings(&counts, &[])).is_empty());
}

#[test]
fn what_is_not_read_is_counted_by_kind() {
    let run = Spec::default();
    let ends = [run.sender.ip(), run.reflector.ip()];
    let mut packets: Vec<Passed> = run.packets();
    let esp = ip(ends, 64, 50, &[9; 60]);
    let mut fragment = packets[0].1.clone();
    fragment[7] = 5;
    let mut short = packets[0].1.clone();
    short[24..26].copy_from_slice(&[0, 3]);
    for packet in [esp.clone(), esp, fragment, short] {
        packets.push((packets[packets.len() - 1].0 + 1, packet));
    }
    let files = Files::new(&[capture(101, &packets, 65_535)]);
    let opened = files.open(None);
    assert_eq!(figures(&outcomes(&opened)), [[10, 10, 0, 0]]);
    let counts = opened.counts(0);
    let not_read = &counts.not_read;
    assert_eq!(not_read.encapsulations, [("ESP", 2)].into());
    assert_eq!((not_read.later_fragments, not_read.malformed), (1, 1));
    assert_eq!(
        (counts.frames, counts.datagrams, counts.test_packets),
        (24, 20, 20)
    );
    let said = in_words(counts::findings(&counts, &[]));
    let keys: Vec<&str> = said.iter().map(|note| &*note.key).collect();
    assert_eq!(
        keys,
        [
            "capture-encapsulated",
            "capture-fragments",
            "capture-malformed"
        ]
    );
}

#[test]
fn sessions_beyond_the_bound_are_counted_and_said() {
    let runs: Vec<Spec> = (0..4_100)
        .map(|run| Spec {
            sender: SocketAddr::new("192.0.2.1".parse().unwrap(), 1_024 + run),
            count: 1,
            at: BEGIN + i64::from(run) * MS,
            ..Spec::default()
        })
        .collect();
    let files = Files::new(&[capture(101, &sorted(&runs), 65_535)]);
    for (port, beyond) in [(None, 4), (Some(20_001), 4)] {
        let opened = files.open(port);
        let found = outcomes(&opened);
        assert_eq!(found.len(), 4_096);
        assert!(found.iter().all(|of| of.received == 1));
        let counts = opened.counts(0);
        assert_eq!(counts.not_read.beyond_sessions, beyond, "{port:?}");
        let said = in_words(counts::findings(&counts, &[]));
        assert!(said.iter().any(|note| note.key == "capture-sessions"));
    }
    // Runs of one flow are sessions too.
    let runs: Vec<Spec> = (0..4_200)
        .map(|run| Spec {
            count: 1,
            at: BEGIN + run * 10 * MS,
            ..Spec::default()
        })
        .collect();
    let files = Files::new(&[capture(101, &sorted(&runs), 65_535)]);
    let opened = files.open(None);
    assert_eq!(outcomes(&opened).len(), 4_096);
    let counts = opened.counts(0);
    assert_eq!(counts.not_read.beyond_sessions, 104);
    assert_eq!(counts.unmatched_replies, 104);
}

#[test]
fn parts_of_a_capture_are_one_whatever_order_they_are_named_in() {
    let run = Spec {
        count: 40,
        lost: vec![7],
        ..Spec::default()
    };
    let packets = run.packets();
    // Between requests and their replies, and in the middle of the timeout of a lost one.
    let parts = [
        &packets[..15],
        &packets[15..16],
        &packets[16..47],
        &packets[47..],
    ];
    let parts = parts.map(|part| capture(101, part, 65_535));
    for order in [[0, 1, 2, 3], [3, 1, 0, 2]] {
        let files = Files::new(&order.map(|part: usize| parts[part].clone()));
        let opened = files.open(None);
        let found = outcomes(&opened);
        assert_eq!(figures(&found), [[40, 39, 1, 0]], "{order:?}");
        assert_eq!(opened.counts(0).unmatched_replies, 0);
    }
    // Captures that overlap: of two interfaces, or with packets twice.
    let even: Vec<Passed> = packets.iter().step_by(2).cloned().collect();
    let odd: Vec<Passed> = packets.iter().skip(1).step_by(2).cloned().collect();
    for files in [[even.clone(), odd], [packets.clone(), even]] {
        let files = Files::new(&files.map(|packets| capture(101, &packets, 65_535)));
        assert_eq!(figures(&outcomes(&files.open(None))), [[40, 39, 1, 0]]);
    }
}

/// What was readable is read, with a remark that there is more.
#[test]
fn a_capture_that_is_damaged_in_its_middle_gives_what_was_before() {
    let packets = sorted(&[Spec::default()]);
    let mut file = capture(101, &packets[..12], 65_535);
    for field in [1_u32, 2, 0x3fff_ffff, 0x3fff_ffff] {
        file.extend(field.to_le_bytes());
    }
    file.extend(vec![0x55; 40 << 20]);
    let files = Files::new(&[file]);
    let opened = files.open(None);
    assert_eq!(figures(&outcomes(&opened)), [[6, 6, 0, 0]]);
    let counts = opened.counts(0);
    assert_eq!(counts.end, "damaged");
    let said = in_words(counts::findings(&counts, &opened.ended));
    assert_eq!(said[0].key, "capture-damaged");
    assert!(said[0].warning);
}
