//! Sessions to capture, whose truth is known, and what their packets can be wrapped in.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use twinpath_metrics::Record;
use twinpath_wire::{Delta, Fate, Sample};

use super::super::Capture;
use super::{number, pcap};

pub(super) const SECOND: i64 = 1_000_000_000;
pub(super) const MS: i64 = 1_000_000;
/// When runs of these tests begin.
pub(super) const BEGIN: i64 = 1_796_000_000 * SECOND;

/// What packets of a run look like.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    /// TWAMP Light with packets of this many octets.
    Light(usize),
    /// Likewise, with padding that is not zeros.
    Noise(usize),
    /// STAMP of 44 octets.
    Stamp { ssid: u16 },
    /// Likewise, authenticated.
    Secured { ssid: u16 },
}

/// A run of a sender.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    pub(super) sender: SocketAddr,
    pub(super) reflector: SocketAddr,
    pub(super) form: Form,
    /// Of the first packet.
    pub(super) at: i64,
    pub(super) first: u32,
    pub(super) count: u32,
    pub(super) gap: i64,
    pub(super) round_trip: i64,
    /// Packets without a reply, by their place.
    pub(super) lost: Vec<u32>,
    /// The sender writes no T1.
    pub(super) without_clock: bool,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            sender: "192.0.2.1:20000".parse().unwrap(),
            reflector: "192.0.2.2:20001".parse().unwrap(),
            form: Form::Light(41),
            at: BEGIN,
            first: 0,
            count: 10,
            gap: 100 * MS,
            round_trip: MS,
            lost: Vec::new(),
            without_clock: false,
        }
    }
}

/// An IP packet, when it passed.
pub(super) type Passed = (i64, Vec<u8>);

impl Spec {
    /// Requests and replies, each when the sender sees it.
    pub(super) fn packets(&self) -> Vec<Passed> {
        let mut packets = Vec::new();
        for place in 0..self.count {
            let at = self.at + i64::from(place) * self.gap;
            let seq = self.first.wrapping_add(place);
            let [request, reply] = self.exchange(seq, at);
            packets.push((at, packet([self.sender, self.reflector], 255, &request)));
            if !self.lost.contains(&place) {
                let back = packet([self.reflector, self.sender], 250, &reply);
                packets.push((at + self.round_trip, back));
            }
        }
        packets
    }

    /// Payloads of a request and of its reply, in which the reflector's own time is 40 us.
    pub(super) fn exchange(&self, seq: u32, at: i64) -> [Vec<u8>; 2] {
        let seq = seq.to_be_bytes();
        let t1 = if self.without_clock { [0; 8] } else { ntp(at) };
        let t2 = at + self.round_trip / 2 - 20_000;
        let [t2, t3] = [t2, t2 + 40_000].map(ntp);
        let error = [0x80, 1];
        let (ssid, octets) = match self.form {
            Form::Light(octets) | Form::Noise(octets) => (0_u16, octets),
            Form::Stamp { ssid } => (ssid, 44),
            Form::Secured { ssid } => (ssid, 112),
        };
        let ssid = ssid.to_be_bytes();
        let [mut request, mut reply] = if matches!(self.form, Form::Secured { .. }) {
            let zeros = [0; 12];
            [
                [&seq[..], &zeros, &t1, &error, &ssid].concat(),
                [
                    &seq[..],
                    &zeros,
                    &t3,
                    &error,
                    &ssid,
                    &[0; 4],
                    &t2,
                    &[0; 8],
                    &seq,
                    &zeros,
                    &t1,
                    &error,
                    &[0; 6],
                    &[255],
                ]
                .concat(),
            ]
        } else {
            [
                [&seq[..], &t1, &error, &ssid].concat(),
                [
                    &seq[..],
                    &t3,
                    &error,
                    &ssid,
                    &t2,
                    &seq,
                    &t1,
                    &error,
                    &[0, 0],
                    &[255],
                ]
                .concat(),
            ]
        };
        if let Form::Noise(_) = self.form {
            request.truncate(14);
            let noise = |place: usize| u8::try_from((place * 37 + usize::from(seq[3]) * 91) % 251);
            request.extend((14..octets).map(|place| noise(place).unwrap()));
        }
        request.resize(octets, 0);
        reply.resize(octets.max(41), 0);
        [request, reply]
    }
}

/// Seconds since 1900 and parts of 2^32 (RFC 4656 section 4.1.2).
pub(super) fn ntp(ns: i64) -> [u8; 8] {
    let (s, ns) = (ns.div_euclid(SECOND), ns.rem_euclid(SECOND));
    let s = u32::try_from(s + 2_208_988_800).unwrap();
    let parts = (u128::from(ns.unsigned_abs()) << 32) / u128::from(SECOND.unsigned_abs());
    let parts = u32::try_from(parts).unwrap();
    [s.to_be_bytes(), parts.to_be_bytes()]
        .concat()
        .try_into()
        .unwrap()
}

/// A UDP datagram in IP.
pub(super) fn packet(ends: [SocketAddr; 2], ttl: u8, payload: &[u8]) -> Vec<u8> {
    let [from, to] = ends;
    let short = |number: usize| u16::try_from(number).unwrap().to_be_bytes();
    let udp = [
        &from.port().to_be_bytes()[..],
        &to.port().to_be_bytes(),
        &short(8 + payload.len()),
        &[0, 0],
        payload,
    ]
    .concat();
    ip([from.ip(), to.ip()], ttl, 17, &udp)
}

/// IP around what is of this protocol.
pub(super) fn ip(ends: [IpAddr; 2], ttl: u8, protocol: u8, rest: &[u8]) -> Vec<u8> {
    let short = |number: usize| u16::try_from(number).unwrap().to_be_bytes();
    match ends {
        [IpAddr::V4(from), IpAddr::V4(to)] => [
            &[0x45, 0],
            &short(20 + rest.len())[..],
            &[0, 1, 0, 0, ttl, protocol, 0, 0],
            &from.octets(),
            &to.octets(),
            rest,
        ]
        .concat(),
        [IpAddr::V6(from), IpAddr::V6(to)] => [
            &[0x60, 0, 0, 0],
            &short(rest.len())[..],
            &[protocol, ttl],
            &from.octets(),
            &to.octets(),
            rest,
        ]
        .concat(),
        _ => panic!("ends of one family"),
    }
}

/// The EtherType of an IP packet.
fn kind(packet: &[u8]) -> [u8; 2] {
    if packet[0] >> 4 == 4 {
        [8, 0]
    } else {
        [0x86, 0xdd]
    }
}

const OUTER: [&str; 2] = ["198.51.100.1", "198.51.100.2"];
const OUTER_6: [&str; 2] = ["2001:db8:1::1", "2001:db8:1::2"];

fn outer(ends: [&str; 2], protocol: u8, rest: &[u8]) -> Vec<u8> {
    ip(ends.map(|end| end.parse().unwrap()), 64, protocol, rest)
}

pub(super) fn ethernet(packet: &[u8]) -> Vec<u8> {
    ethernet_of(2, packet)
}

/// To an address that begins with this octet.
pub(super) fn ethernet_of(first: u8, packet: &[u8]) -> Vec<u8> {
    [
        &[first, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1],
        &kind(packet)[..],
        packet,
    ]
    .concat()
}

/// Teredo carries IPv6 alone.
fn ipv6_around(packet: &[u8]) -> Vec<u8> {
    outer(OUTER_6, ip_protocol(packet), packet)
}

/// Behind the addresses of Ethernet.
fn framed(headers: &[u8], rest: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1], headers, rest].concat()
}

fn ip_protocol(packet: &[u8]) -> u8 {
    if packet[0] >> 4 == 4 { 4 } else { 41 }
}

fn gre(flags: [u8; 2], options: &[u8], kind: [u8; 2], rest: &[u8]) -> Vec<u8> {
    let gre = [&flags[..], &kind, options, rest].concat();
    ethernet(&outer(OUTER, 47, &gre))
}

fn udp_tunnel(port: u16, header: &[u8], rest: &[u8]) -> Vec<u8> {
    let ends = OUTER.map(|end| SocketAddr::new(end.parse().unwrap(), port));
    ethernet(&packet(ends, 64, &[header, rest].concat()))
}

/// A name, the type of the link, and a frame with an IP packet in it.
pub(super) type Wrapping = (&'static str, u32, fn(&[u8]) -> Vec<u8>);

/// All that is read.
#[rustfmt::skip]
pub(super) const WRAPPINGS: &[Wrapping] = &[
    ("Ethernet", 1, ethernet),
    ("VLAN", 1, |ip| framed(&[&[0x81, 0, 0, 7], &kind(ip)[..]].concat(), ip)),
    ("QinQ", 1, |ip| framed(&[&[0x88, 0xa8, 0, 7, 0x81, 0, 0, 8], &kind(ip)[..]].concat(), ip)),
    ("MPLS, one label", 1, |ip| framed(&[0x88, 0x47, 0, 1, 1, 64], ip)),
    ("MPLS, three labels", 1, |ip| framed(&[0x88, 0x47, 0, 1, 0, 64, 0, 2, 0, 64, 0, 3, 1, 64], ip)),
    ("MPLS behind a VLAN", 1, |ip| framed(&[0x81, 0, 0, 7, 0x88, 0x47, 0, 1, 1, 64], ip)),
    ("MPLS pseudowire with a control word", 1, |ip| framed(&[0x88, 0x47, 0, 9, 1, 64, 0, 0, 0, 0], &ethernet(ip))),
    ("MPLS pseudowire without a control word", 1, |ip| framed(&[0x88, 0x47, 0, 0x0a, 1, 64], &ethernet_of(0, ip))),
    ("MPLS pseudowire of tagged frames", 1, |ip| {
        let tagged = [&[0; 12][..], &[0x81, 0, 0, 7], &kind(ip)[..], ip].concat();
        framed(&[0x88, 0x47, 0, 0x0a, 1, 64], &tagged)
    }),
    ("PPPoE", 1, |ip| {
        let protocol = if ip[0] >> 4 == 4 { [0, 0x21] } else { [0, 0x57] };
        let length = u16::try_from(ip.len() + 2).unwrap().to_be_bytes();
        framed(&[&[0x88, 0x64, 0x11, 0, 0, 9], &length[..], &protocol].concat(), ip)
    }),
    ("PPP", 9, |ip| {
        let protocol = if ip[0] >> 4 == 4 { 0x21 } else { 0x57 };
        [&[0xff, 3, 0, protocol][..], ip].concat()
    }),
    ("GRE", 1, |ip| gre([0, 0], &[], kind(ip), ip)),
    ("GRE with a key", 1, |ip| gre([0x20, 0], &[0, 0, 0, 5], kind(ip), ip)),
    ("GRE with a number", 1, |ip| gre([0x10, 0], &[0, 0, 0, 5], kind(ip), ip)),
    ("GRE with a checksum, a key and a number", 1, |ip| gre([0xb0, 0], &[0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 6], kind(ip), ip)),
    ("Ethernet in GRE", 1, |ip| gre([0, 0], &[], [0x65, 0x58], &ethernet(ip))),
    ("MPLS in GRE", 1, |ip| gre([0, 0], &[], [0x88, 0x47], &[&[0, 1, 1, 64], ip].concat())),
    ("ERSPAN II", 1, |ip| gre([0x10, 0], &[0, 0, 0, 5], [0x88, 0xbe], &[&[0x10, 1, 0, 1, 0, 0, 0, 0], &ethernet(ip)[..]].concat())),
    ("VXLAN", 1, |ip| udp_tunnel(4789, &[8, 0, 0, 0, 0, 0, 9, 0], &ethernet(ip))),
    ("Geneve", 1, |ip| udp_tunnel(6081, &[1, 0, 0x65, 0x58, 0, 0, 9, 0, 1, 2, 3, 0], &ethernet(ip))),
    ("VXLAN-GPE with IP", 1, |ip| udp_tunnel(4790, &[12, 0, 0, if ip[0] >> 4 == 4 { 1 } else { 2 }, 0, 0, 9, 0], ip)),
    ("VXLAN-GPE with Ethernet", 1, |ip| udp_tunnel(4790, &[12, 0, 0, 3, 0, 0, 9, 0], &ethernet(ip))),
    ("MPLS in UDP", 1, |ip| udp_tunnel(6635, &[0, 1, 0, 64, 0, 2, 1, 64], ip)),
    ("GRE in UDP", 1, |ip| udp_tunnel(4754, &[&[0x20, 0], &kind(ip)[..], &[0, 0, 0, 5]].concat(), ip)),
    ("LISP", 1, |ip| udp_tunnel(4341, &[0x80, 1, 2, 3, 0, 0, 0, 1], ip)),
    ("Teredo", 1, |ip| udp_tunnel(3544, &[0, 0, 0xb1, 0xdf, 0x3f, 0xff, 0xfd, 0xd2], &ipv6_around(ip))),
    ("Ethernet in IP", 1, |ip| ethernet(&outer(OUTER, 97, &[&[0x30, 0], &ethernet(ip)[..]].concat()))),
    ("VN-Tag", 1, |ip| framed(&[&[0x89, 0x26, 0, 1, 0, 2], &kind(ip)[..]].concat(), ip)),
    ("HSR", 1, |ip| framed(&[&[0x89, 0x2f, 0, 60, 0, 2], &kind(ip)[..]].concat(), ip)),
    ("E-Tag", 1, |ip| framed(&[&[0x89, 0x3f, 0, 1, 0, 2, 0, 0], &kind(ip)[..]].concat(), ip)),
    ("IP in IPv4", 1, |ip| ethernet(&outer(OUTER, ip_protocol(ip), ip))),
    ("IP in IPv6", 1, |ip| ethernet(&outer(OUTER_6, ip_protocol(ip), ip))),
    ("IPv6 with options around IP", 1, |ip| {
        let options = [&[ip_protocol(ip), 0, 1, 4, 0, 0, 0, 0][..], ip].concat();
        ethernet(&outer(OUTER_6, 60, &options))
    }),
    ("IP in segment routing", 1, |ip| {
        let routing = [&[ip_protocol(ip), 2, 4, 0, 0, 0, 0, 0][..], &[0xfd; 16], ip].concat();
        ethernet(&outer(OUTER_6, 43, &routing))
    }),
    ("Linux cooked", 113, |ip| [&[0, 4, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0], &kind(ip)[..], ip].concat()),
    ("Linux cooked, version 2", 276, |ip| [&kind(ip)[..], &[0, 0, 0, 0, 0, 3, 0, 1, 4, 6, 2, 0, 0, 0, 0, 1, 0, 0], ip].concat()),
    ("raw IP", 101, |ip| ip.to_vec()),
    ("BSD loopback, little-endian", 0, |ip| {
        let family = if ip[0] >> 4 == 4 { 2 } else { 30 };
        [&[family, 0, 0, 0][..], ip].concat()
    }),
    ("BSD loopback, big-endian", 0, |ip| {
        let family = if ip[0] >> 4 == 4 { 2 } else { 30 };
        [&[0, 0, 0, family][..], ip].concat()
    }),
    ("OpenBSD loopback", 108, |ip| {
        let family = if ip[0] >> 4 == 4 { 2 } else { 24 };
        [&[0, 0, 0, family][..], ip].concat()
    }),
    ("Cisco HDLC", 104, |ip| [&[0x0f, 0], &kind(ip)[..], ip].concat()),
];

/// A file of packets, of nanoseconds, in this order; `snap`: octets that are kept.
pub(super) fn capture(link: u32, packets: &[Passed], snap: usize) -> Vec<u8> {
    let mut file = pcap(false, 0xa1b2_3c4d, link, &[]);
    for (at, octets) in packets {
        let kept = &octets[..octets.len().min(snap)];
        let [s, ns] = [at / SECOND, at % SECOND].map(|time| u32::try_from(time).unwrap());
        let [kept_octets, all] = [kept.len(), octets.len()].map(|n| u32::try_from(n).unwrap());
        for field in [s, ns, kept_octets, all] {
            file.extend(number(false, field));
        }
        file.extend(kept);
    }
    file
}

pub(super) fn sorted(runs: &[Spec]) -> Vec<Passed> {
    let mut packets: Vec<Passed> = runs.iter().flat_map(Spec::packets).collect();
    packets.sort_by_key(|(at, _)| *at);
    packets
}

/// The result of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) sender: String,
    pub(super) ssid: u16,
    pub(super) sent: usize,
    pub(super) received: usize,
    pub(super) lost: usize,
    pub(super) duplicates: usize,
    pub(super) under_way: u64,
    /// Round trips, shortest and longest.
    pub(super) trips: Option<[i64; 2]>,
}

/// Sent, received, lost, duplicates.
pub(super) fn figures(outcomes: &[Outcome]) -> Vec<[usize; 4]> {
    let figures = outcomes.iter();
    figures
        .map(|of| [of.sent, of.received, of.lost, of.duplicates])
        .collect()
}

/// A directory of files to read.
pub(super) struct Files {
    _directory: tempfile::TempDir,
    paths: Vec<PathBuf>,
}

impl Files {
    pub(super) fn new(files: &[Vec<u8>]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let paths = (0..).zip(files).map(|(place, octets)| {
            let path = directory.path().join(format!("{place}.pcap"));
            std::fs::write(&path, octets).unwrap();
            path
        });
        let paths = paths.collect();
        Self {
            _directory: directory,
            paths,
        }
    }

    pub(super) fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    pub(super) fn open(&self, port: Option<u16>) -> Capture {
        super::open(&self.paths, port, Duration::from_secs(2)).unwrap()
    }
}

/// A capture of this file alone.
pub(super) fn open(file: Vec<u8>) -> Capture {
    Files::new(&[file]).read()
}

impl Files {
    /// Reads all of it, so that the files may go.
    fn read(&self) -> Capture {
        let capture = self.open(None);
        outcomes(&capture);
        capture
    }
}

/// The result of each session.
pub(super) fn outcomes(capture: &Capture) -> Vec<Outcome> {
    let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); capture.sessions().len()];
    let done = capture.each(|row| {
        if let Record::Sample(sample) = row.record {
            samples[usize::try_from(row.session).unwrap() - 1].push(sample);
        }
        Ok::<(), ()>(())
    });
    assert!(done.is_ok());
    let sessions = capture.sessions.iter().zip(samples);
    sessions
        .map(|(known, samples)| {
            let of = |fate: Fate| samples.iter().filter(|sample| sample.fate == fate).count();
            let trips = samples.iter().filter_map(Sample::round_trip).map(Delta::ns);
            Outcome {
                sender: known.run.sender.to_string(),
                ssid: known.run.ssid(),
                sent: samples.len() - of(Fate::Duplicate),
                received: of(Fate::Received),
                lost: of(Fate::Lost) + of(Fate::Late),
                duplicates: of(Fate::Duplicate),
                under_way: known.under_way,
                trips: trips.clone().min().zip(trips.max()).map(|(a, b)| [a, b]),
            }
        })
        .collect()
}

/// The results of the sessions of such a file.
pub(super) fn read(file: Vec<u8>) -> Vec<Outcome> {
    let files = Files::new(&[file]);
    outcomes(&files.open(None))
}
