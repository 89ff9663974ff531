//! STAMP extensions at a Session-Reflector and at a Session-Sender, held to known answers that were
//! worked out from the RFCs' texts (`testdata/stamp.json`).

mod answers;
mod any_chain;
mod asking;
mod captured;
mod copies;
mod counts;
mod drafts;
mod edges;
mod engine;
mod groups;
mod micro_sessions;
mod replays;
mod rig;

use std::net::IpAddr;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn hex(octets: &[u8]) -> String {
    use std::fmt::Write as _;
    octets.iter().fold(String::new(), |mut hex, octet| {
        write!(hex, "{octet:02x}").unwrap();
        hex
    })
}
