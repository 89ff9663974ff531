//! Sessions in captures.

use std::time::Duration;

use twinpath_metrics::Record;
use twinpath_wire::{Fate, Sample, Wall};

use super::super::{Capture, CaptureError};
use super::{captures, datagram, enhanced, interface, pcap, section, v4};

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
