//! Fuzz targets: a function for each, from octets to nothing, that panics when a rule is broken.
//!
//! Three drivers share them: `cargo fuzz` (the binaries in `fuzz/` are one line each), the test that
//! replays the committed corpus, and properties that change its inputs. What a target checks goes
//! beyond "no panic": sizes of replies, counts that add up, memory that stays bounded, HMACs that are
//! checked before anything is believed.
#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "a panic is how a target tells what it found"
)]

mod control;
mod copies;
pub mod corpus;
mod extensions;
mod files;
mod input;
mod keys;
mod messages;
mod netconf;
mod options;
mod packets;
mod peer;
mod raw_file;
mod reflector;
mod samples;
mod secured;
mod sender;
mod yang;

/// A target: its name, as of its binary and its corpus, and what it does with octets.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 22] = [
    ("packets", packets::packets),
    ("messages", messages::messages),
    ("server", control::server),
    ("client", control::client),
    ("secured_server", secured::server),
    ("secured_client", secured::client),
    ("sender", sender::sender),
    ("reflector", reflector::reflector),
    ("negotiated", reflector::negotiated),
    ("extensions", extensions::extensions),
    ("samples", samples::samples),
    ("keys", keys::keys),
    ("options", options::options),
    ("raw_file", raw_file::raw_file),
    ("capture", files::capture),
    ("yang_module", yang::module),
    ("yang_json", yang::json),
    ("yang_toml", yang::toml),
    ("yang_xml", yang::xml),
    ("yang_path", yang::path),
    ("netconf_framing", netconf::framing),
    ("netconf_session", netconf::session),
];

/// Runs the target of that name.
///
/// # Panics
/// If there is no such target, and where it finds something.
pub fn run(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|(target, _)| *target == name);
    let (_, target) = target.expect("a target of that name");
    target(input);
}
