//! Packets out of pcap (libpcap 2.4, microseconds or nanoseconds) and pcapng files.

use std::io::{self, ErrorKind, Read};

use twinpath_wire::Wall;

use super::CaptureError;

/// The longest packet that is read; what is longer is damaged (tcpdump's own limit).
const LONGEST: usize = 262_144;
/// Interfaces of a pcapng section at most.
const INTERFACES: usize = 4_096;

const PCAP_MICROSECONDS: u32 = 0xa1b2_c3d4;
const PCAP_NANOSECONDS: u32 = 0xa1b2_3c4d;
const SECTION: u32 = 0x0a0d_0d0a;
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
const INTERFACE: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const OPTION_RESOLUTION: u16 = 9;
const OPTION_OFFSET: u16 = 14;

/// What a capture begins with.
pub(crate) fn is_magic(octets: [u8; 4]) -> bool {
    let (little, big) = (u32::from_le_bytes(octets), u32::from_be_bytes(octets));
    let is = |magic| [PCAP_MICROSECONDS, PCAP_NANOSECONDS, SECTION].contains(&magic);
    is(little) || is(big)
}

/// A packet as it was captured.
#[derive(Debug)]
pub(super) struct Packet<'a> {
    pub(super) at: Wall,
    /// LINKTYPE of its interface.
    pub(super) link: u32,
    pub(super) octets: &'a [u8],
}

/// The packets of a capture, one at a time.
#[derive(Debug)]
pub(super) struct Packets<R> {
    input: R,
    form: Form,
    big_endian: bool,
    octets: Vec<u8>,
    broken_off: bool,
}

#[derive(Debug)]
enum Form {
    Pcap { link: u32, nanoseconds: bool },
    Pcapng(Vec<Interface>),
}

#[derive(Clone, Copy, Debug)]
struct Interface {
    link: u32,
    /// Units per second.
    resolution: u64,
    offset_s: i64,
}

impl<R: Read> Packets<R> {
    pub(super) fn open(mut input: R) -> Result<Self, CaptureError> {
        let mut magic = [0; 4];
        input.read_exact(&mut magic)?;
        let big_endian = [PCAP_MICROSECONDS, PCAP_NANOSECONDS].contains(&u32::from_be_bytes(magic));
        let mut packets = Self {
            input,
            form: Form::Pcapng(Vec::new()),
            big_endian,
            octets: Vec::new(),
            broken_off: false,
        };
        let magic = packets.u32(magic);
        if magic == SECTION || u32::swap_bytes(magic) == SECTION {
            packets.section()?;
            return Ok(packets);
        }
        let mut header = [0; 20];
        packets.exactly(&mut header)?;
        let [.., a, b, c, d] = header;
        packets.form = Form::Pcap {
            // The upper bits tell of frame check sequences.
            link: packets.u32([a, b, c, d]) & 0xffff,
            nanoseconds: magic == PCAP_NANOSECONDS,
        };
        Ok(packets)
    }

    /// Whether the file has ended within a packet or block.
    pub(super) fn broken_off(&self) -> bool {
        self.broken_off
    }

    /// The next packet; `None` at the end. A capture that breaks off in a packet ends before it.
    pub(super) fn next(&mut self) -> Result<Option<Packet<'_>>, CaptureError> {
        match self.form {
            Form::Pcap { link, nanoseconds } => self.next_pcap(link, nanoseconds),
            Form::Pcapng(_) => self.next_pcapng(),
        }
    }

    fn next_pcap(
        &mut self,
        link: u32,
        nanoseconds: bool,
    ) -> Result<Option<Packet<'_>>, CaptureError> {
        let mut header = [0; 16];
        if !self.begins(&mut header)? {
            return Ok(None);
        }
        let [s, fraction, length] = [0, 4, 8].map(|at| self.u32_at(&header, at));
        let scale = if nanoseconds { 1 } else { 1_000 };
        let at = i64::from(s) * 1_000_000_000 + i64::from(fraction) * scale;
        if !self.take(length)? {
            return Ok(None);
        }
        Ok(Some(Packet {
            at: Wall::from_unix_ns(at),
            link,
            octets: &self.octets,
        }))
    }

    fn next_pcapng(&mut self) -> Result<Option<Packet<'_>>, CaptureError> {
        loop {
            let mut header = [0; 4];
            if !self.begins(&mut header)? {
                return Ok(None);
            }
            let kind = self.u32(header);
            if kind == SECTION {
                self.section()?;
                continue;
            }
            let mut length = [0; 4];
            if !self.more(&mut length)? {
                return Ok(None);
            }
            let body = Self::body(self.u32(length))?;
            if kind == INTERFACE || kind == ENHANCED_PACKET {
                if !self.take(body)? || !self.skip(4)? {
                    return Ok(None);
                }
                if kind == INTERFACE {
                    self.interface()?;
                } else if let Some((at, link, range)) = self.enhanced()? {
                    let octets = self.octets.get(range).unwrap_or_default();
                    return Ok(Some(Packet { at, link, octets }));
                }
            } else if !self.skip(u64::from(body) + 4)? {
                return Ok(None);
            }
        }
    }

    /// Octets of a block's body by its total length, which counts 12 octets around it.
    fn body(total: u32) -> Result<u32, CaptureError> {
        total
            .checked_sub(12)
            .filter(|_| total.is_multiple_of(4))
            .ok_or(CaptureError::Damaged("the length of a block"))
    }

    /// The rest of a section header block, its type being read: octets are ordered anew, interfaces
    /// begin anew.
    fn section(&mut self) -> Result<(), CaptureError> {
        let mut head = [0; 8];
        self.exactly(&mut head)?;
        let [a, b, c, d, order @ ..] = head;
        self.big_endian = u32::from_be_bytes(order) == BYTE_ORDER;
        if self.u32(order) != BYTE_ORDER {
            return Err(CaptureError::Damaged("the order of octets in a section"));
        }
        let body = Self::body(self.u32([a, b, c, d]))?;
        let rest = body
            .checked_sub(4)
            .ok_or(CaptureError::Damaged("a section"))?;
        self.form = Form::Pcapng(Vec::new());
        self.skip(u64::from(rest) + 4)?;
        Ok(())
    }

    /// An interface description block, its body being read.
    fn interface(&mut self) -> Result<(), CaptureError> {
        let link = self.u16_at(&self.octets, 0).into();
        let mut interface = Interface {
            link,
            resolution: 1_000_000,
            offset_s: 0,
        };
        let mut at = 8;
        while at + 4 <= self.octets.len() {
            let code = self.u16_at(&self.octets, at);
            let length = usize::from(self.u16_at(&self.octets, at + 2));
            let value = self.octets.get(at + 4..at + 4 + length).unwrap_or_default();
            match (code, value) {
                (0, _) => break,
                (OPTION_RESOLUTION, [exponent, ..]) => {
                    let base: u64 = if exponent & 0x80 == 0 { 10 } else { 2 };
                    interface.resolution = base
                        .checked_pow(u32::from(exponent & 0x7f))
                        .ok_or(CaptureError::Damaged("the resolution of time stamps"))?;
                }
                (OPTION_OFFSET, value) => {
                    let octets = *value
                        .first_chunk()
                        .ok_or(CaptureError::Damaged("an interface"))?;
                    interface.offset_s = if self.big_endian {
                        i64::from_be_bytes(octets)
                    } else {
                        i64::from_le_bytes(octets)
                    };
                }
                _ => {}
            }
            at += 4 + length.next_multiple_of(4);
        }
        match &mut self.form {
            Form::Pcapng(interfaces) if interfaces.len() < INTERFACES => {
                interfaces.push(interface);
                Ok(())
            }
            Form::Pcapng(_) | Form::Pcap { .. } => Err(CaptureError::Damaged("its interfaces")),
        }
    }

    /// An enhanced packet block, its body being read: when, of which link, and where in it.
    fn enhanced(&self) -> Result<Option<(Wall, u32, std::ops::Range<usize>)>, CaptureError> {
        let damaged = CaptureError::Damaged("a packet block");
        if self.octets.len() < 20 {
            return Err(damaged);
        }
        let [id, high, low, captured] = [0, 4, 8, 12].map(|at| self.u32_at(&self.octets, at));
        let Form::Pcapng(interfaces) = &self.form else {
            return Ok(None);
        };
        let interface = usize::try_from(id).ok().and_then(|id| interfaces.get(id));
        let Some(interface) = interface else {
            return Err(CaptureError::Damaged("a packet of no interface"));
        };
        let units = u128::from(high) << 32 | u128::from(low);
        let ns = units * 1_000_000_000 / u128::from(interface.resolution.max(1));
        let ns = i64::try_from(ns).unwrap_or(i64::MAX);
        let at = ns.saturating_add(interface.offset_s.saturating_mul(1_000_000_000));
        let end = 20 + usize::try_from(captured).unwrap_or(usize::MAX).min(LONGEST);
        if end > self.octets.len() {
            return Err(damaged);
        }
        Ok(Some((Wall::from_unix_ns(at), interface.link, 20..end)))
    }

    /// The next octets of a packet or block; false at the end of the file.
    fn take(&mut self, octets: u32) -> Result<bool, CaptureError> {
        let octets = usize::try_from(octets).unwrap_or(usize::MAX);
        if octets > LONGEST + 64 {
            return Err(CaptureError::Damaged("the length of a packet"));
        }
        self.octets.resize(octets, 0);
        let mut buffer = std::mem::take(&mut self.octets);
        let whole = self.more(&mut buffer);
        self.octets = buffer;
        whole
    }

    /// The beginning of a packet or block; false at the end of the file.
    fn begins(&mut self, header: &mut [u8]) -> Result<bool, CaptureError> {
        let Some((first, rest)) = header.split_first_mut() else {
            return Ok(false);
        };
        // Between two of them a file may end.
        let there = self.fill(std::slice::from_mut(first))?;
        Ok(there && self.more(rest)?)
    }

    /// Fills the buffer within a packet or block; false if the file breaks off before.
    fn more(&mut self, buffer: &mut [u8]) -> Result<bool, CaptureError> {
        let whole = self.fill(buffer)?;
        self.broken_off |= !whole;
        Ok(whole)
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<bool, CaptureError> {
        match self.input.read_exact(buffer) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn exactly(&mut self, buffer: &mut [u8]) -> Result<(), CaptureError> {
        if self.more(buffer)? {
            Ok(())
        } else {
            Err(CaptureError::Damaged("it breaks off in its header"))
        }
    }

    fn skip(&mut self, octets: u64) -> Result<bool, CaptureError> {
        let skipped = io::copy(&mut (&mut self.input).take(octets), &mut io::sink())?;
        self.broken_off |= skipped < octets;
        Ok(skipped == octets)
    }

    fn u32(&self, octets: [u8; 4]) -> u32 {
        if self.big_endian {
            u32::from_be_bytes(octets)
        } else {
            u32::from_le_bytes(octets)
        }
    }

    /// 0 where the octets end before.
    fn u32_at(&self, octets: &[u8], at: usize) -> u32 {
        let four = octets.get(at..).and_then(|octets| octets.first_chunk());
        four.map_or(0, |octets| self.u32(*octets))
    }

    fn u16_at(&self, octets: &[u8], at: usize) -> u16 {
        let two = octets.get(at..).and_then(|octets| octets.first_chunk());
        two.map_or(0, |octets| {
            if self.big_endian {
                u16::from_be_bytes(*octets)
            } else {
                u16::from_le_bytes(*octets)
            }
        })
    }
}
