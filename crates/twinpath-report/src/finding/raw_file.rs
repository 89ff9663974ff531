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
