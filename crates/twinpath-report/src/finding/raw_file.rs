//! Data missing in one or more raw files.

use serde::{Deserialize, Serialize};
use twinpath_wire::Wall;

findings! {
    /// Data missing in one or more raw files.
    pub enum RawFile {
        /// The run is still in progress.
        Warning "still-running" StillRunning {
            /// Departure of the last known packet.
            #[serde(rename = "newest_ns")]
            newest: Wall,
        }
        /// The file ends before its run.
        Warning "interrupted" Interrupted {
            /// Departure of the last known packet.
            #[serde(rename = "newest_ns")]
            newest: Wall,
        }
        /// The file lacks records.
        Warning "records-missing" RecordsMissing {
            /// Of how many packets.
            count: u64,
            /// Packets sent.
            sent: u64,
        }
        /// The file holds a part of its run, or the files do. A warning if they are its first, up to
        /// one that was closed and is not its last: it may have been killed then.
        Remark "run-part" RunPart {
            /// The first of them, from 1.
            first: u64,
            /// The last of them.
            last: u64,
            /// They hold the packets whose fate became known from then on.
            #[serde(rename = "from_ns")]
            from: Wall,
            /// Until then; `None`: the last of them was not closed.
            #[serde(rename = "until_ns")]
            until: Option<Wall>,
            /// Sessions of the run without a record in them.
            unrecorded: u64,
            /// The last of them is the last of the run.
            has_end: bool,
        }
        /// Files of the run between those that were read are missing.
        Warning "parts-missing" PartsMissing {
            /// How many.
            count: u64,
            /// When the first gap begins.
            #[serde(rename = "from_ns")]
            from: Wall,
            /// When the last gap ends.
            #[serde(rename = "until_ns")]
            until: Wall,
        }
        /// The files lack records of all sessions.
        Warning "parts-incomplete" PartsIncomplete {
            /// How many.
            count: u64,
        }
        /// There are octets after the end of the run.
        Remark "octets-behind" OctetsBehind {
            /// How many.
            count: u64,
        }
        /// The end of the file is damaged.
        Warning "file-torn" FileTorn
        /// Sessions were added up. A warning if they differ.
        Remark "merged" Merged {
            /// How many.
            count: u64,
            /// From which files.
            files: Vec<String>,
            /// The properties in which they differ, with the values.
            differences: Vec<Difference>,
        }
        /// The same packets were added up twice.
        Warning "merged-twice" MergedTwice {
            /// The sessions concerned.
            count: u64,
        }
    }
}

/// Properties in which added sessions differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Of what.
    pub what: String,
    /// The first of the values.
    pub values: Vec<String>,
    /// Number of further values.
    pub more: u64,
}
