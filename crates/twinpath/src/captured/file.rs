//! Reads packets from pcap (microseconds or nanoseconds) and pcapng files, one at a time.

use std::cell::Cell;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Read};
use std::rc::Rc;

use pcap_parser::traits::{PcapNGPacketBlock as _, PcapReaderIterator};
use pcap_parser::{
    Block, InterfaceDescriptionBlock, LegacyPcapReader, PcapBlockOwned, PcapError, PcapNGReader,
};
use twinpath_report::words::is_plain;
use twinpath_wire::Wall;

use super::CaptureError;

/// Octets read at once.
const BUFFER: usize = 65_536;
/// The longest packet or block that is read; what is longer is damaged.
const LONGEST: usize = 16 << 20;
/// The most interfaces of a file.
const INTERFACES: usize = 4_096;
/// The longest name of an interface that is kept, in octets.
const LONGEST_NAME: usize = 64;
const OBSOLETE_PACKET: u32 = 2;

const PCAP_MICROSECONDS: u32 = 0xa1b2_c3d4;
const PCAP_NANOSECONDS: u32 = 0xa1b2_3c4d;
const SECTION: u32 = 0x0a0d_0d0a;

/// The kinds of capture files.
pub(crate) fn is_magic(octets: [u8; 4]) -> bool {
    let (little, big) = (u32::from_le_bytes(octets), u32::from_be_bytes(octets));
    let is = |magic| [PCAP_MICROSECONDS, PCAP_NANOSECONDS, SECTION].contains(&magic);
    is(little) || is(big)
}

/// A packet as it was captured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) at: Wall,
    /// LINKTYPE of its interface.
    pub(super) link: u32,
    /// Which of [`Packets::interfaces`] it was captured at.
    pub(super) interface: usize,
    /// The captured octets.
    pub(super) octets: Vec<u8>,
    /// Less than the packet had: the snap length, or the end of a capture buffer, cut it.
    pub(super) cut: bool,
}

/// How a capture ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// After a packet.
    Whole,
    /// Within a packet or block.
    BrokenOff,
    /// What follows cannot be read.
    Damaged(&'static str),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Interface {
    link: u32,
    /// Units per second.
    resolution: u64,
    offset_s: i64,
    /// Place in the names.
    place: usize,
}

/// The packets of a capture, one at a time.
pub(super) struct Packets<'a> {
    reader: Box<dyn PcapReaderIterator + 'a>,
    failure: Failure,
    /// Of a pcap file: link type, and nanoseconds of a unit of its fractions.
    pcap: Option<(u32, i64)>,
    /// Of the section.
    interfaces: Vec<Interface>,
    names: Vec<String>,
    big_endian: bool,
    capacity: usize,
    current: Packet,
    without_time: u64,
    end: End,
}

impl<'a> Packets<'a> {
    /// # Errors
    /// [`CaptureError`]: it cannot be read, or not even its beginning is one of a capture.
    pub(super) fn open(input: impl Read + 'a) -> Result<Self, CaptureError> {
        let failure = Failure::default();
        let mut input = BufReader::new(input);
        let magic = input.fill_buf()?.first_chunk().copied();
        let is_section = magic.map(u32::from_be_bytes) == Some(SECTION);
        let input = Input {
            input,
            failure: failure.clone(),
        };
        let reader: Result<Box<dyn PcapReaderIterator + 'a>, _> = if is_section {
            PcapNGReader::new(BUFFER, input).map(|reader| Box::new(reader) as _)
        } else {
            LegacyPcapReader::new(BUFFER, input).map(|reader| Box::new(reader) as _)
        };
        let reader = reader.map_err(|error| match (failure.take(), error) {
            (Some(error), _) => CaptureError::Io(error),
            (None, PcapError::Incomplete(_)) => CaptureError::Damaged("it ends within its header"),
            (None, _) => CaptureError::Damaged("its header"),
        })?;
        Ok(Self {
            reader,
            failure,
            pcap: None,
            interfaces: Vec::new(),
            names: Vec::new(),
            big_endian: false,
            capacity: BUFFER,
            current: Packet::default(),
            without_time: 0,
            end: End::Whole,
        })
    }

    /// How the file ends, once all packets were read.
    pub(super) fn end(&self) -> End {
        self.end
    }

    /// Names of interfaces, as far as the file has been read; of a pcap file one without a name.
    pub(super) fn interfaces(&self) -> &[String] {
        &self.names
    }

    /// Packets in blocks without a time (Simple Packet Blocks, and obsolete ones).
    pub(super) fn without_time(&self) -> u64 {
        self.without_time
    }

    /// The packet that was read last.
    pub(super) fn current(&self) -> &Packet {
        &self.current
    }

    /// Goes on to the next packet; false at the end. A capture that breaks off in a packet, or is
    /// damaged from there on, ends before it.
    ///
    /// # Errors
    /// [`CaptureError::Io`].
    pub(super) fn advance(&mut self) -> Result<bool, CaptureError> {
        loop {
            if self.end != End::Whole {
                return Ok(false);
            }
            match self.reader.next() {
                Ok((octets, block)) => {
                    let kept = match block {
                        PcapBlockOwned::LegacyHeader(header) => {
                            // The upper bits describe frame check sequences.
                            let link = header.network.0.cast_unsigned() & 0xffff;
                            let nanoseconds = header.is_nanosecond_precision();
                            self.pcap = Some((link, if nanoseconds { 1 } else { 1_000 }));
                            self.names.push(String::new());
                            Ok(false)
                        }
                        PcapBlockOwned::Legacy(packet) => {
                            let (link, unit) = self.pcap.unwrap_or((0, 1));
                            let fraction = i64::from(packet.ts_usec) * unit;
                            self.current.at = Wall::from_unix_ns(
                                i64::from(packet.ts_sec) * 1_000_000_000 + fraction,
                            );
                            self.current.link = link;
                            self.current.cut = packet.caplen < packet.origlen;
                            self.current.octets.clear();
                            self.current.octets.extend_from_slice(packet.data);
                            Ok(true)
                        }
                        PcapBlockOwned::NG(block) => Section {
                            interfaces: &mut self.interfaces,
                            names: &mut self.names,
                            big_endian: &mut self.big_endian,
                            without_time: &mut self.without_time,
                        }
                        .take(&block, &mut self.current),
                    };
                    self.reader.consume(octets);
                    match kept {
                        Ok(true) => return Ok(true),
                        Ok(false) => {}
                        Err(what) => self.end = End::Damaged(what),
                    }
                }
                Err(PcapError::Eof) => return Ok(false),
                Err(PcapError::UnexpectedEof) => {
                    if self.reader.data().is_empty() {
                        return Ok(false);
                    }
                    self.end = End::BrokenOff;
                }
                Err(PcapError::Incomplete(_)) => self.refill()?,
                Err(PcapError::BufferTooSmall) => {
                    self.capacity *= 2;
                    if self.capacity > 2 * LONGEST {
                        self.end = End::Damaged("the length of a packet or block");
                    } else {
                        self.reader.grow(self.capacity);
                        self.refill()?;
                    }
                }
                Err(
                    PcapError::ReadError
                    | PcapError::HeaderNotRecognized
                    | PcapError::NomError(..)
                    | PcapError::OwnedNomError(..),
                ) => self.end = End::Damaged("a block"),
            }
        }
    }

    fn refill(&mut self) -> Result<(), CaptureError> {
        let failed = self.reader.refill().is_err();
        match self.failure.take() {
            Some(error) => Err(error.into()),
            None if failed => Err(io::Error::from(ErrorKind::Other).into()),
            None => Ok(()),
        }
    }
}

/// What a block of pcapng changes.
struct Section<'a> {
    interfaces: &'a mut Vec<Interface>,
    names: &'a mut Vec<String>,
    big_endian: &'a mut bool,
    without_time: &'a mut u64,
}

impl Section<'_> {
    /// Whether it holds a packet, which is kept then.
    fn take(&mut self, block: &Block<'_>, packet: &mut Packet) -> Result<bool, &'static str> {
        match block {
            Block::SectionHeader(header) => {
                *self.big_endian = header.big_endian();
                self.interfaces.clear();
            }
            Block::InterfaceDescription(described) => self.interface(described)?,
            Block::EnhancedPacket(enhanced) => {
                let interface = usize::try_from(enhanced.if_id)
                    .ok()
                    .and_then(|id| self.interfaces.get(id))
                    .ok_or("a packet of no interface")?;
                let units = u128::from(enhanced.ts_high) << 32 | u128::from(enhanced.ts_low);
                let ns = units * 1_000_000_000 / u128::from(interface.resolution.max(1));
                let ns = i64::try_from(ns).unwrap_or(i64::MAX);
                let offset = interface.offset_s.saturating_mul(1_000_000_000);
                packet.at = Wall::from_unix_ns(ns.saturating_add(offset));
                packet.link = interface.link;
                packet.interface = interface.place;
                packet.cut = enhanced.caplen < enhanced.origlen;
                packet.octets.clear();
                packet.octets.extend_from_slice(enhanced.packet_data());
                return Ok(true);
            }
            Block::SimplePacket(_) => *self.without_time += 1,
            Block::Unknown(other) if self.is_obsolete(other.block_type) => *self.without_time += 1,
            Block::NameResolution(_)
            | Block::InterfaceStatistics(_)
            | Block::SystemdJournalExport(_)
            | Block::DecryptionSecrets(_)
            | Block::ProcessInformation(_)
            | Block::Custom(_)
            | Block::Unknown(_) => {}
        }
        Ok(false)
    }

    /// The type of a block was read as little-endian.
    fn is_obsolete(&self, kind: u32) -> bool {
        let kind = if *self.big_endian {
            kind.swap_bytes()
        } else {
            kind
        };
        kind == OBSOLETE_PACKET
    }

    fn interface(&mut self, block: &InterfaceDescriptionBlock<'_>) -> Result<(), &'static str> {
        // The library has no powers of 2.
        let exponent = u32::from(block.if_tsresol & 0x7f);
        let base: u64 = if block.if_tsresol & 0x80 == 0 { 10 } else { 2 };
        let resolution = base
            .checked_pow(exponent)
            .ok_or("the resolution of timestamps")?;
        // It reads the offset as little-endian whatever the section is.
        let offset_s = if *self.big_endian {
            block.if_tsoffset.swap_bytes()
        } else {
            block.if_tsoffset
        };
        let id = self.interfaces.len();
        let name = match block.if_name() {
            Some(Ok(name)) if !name.is_empty() => plain(name),
            _ => format!("number {id}"),
        };
        // The next section describes the same interfaces again.
        let place = self.names.iter().position(|known| *known == name);
        let place = place.unwrap_or(self.names.len());
        if place == self.names.len() {
            self.names.push(name);
        }
        if id >= INTERFACES || place >= INTERFACES {
            return Err("the number of its interfaces");
        }
        self.interfaces.push(Interface {
            link: block.linktype.0.cast_unsigned(),
            resolution,
            offset_s,
            place,
        });
        Ok(())
    }
}

/// A name for a terminal: short, without control characters.
fn plain(name: &str) -> String {
    let shown = name.chars().filter(|c| is_plain(*c));
    shown.take(LONGEST_NAME).collect()
}

/// The system's error, which the library does not pass on.
#[derive(Clone, Default)]
struct Failure(Rc<Cell<Option<io::Error>>>);

impl Failure {
    fn take(&self) -> Option<io::Error> {
        self.0.take()
    }
}

/// A file that remembers why it could not be read.
struct Input<R> {
    input: R,
    failure: Failure,
}

impl<R: Read> Read for Input<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.input.read(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    let kind = error.kind();
                    self.failure.0.set(Some(error));
                    return Err(kind.into());
                }
                read => return read,
            }
        }
    }
}
