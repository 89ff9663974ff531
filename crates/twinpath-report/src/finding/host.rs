//! What this host did not do as requested.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use twinpath_net::{NoHardware, SendError};
use twinpath_wire::{Rung, nanoseconds};

findings! {
    /// What this host did not do as requested.
    pub enum Host {
        /// The system did not take packets.
        Warning "not-sent" NotSent {
            /// How many.
            count: u64,
            /// The most frequent reason.
            reason: SendError,
        }
        /// The target was not measured before this session, because its name had no address, or
        /// another one that no longer answered.
        Warning "measured-late" MeasuredLate {
            /// The target, as the user named it.
            name: String,
            /// For how long.
            #[serde(rename = "unmeasured_ns", with = "nanoseconds")]
            unmeasured: Duration,
        }
        /// Departures were missed.
        Warning "fell-behind" FellBehind {
            /// How many.
            count: u64,
            /// Whether they are made up for later, because the run has a number of packets.
            is_postponed: bool,
            /// Packets a second.
            achieved_pps: f64,
            /// The most packets that left at once.
            largest_burst: u32,
        }
        /// Packets left long after they were due.
        Warning "departures-late" DeparturesLate {
            /// The longest time.
            longest_ns: i64,
        }
        /// The first packets waited in this host, most likely for the neighbour's address.
        Remark "first-packets-waited" FirstPacketsWaited {
            /// The longest time.
            longest_ns: i64,
            /// Neighbour discovery finds the address, otherwise ARP.
            is_ipv6: bool,
        }
        /// Packets waited in the queue of this host's interface.
        Warning "own-wait" OwnWait {
            /// On average.
            mean_ns: i64,
            /// The median round trip, without it.
            round_trip_ns: i64,
        }
        /// This host's address changed.
        Warning "source-address-changed" SourceAddressChanged {
            /// The report's.
            before: IpAddr,
            /// The last one.
            now: IpAddr,
            /// How often it changed.
            count: u64,
        }
        /// ICMP errors about packets that this run did not send.
        Remark "icmp-foreign" IcmpForeign {
            /// How many.
            count: u64,
        }
        /// ICMP errors beside replies.
        Remark "icmp" Icmp {
            /// Their kind.
            what: String,
            /// Who sent the last of them.
            from: Option<IpAddr>,
            /// How many.
            count: u64,
        }
        /// Hardware timestamps were requested, but none arrived.
        Remark "no-hardware-stamps" NoHardwareStamps {
            /// Why; `None`: the interface was configured to timestamp but did not.
            reason: Option<NoHardware>,
        }
        /// Timestamps came from a lower rung.
        Remark "stamps-fell-back" StampsFellBack {
            /// Whether it is T1, otherwise T4.
            is_transmit: bool,
            /// The best rung.
            rung: Rung,
            /// How many did not come from it.
            count: u64,
        }
        /// The system dropped replies.
        Warning "receive-drops" ReceiveDrops {
            /// How many.
            count: u64,
        }
        /// The interface was deleted and created again.
        Warning "interface-made-again" InterfaceMadeAgain {
            /// How often.
            count: u64,
        }
        /// The output was too slow for records of single packets.
        Warning "records-dropped" RecordsDropped {
            /// How many.
            count: u64,
        }
    }
}
