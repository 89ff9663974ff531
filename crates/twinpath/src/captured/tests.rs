//! Packets and files to read, built octet by octet.

mod clock_steps;
mod copies;
mod cut;
mod damage;
mod decoder;
mod files;
mod foreign;
mod frames;
mod gaps;
mod one_way;
mod order;
mod runs;
mod sessions;
mod traffic;

use std::path::{Path, PathBuf};
use std::time::Duration;

use twinpath_proto::stamp::StampKeys;
use twinpath_report::{Finding, Note};

use super::file::{End, Packets};
use super::{Capture, CaptureError};
use crate::output::words;

/// What the datagrams of these tests carry.
const PAYLOAD: &[u8] = b"sixteen octets..";
const ETHERNET: u32 = 1;

/// A capture as it is read without keys.
fn open(
    paths: &[PathBuf],
    port: Option<u16>,
    timeout: Duration,
) -> Result<Capture, (PathBuf, CaptureError)> {
    Capture::open(paths, port, timeout, StampKeys::default())
}

/// Findings in words.
fn in_words<F: Into<Finding>>(findings: Vec<F>) -> Vec<Note> {
    let findings: Vec<Finding> = findings.into_iter().map(Into::into).collect();
    words::finding::notes(&findings)
}

/// Why a capture gives no report, with what was left out.
fn in_full(error: &CaptureError) -> String {
    let left_out = in_words(error.findings().to_vec());
    left_out.iter().fold(error.to_string(), |said, note| {
        format!("{said}; {}", note.line)
    })
}

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

fn packets(file: &[u8]) -> Result<(Vec<Read>, End), CaptureError> {
    let mut packets = Packets::open(file)?;
    let mut found = Vec::new();
    while packets.advance()? {
        let packet = packets.current();
        found.push((packet.at.unix_ns(), packet.link, packet.octets.clone()));
    }
    Ok((found, packets.end()))
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

fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/captures")
}
