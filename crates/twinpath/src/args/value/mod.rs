//! Values of options as they are written on a command line: one type with `FromStr` for each kind.

mod address;
mod alert;
mod header;
mod key_file;
mod micro_session;
#[cfg(feature = "report")]
mod moment;
pub(super) mod quantity;
#[cfg(feature = "report")]
mod rotate;
mod schedule;

pub(crate) use address::{FarEnd, Group, Host, NearEnd, Prefix, doubt};
#[cfg(feature = "daemon")]
pub(crate) use alert::Spelling;
pub(crate) use alert::{Alert, AlertRange, Beyond, NamedFigure, TimeUnit};
pub(crate) use header::{Label, Ssid, Ssids, TosOctet, Ttl, dscp_for_host};
pub(super) use header::{dscp, listed_dscp};
pub(super) use key_file::key_file;
#[cfg(feature = "daemon")]
pub(crate) use key_file::key_path;
pub(crate) use micro_session::{Member, MicroSession};
#[cfg(feature = "report")]
pub(crate) use moment::Moment;
pub(crate) use quantity::{Count, Interval, OrEndless, PaddingSize, Ports, ReplyPadding, Time};
#[cfg(feature = "report")]
pub(crate) use rotate::Rotate;
pub(crate) use schedule::Pattern;
