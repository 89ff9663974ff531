//! The two octet streams of a control connection, out of a capture file.

use std::path::Path;

use pcap_parser::PcapCapture;

/// All octets of each side.
pub(crate) struct Streams {
    pub(crate) client: Vec<u8>,
    pub(crate) server: Vec<u8>,
}

/// The control connection of a capture; `port` is the Server's.
pub(crate) fn streams(file: &str, port: u16) -> Streams {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata/captures")
        .join(file);
    let octets = std::fs::read(path).unwrap();
    let packets = PcapCapture::from_file(&octets).unwrap().blocks;
    let mut found = Streams {
        client: Vec::new(),
        server: Vec::new(),
    };
    let mut next = [None, None];
    for packet in packets {
        let Some(segment) = tcp(packet.data) else {
            continue;
        };
        let from_server = segment.from == port;
        let side = usize::from(from_server);
        // The captures are of the loopback: nothing is lost, repeated or reordered.
        let expected = next[side].replace(segment.next);
        assert!(expected.is_none_or(|at| at == segment.sequence), "{file}");
        if from_server {
            found.server.extend(segment.octets);
        } else {
            found.client.extend(segment.octets);
        }
    }
    assert!(
        !found.client.is_empty() && !found.server.is_empty(),
        "{file}"
    );
    found
}

struct Segment {
    from: u16,
    sequence: u32,
    /// Sequence number after it.
    next: u32,
    octets: Vec<u8>,
}

fn tcp(frame: &[u8]) -> Option<Segment> {
    const TCP: u8 = 6;
    let ip = frame.get(14..)?;
    if frame[12..14] != [0x08, 0x00] || ip[0] != 0x45 || ip[9] != TCP {
        return None;
    }
    let end = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
    let tcp = &ip[20..end];
    let octets = tcp[usize::from(tcp[12] >> 4) * 4..].to_vec();
    let sequence = u32::from_be_bytes(tcp[4..8].try_into().unwrap());
    // SYN and FIN count as an octet each.
    let marks = u32::from(tcp[13] & 1) + u32::from(tcp[13] >> 1 & 1);
    Some(Segment {
        from: u16::from_be_bytes([tcp[0], tcp[1]]),
        sequence,
        next: sequence + u32::try_from(octets.len()).unwrap() + marks,
        octets,
    })
}
