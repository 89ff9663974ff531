//! Sessions of many hosts from one document, of which each host derives its own.
//!
//! - The document is TOML by the module `twinpath-mesh`, which has the settings of sessions and responders of
//!   `twinpath-measurement`: a leaf exists once, and what a node runs are entries of its configuration, which are
//!   checked, shown and measured like those of its files, and never written to them.
//! - Derivation ([`topology`], [`entries`]) is a function of the document, the name of a node and its configuration:
//!   no clock, no network, no order in the file. Any node's part can be printed anywhere.
//! - A pair has one session, as it measures both directions. Who is its sender and when packets leave comes from ranks
//!   by SHA-256 of seed and names: balanced, evenly spread, and one node more changes few pairs.
//! - Departures are aligned to the time of day, so that phases hold whenever a node was started.
//! - A thread fetches documents, with back-off, and takes none that is not signed by `key`, has a fault, or whose
//!   `serial` is not greater than that of the last one. What comes is put in force as a reload is: only what changed is
//!   begun again. A document that this host cannot run leaves the last one in force.
//! - A document says what to measure and nothing else: it names no path (keys are names in a directory that the node's
//!   configuration allows), no program, no export.

mod cache;
mod document;
mod entries;
mod fetch;
mod gather;
mod identity;
mod keeper;
mod poller;
mod report;
mod settings;
mod signature;
mod topology;
mod view;

pub(crate) use document::MeshDocument;
pub(super) use document::schema;
pub(super) use entries::Derived;
pub(super) use fetch::Location;
pub(super) use keeper::MeshKeeper;
pub(crate) use keeper::MeshState;
pub(super) use report::{Cell, CellState, MeshReport, fresh_until_ns, measured_pairs};
pub(super) use settings::GatherSettings;
pub(crate) use settings::MeshSettings;
pub(super) use signature::check_key;
pub(crate) use view::{of_node, summary};

#[cfg(test)]
mod tests;
