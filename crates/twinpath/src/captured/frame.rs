//! From a captured frame to the UDP datagram in it, through what it is wrapped in.
//!
//! Ethernet, VLAN tags, IP and its extension headers, and UDP are read by `etherparse`. MPLS, PPP,
//! GRE and the headers of cooked captures are some octets each, read here; tunnels in UDP in [`tunnel`].

mod tunnel;

use std::net::SocketAddr;

use etherparse::{
    Ethernet2HeaderSlice, IpAuthHeaderSlice, IpNumber, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice,
    Ipv6HeaderSlice, Ipv6RawExtHeaderSlice, SingleVlanHeaderSlice, UdpHeaderSlice,
};
use twinpath_wire::Tos;

/// The most headers in a row, so that decoding ends for every frame.
const DEEPEST: usize = 24;

/// A UDP datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Datagram<'a> {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) ttl: u8,
    pub(super) tos: Tos,
    /// What was captured of its payload.
    pub(super) payload: &'a [u8],
    /// How long its payload was.
    pub(super) octets: usize,
    /// More fragments of it follow.
    pub(super) is_fragment: bool,
    /// The interface by the system's own number, where a cooked capture has it.
    pub(super) ifindex: Option<u32>,
}

/// Why a frame contains no datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotDatagram {
    /// No UDP.
    Other,
    /// It was captured without the end of its headers.
    Cut,
    /// A fragment without the headers.
    LaterFragment,
    /// In something that is not read here.
    Wrapped(&'static str),
    /// Of a link that is not read here.
    Link(u32),
    /// Its headers are impossible.
    Malformed,
}

/// What comes next in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    Ethernet,
    /// What follows this EtherType.
    Type(u16),
    Ip,
    Mpls,
    Ppp,
    Gre,
    EtherIp,
    Udp,
}

mod ether_type {
    pub(super) const IPV4: u16 = 0x0800;
    pub(super) const IPV6: u16 = 0x86dd;
    pub(super) const VLANS: [u16; 4] = [0x8100, 0x88a8, 0x9100, 0x9200];
    /// Other tags, and how long they are with the type of what follows: VN-Tag, HSR, E-Tag.
    pub(super) const TAGS: [(u16, usize); 3] = [(0x8926, 6), (0x892f, 6), (0x893f, 8)];
    pub(super) const MPLS: [u16; 2] = [0x8847, 0x8848];
    pub(super) const PPP: u16 = 0x880b;
    pub(super) const PPPOE_SESSION: u16 = 0x8864;
    pub(super) const ETHERNET: u16 = 0x6558;
    pub(super) const MACSEC: u16 = 0x88e5;
    pub(super) const METADATA: u16 = 0x8909;
    pub(super) const PROVIDER_BACKBONE: u16 = 0x88e7;
    pub(super) const NSH: u16 = 0x894f;
    pub(super) const TRILL: u16 = 0x22f3;
    pub(super) const ERSPAN: u16 = 0x88be;
    pub(super) const ERSPAN_3: u16 = 0x22eb;
}

/// The datagram in a frame of this link.
///
/// # Errors
/// Why there is no datagram. `cut`: more was sent than was captured.
pub(super) fn udp(link: u32, frame: &[u8], cut: bool) -> Result<Datagram<'_>, NotDatagram> {
    let read = unwrapped(link, frame);
    match read {
        // What ends early where nothing was cut is wrong in itself.
        Err(NotDatagram::Cut) if !cut => Err(NotDatagram::Malformed),
        read => read,
    }
}

fn unwrapped(link: u32, frame: &[u8]) -> Result<Datagram<'_>, NotDatagram> {
    let (mut layer, mut rest) = begin(link, frame)?;
    let mut found = Outer {
        ifindex: (link == LINUX_COOKED_2)
            .then(|| be32(frame, 4))
            .transpose()?,
        ..Outer::default()
    };
    for _ in 0..DEEPEST {
        (layer, rest) = match layer {
            Layer::Ethernet => {
                let header =
                    Ethernet2HeaderSlice::from_slice(rest).map_err(|_| NotDatagram::Cut)?;
                (Layer::Type(header.ether_type().0), after(rest, 14)?)
            }
            Layer::Type(kind) => by_type(kind, rest)?,
            Layer::Ip => found.ip(rest)?,
            Layer::Mpls => mpls(rest)?,
            Layer::Ppp => ppp(rest)?,
            Layer::Gre => gre(rest)?,
            Layer::EtherIp => (Layer::Ethernet, after(rest, 2)?),
            Layer::Udp => match found.datagram(rest)? {
                Inner::Datagram(datagram) => return Ok(datagram),
                Inner::Wrapped(layer, rest) => (layer, rest),
            },
        };
    }
    Err(NotDatagram::Wrapped("too many headers"))
}

const LINUX_COOKED: u32 = 113;
const LINUX_COOKED_2: u32 = 276;

/// What a frame of this link begins with (LINKTYPE numbers of pcap).
fn begin(link: u32, frame: &[u8]) -> Result<(Layer, &[u8]), NotDatagram> {
    Ok(match link {
        1 => (Layer::Ethernet, frame),
        LINUX_COOKED => (Layer::Type(be16(frame, 14)?), after(frame, 16)?),
        LINUX_COOKED_2 => (Layer::Type(be16(frame, 0)?), after(frame, 20)?),
        // BSD loopback, in both orders of octets: a family as the capturing host has it.
        0 | 108 => (Layer::Ip, after(frame, 4)?),
        // Raw IP.
        12 | 14 | 101 | 228 | 229 => (Layer::Ip, frame),
        // PPP, alone and in the framing of HDLC.
        9 | 50 => (Layer::Ppp, frame),
        // PPPoE.
        51 => (Layer::Type(ether_type::PPPOE_SESSION), frame),
        // Cisco HDLC.
        104 => (Layer::Type(be16(frame, 2)?), after(frame, 4)?),
        219 => (Layer::Mpls, frame),
        other => return Err(NotDatagram::Link(other)),
    })
}

fn by_type(kind: u16, rest: &[u8]) -> Result<(Layer, &[u8]), NotDatagram> {
    use ether_type as of;
    match kind {
        of::IPV4 | of::IPV6 => Ok((Layer::Ip, rest)),
        of::ETHERNET => Ok((Layer::Ethernet, rest)),
        of::PPP => Ok((Layer::Ppp, rest)),
        of::PPPOE_SESSION => {
            // RFC 2516 section 4: version 1, type 1, code 0.
            match rest {
                [0x11, 0, ..] => Ok((Layer::Ppp, after(rest, 6)?)),
                [_, _, ..] => Err(NotDatagram::Other),
                _ => Err(NotDatagram::Cut),
            }
        }
        tag if of::VLANS.contains(&tag) => {
            let header = SingleVlanHeaderSlice::from_slice(rest).map_err(|_| NotDatagram::Cut)?;
            Ok((Layer::Type(header.ether_type().0), after(rest, 4)?))
        }
        label if of::MPLS.contains(&label) => Ok((Layer::Mpls, rest)),
        of::MACSEC => Err(NotDatagram::Wrapped("MACsec")),
        of::METADATA => Err(NotDatagram::Wrapped("Cisco MetaData")),
        of::PROVIDER_BACKBONE => Err(NotDatagram::Wrapped("PBB")),
        of::NSH => Err(NotDatagram::Wrapped("NSH")),
        of::TRILL => Err(NotDatagram::Wrapped("TRILL")),
        of::ERSPAN | of::ERSPAN_3 => Err(NotDatagram::Wrapped("ERSPAN")),
        // A length: LLC. IP is behind SNAP (RFC 1042).
        0..0x0600 => match rest {
            [0xaa, 0xaa, 3, 0, 0, 0, high, low, rest @ ..] => {
                Ok((Layer::Type(u16::from_be_bytes([*high, *low])), rest))
            }
            _ => Err(NotDatagram::Other),
        },
        _ => {
            let tag = of::TAGS.iter().find(|(tag, _)| *tag == kind);
            let (_, octets) = tag.ok_or(NotDatagram::Other)?;
            Ok((Layer::Type(be16(rest, octets - 2)?), after(rest, *octets)?))
        }
    }
}

/// A stack of labels (RFC 3032 section 2.1). The first four bits behind it show what it carries:
/// IP, or the control word of a pseudowire (RFC 4385 section 3), or Ethernet without one. Addresses of
/// Ethernet may begin with the same bits (RFC 4448 section 4.6).
fn mpls(mut rest: &[u8]) -> Result<(Layer, &[u8]), NotDatagram> {
    for _ in 0..DEEPEST {
        let is_last = *rest.get(2).ok_or(NotDatagram::Cut)? & 1 != 0;
        rest = after(rest, 4)?;
        if is_last {
            let is_frame = is_ethernet(rest);
            return Ok(match rest.first().ok_or(NotDatagram::Cut)? >> 4 {
                4 | 6 if !is_frame || is_ip(rest, rest.len()) => (Layer::Ip, rest),
                0 if !is_frame || rest.get(4..).is_some_and(is_ethernet) => {
                    (Layer::Ethernet, after(rest, 4)?)
                }
                1 if !is_frame => return Err(NotDatagram::Other),
                _ => (Layer::Ethernet, rest),
            });
        }
    }
    Err(NotDatagram::Wrapped("too many headers"))
}

/// Whether it is a frame of Ethernet in which IP is, or more labels.
fn is_ethernet(frame: &[u8]) -> bool {
    let mut rest = frame.get(12..).unwrap_or_default();
    while let [high, low, tail @ ..] = rest {
        let version = tail.first().map(|octet| octet >> 4);
        match (u16::from_be_bytes([*high, *low]), version) {
            (ether_type::IPV4, Some(4))
            | (ether_type::IPV6, Some(6))
            | (ether_type::PPPOE_SESSION, Some(1)) => return true,
            (label, Some(_)) if ether_type::MPLS.contains(&label) => return true,
            (tag, _) if ether_type::VLANS.contains(&tag) => {
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => return false,
        }
    }
    false
}

/// What can be read behind IPv6, or is counted: its extension headers (RFC 8200 section 4), and what
/// [`layer`] covers.
fn is_read_behind_v6(number: u8) -> bool {
    matches!(number, 0 | 43 | 44 | 51 | 60) || layer(IpNumber(number)) != Err(NotDatagram::Other)
}

/// Whether it is an IP packet of this many octets, or one with the right checksum.
fn is_ip(packet: &[u8], octets: usize) -> bool {
    let told = |at, more| be16(packet, at).is_ok_and(|told| usize::from(told) + more == octets);
    match packet.first().map(|octet| octet >> 4) {
        Some(4) => Ipv4HeaderSlice::from_slice(packet).is_ok_and(|header| {
            told(2, 0) || header.header_checksum() == header.to_header().calc_header_checksum()
        }),
        Some(6) => told(4, 40) && packet.get(6).copied().is_some_and(is_read_behind_v6),
        _ => false,
    }
}

/// A protocol of one or two octets, behind the address and control octets of HDLC where they are
/// not left out (RFC 1661 section 2, RFC 1662 section 3.1).
fn ppp(rest: &[u8]) -> Result<(Layer, &[u8]), NotDatagram> {
    let rest = rest.strip_prefix(&[0xff, 3]).unwrap_or(rest);
    let (protocol, rest) = match *rest {
        [short, ref rest @ ..] if short & 1 != 0 => (u16::from(short), rest),
        [high, low, ref rest @ ..] => (u16::from_be_bytes([high, low]), rest),
        _ => return Err(NotDatagram::Cut),
    };
    match protocol {
        0x0021 | 0x0057 => Ok((Layer::Ip, rest)),
        0x0281 | 0x0283 => Ok((Layer::Mpls, rest)),
        0x0031 => Err(NotDatagram::Wrapped("bridging in PPP")),
        0x003d => Err(NotDatagram::Wrapped("multilink PPP")),
        0x0053 => Err(NotDatagram::Wrapped("encrypted PPP")),
        0x00fd => Err(NotDatagram::Wrapped("compressed PPP")),
        _ => Err(NotDatagram::Other),
    }
}

/// RFC 2784 and 2890: a checksum, a key and a number, each if its bit is set. Version 1 is PPTP's.
fn gre(rest: &[u8]) -> Result<(Layer, &[u8]), NotDatagram> {
    const CHECKSUM: u16 = 0x8000;
    const ROUTING: u16 = 0x4000;
    const KEY: u16 = 0x2000;
    const NUMBER: u16 = 0x1000;
    let flags = be16(rest, 0)?;
    let kind = be16(rest, 2)?;
    if flags & 7 != 0 {
        return Err(NotDatagram::Wrapped("GRE of PPTP"));
    }
    if flags & ROUTING != 0 {
        return Err(NotDatagram::Wrapped("GRE with routing"));
    }
    let options = [CHECKSUM, KEY, NUMBER].iter();
    let octets = 4 + 4 * options.filter(|bit| flags & *bit != 0).count();
    let rest = after(rest, octets)?;
    match kind {
        // Type I has no header of its own and no number, type II has both.
        ether_type::ERSPAN if flags & NUMBER == 0 => Ok((Layer::Ethernet, rest)),
        ether_type::ERSPAN => Ok((Layer::Ethernet, after(rest, 8)?)),
        kind => Ok((Layer::Type(kind), rest)),
    }
}

/// What is behind IP.
fn layer(number: IpNumber) -> Result<Layer, NotDatagram> {
    /// Frames, as segment routing carries them (RFC 8986 section 4.9).
    const ETHERNET: IpNumber = IpNumber(143);
    const L2TP: IpNumber = IpNumber(115);
    const ETHERNET_IN_IP: IpNumber = IpNumber(97);
    const COMPRESSED: IpNumber = IpNumber(108);
    match number {
        IpNumber::UDP => Ok(Layer::Udp),
        IpNumber::IPV4 | IpNumber::IPV6 => Ok(Layer::Ip),
        IpNumber::GRE => Ok(Layer::Gre),
        IpNumber::MPLS_IN_IP => Ok(Layer::Mpls),
        ETHERNET => Ok(Layer::Ethernet),
        // A version and nothing (RFC 3378 section 3), two octets.
        ETHERNET_IN_IP => Ok(Layer::EtherIp),
        COMPRESSED => Err(NotDatagram::Wrapped("IPComp")),
        IpNumber::ENCAPSULATING_SECURITY_PAYLOAD => Err(NotDatagram::Wrapped("ESP")),
        L2TP => Err(NotDatagram::Wrapped("L2TP")),
        _ => Err(NotDatagram::Other),
    }
}

enum Inner<'a> {
    Datagram(Datagram<'a>),
    Wrapped(Layer, &'a [u8]),
}

/// The contents of the headers read so far.
#[derive(Default)]
struct Outer {
    ends: Option<[std::net::IpAddr; 2]>,
    ttl: u8,
    tos: Tos,
    is_fragment: bool,
    /// A fragment, and not the first.
    is_later: bool,
    ifindex: Option<u32>,
}

/// What is behind the headers of IP.
struct Extended<'a> {
    number: IpNumber,
    rest: &'a [u8],
    /// A fragment, and not the first.
    is_later: bool,
}

impl Outer {
    fn ip<'a>(&mut self, rest: &'a [u8]) -> Result<(Layer, &'a [u8]), NotDatagram> {
        let (number, rest) = match rest.first().ok_or(NotDatagram::Cut)? >> 4 {
            4 => self.v4(rest)?,
            6 => self.v6(rest)?,
            _ => return Err(NotDatagram::Malformed),
        };
        let extended = self.extended(number, rest)?;
        let layer = layer(extended.number);
        if extended.is_later {
            // A fragment of a protocol that is not read at all is not reported.
            return Err(layer.err().unwrap_or(NotDatagram::LaterFragment));
        }
        Ok((layer?, extended.rest))
    }

    fn v4<'a>(&mut self, packet: &'a [u8]) -> Result<(IpNumber, &'a [u8]), NotDatagram> {
        use etherparse::err::ipv4::HeaderSliceError;
        let header = Ipv4HeaderSlice::from_slice(packet).map_err(|error| match error {
            HeaderSliceError::Len(_) => NotDatagram::Cut,
            HeaderSliceError::Content(_) => NotDatagram::Malformed,
        })?;
        self.ends = Some([
            header.source_addr().into(),
            header.destination_addr().into(),
        ]);
        self.ttl = header.ttl();
        self.tos = Tos(header.dcp().value() << 2 | header.ecn().value());
        self.is_fragment = header.is_fragmenting_payload();
        self.is_later = header.fragments_offset().value() != 0;
        // A total length of 0 is that of a packet that the interface is to cut (segmentation offload).
        let octets = match usize::from(header.total_len()) {
            0 => packet.len(),
            total => total,
        };
        let packet = packet.get(..octets).unwrap_or(packet);
        Ok((header.protocol(), after(packet, header.slice().len())?))
    }

    fn v6<'a>(&mut self, packet: &'a [u8]) -> Result<(IpNumber, &'a [u8]), NotDatagram> {
        use etherparse::err::ipv6::HeaderSliceError;
        let header = Ipv6HeaderSlice::from_slice(packet).map_err(|error| match error {
            HeaderSliceError::Len(_) => NotDatagram::Cut,
            HeaderSliceError::Content(_) => NotDatagram::Malformed,
        })?;
        self.ends = Some([
            header.source_addr().into(),
            header.destination_addr().into(),
        ]);
        self.ttl = header.hop_limit();
        self.tos = Tos(header.traffic_class());
        (self.is_fragment, self.is_later) = (false, false);
        let rest = after(packet, header.slice().len())?;
        let octets = match usize::from(header.payload_length()) {
            0 => rest.len(),
            octets => octets,
        };
        Ok((header.next_header(), rest.get(..octets).unwrap_or(rest)))
    }

    /// Goes on behind extension headers, one at a time: `etherparse` 0.21 has an iterator over them,
    /// which reads beyond what it was given where one of them is wrong.
    fn extended<'a>(
        &mut self,
        number: IpNumber,
        rest: &'a [u8],
    ) -> Result<Extended<'a>, NotDatagram> {
        use etherparse::err::ip_auth::HeaderSliceError;
        let mut extended = Extended {
            number,
            rest,
            is_later: self.is_later,
        };
        for _ in 0..DEEPEST {
            if extended.is_later {
                break;
            }
            let rest = extended.rest;
            let octets;
            (extended.number, octets) = match extended.number {
                IpNumber::IPV6_HEADER_HOP_BY_HOP
                | IpNumber::IPV6_ROUTE_HEADER
                | IpNumber::IPV6_DESTINATION_OPTIONS
                | IpNumber::MOBILITY_HEADER
                | IpNumber::HIP
                | IpNumber::SHIM6 => {
                    let header =
                        Ipv6RawExtHeaderSlice::from_slice(rest).map_err(|_| NotDatagram::Cut)?;
                    (header.next_header(), header.slice().len())
                }
                IpNumber::IPV6_FRAGMENTATION_HEADER => {
                    let header =
                        Ipv6FragmentHeaderSlice::from_slice(rest).map_err(|_| NotDatagram::Cut)?;
                    self.is_fragment |= header.is_fragmenting_payload();
                    extended.is_later = header.fragment_offset().value() != 0;
                    (header.next_header(), header.slice().len())
                }
                IpNumber::AUTHENTICATION_HEADER => {
                    let header =
                        IpAuthHeaderSlice::from_slice(rest).map_err(|error| match error {
                            HeaderSliceError::Len(_) => NotDatagram::Cut,
                            HeaderSliceError::Content(_) => NotDatagram::Malformed,
                        })?;
                    (header.next_header(), header.slice().len())
                }
                _ => return Ok(extended),
            };
            extended.rest = after(rest, octets)?;
        }
        if extended.is_later {
            Ok(extended)
        } else {
            Err(NotDatagram::Wrapped("too many headers"))
        }
    }

    fn datagram<'a>(&self, rest: &'a [u8]) -> Result<Inner<'a>, NotDatagram> {
        let header = UdpHeaderSlice::from_slice(rest).map_err(|_| NotDatagram::Cut)?;
        let (from, to) = (header.source_port(), header.destination_port());
        let octets = usize::from(header.length());
        let octets = octets.checked_sub(8).ok_or(NotDatagram::Malformed)?;
        let payload = after(rest, 8)?;
        let payload = payload.get(..octets).unwrap_or(payload);
        if let Some((layer, rest)) = tunnel::carried([from, to], payload, octets)? {
            return Ok(Inner::Wrapped(layer, rest));
        }
        let [source, destination] = self.ends.ok_or(NotDatagram::Malformed)?;
        Ok(Inner::Datagram(Datagram {
            from: SocketAddr::new(source, from),
            to: SocketAddr::new(destination, to),
            ttl: self.ttl,
            tos: self.tos,
            payload,
            octets,
            is_fragment: self.is_fragment,
            ifindex: self.ifindex,
        }))
    }
}

fn after(octets: &[u8], at: usize) -> Result<&[u8], NotDatagram> {
    octets.get(at..).ok_or(NotDatagram::Cut)
}

fn be16(octets: &[u8], at: usize) -> Result<u16, NotDatagram> {
    let rest = after(octets, at)?;
    Ok(u16::from_be_bytes(
        *rest.first_chunk().ok_or(NotDatagram::Cut)?,
    ))
}

fn be32(octets: &[u8], at: usize) -> Result<u32, NotDatagram> {
    let rest = after(octets, at)?;
    Ok(u32::from_be_bytes(
        *rest.first_chunk().ok_or(NotDatagram::Cut)?,
    ))
}
