//! What a raw file or several of them lack.

use serde::{Deserialize, Serialize};
use twinpath_wire::Wall;

findings! {
    /// What a raw file or several of them lack.
    pub enum RawFile {
        /// The run goes on.
        Warning "still-running" StillRunning {
            /// When the last packet left that is known.
            #[serde(rename = "newest_ns")]
            newest: Wall,
        }
        /// The file ends before its run did.
        Warning "interrupted" Interrupted {
            /// When the last packet left that is known.
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
        /// There are octets behind the end of the run.
        Remark "octets-behind" OctetsBehind {
            /// How many.
            count: u64,
        }
        /// The end of the file is damaged.
        Warning "file-torn" FileTorn
        /// Sessions were added up. A warning where they differ.
        Remark "merged" Merged {
            /// How many.
            count: u64,
            /// From which files.
            files: Vec<String>,
            /// In what they differ, with the values.
            differences: Vec<Difference>,
        }
        /// The same packets were added up twice.
        Warning "merged-twice" MergedTwice {
            /// Sessions of which that is so.
            count: u64,
        }
    }
}

/// In what sessions differ that were added up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Of what.
    pub what: String,
    /// The first of the values.
    pub values: Vec<String>,
    /// How many there are beyond those.
    pub more: u64,
}
