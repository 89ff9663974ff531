//! What to do about an error. The libraries report what failed and why; remedies and the names of
//! options are here.

#[cfg(feature = "control")]
mod control;
mod keys;

use std::borrow::Cow;
use std::error::Error;
use std::io;

pub(crate) use keys::KeyLine;
use twinpath_runtime::activation::PassedFault;
use twinpath_runtime::{BindError, NoHardware, RunError, SendError, StartError, is_out_of_files};

/// An error that a user can do something about.
pub(crate) trait Remedy: Error {
    /// What to do, in one clause. Each is a `match` without a wildcard, so that a new error needs a
    /// remedy or `None`.
    fn remedy(&self) -> Option<Cow<'static, str>>;
}

/// The port of OWAMP, for control and test (RFC 4656, RFC 8545).
pub(super) const OWAMP_PORT: u16 = 861;
pub(super) const OWAMP: &str = "port 861 belongs to OWAMP (RFC 4656); TWAMP and STAMP use 862";
const OUT_OF_FILES: &str =
    "raise the limit of open files: `ulimit -n` (fs.file-max for the whole host)";

impl Remedy for BindError {
    fn remedy(&self) -> Option<Cow<'static, str>> {
        let words = match self {
            Self::InUse { .. } => {
                "choose another port, 0 for any free one, or stop the program that uses it"
            }
            Self::NotLocal { .. } => "see `ip address` for this host's addresses",
            Self::Privilege { .. } => {
                "use a port above 1023, run as root, or grant CAP_NET_BIND_SERVICE"
            }
            Self::Family { .. } => "give an address of the other family, or use -4 or -6",
            Self::Option { source, .. }
            | Self::Other { source, .. }
            | Self::Interface { source, .. }
            | Self::Member { source, .. }
                if is_out_of_files(source) =>
            {
                OUT_OF_FILES
            }
            Self::Member { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "run as root, or grant CAP_NET_RAW; of a Micro-session ID without @NAME only the number is checked"
            }
            Self::Interface { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "run as root, or grant CAP_NET_RAW; where another interface had the sockets of a socket unit, restart that unit"
            }
            Self::Interface { .. } => "see `ip link` for the names of this host's interfaces",
            Self::Member { source, .. }
                if matches!(
                    source.kind(),
                    io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable
                ) =>
            {
                "the link that it is a member of has to lead to the far end: see `ip route get` for that address"
            }
            Self::NotMember { .. } => {
                "name an Ethernet interface that is a member of the bond, team or bridge: see `ip link show master NAME`"
            }
            Self::NotOneHost { .. } => "give an address of this host",
            Self::Indistinct { .. } => "give one address of this host to listen on",
            Self::Join { interface, .. } => match interface {
                Some(_) => "name an interface that is up and has an address of that family",
                None => "name the interface, as in --join 239.1.1.1%eth0",
            },
            Self::Passed { fault, .. } => match fault {
                PassedFault::NotUdp => "a responder takes UDP: ListenDatagram= in the socket unit",
                PassedFault::NotTcp => "a server takes TCP: ListenStream= in the socket unit",
                PassedFault::BothFamilies => "set BindIPv6Only=ipv6-only in the socket unit",
                PassedFault::Uneven => {
                    "give each address one socket for each thread: ListenDatagram= as often, with ReusePort=yes"
                }
                PassedFault::Plain => "leave out --portable, or stop the socket unit",
            },
            Self::Option { .. } | Self::Other { .. } | Self::Member { .. } => return None,
        };
        Some(words.into())
    }
}

impl Remedy for SendError {
    fn remedy(&self) -> Option<Cow<'static, str>> {
        let words = match self {
            Self::NoBuffers => "send less often, or fewer octets",
            Self::TooLarge => "use a smaller --padding, or leave out --do-not-fragment",
            Self::Unreachable => "see `ip route` and `ip link`: no route, or the link is down",
            Self::NoNeighbour => {
                "see `ip neighbour`: the far end has to be on the member's link, with no router between"
            }
            Self::Filtered => "see this host's own packet filter (nft list ruleset)",
            Self::Prohibited => "see `ip route get` for that address",
            Self::BadSource => {
                "see `ip address`, and `ip route get` for that address (a blackhole route gives the same error)"
            }
            Self::Other(_) => return None,
        };
        Some(words.into())
    }
}

impl Remedy for NoHardware {
    fn remedy(&self) -> Option<Cow<'static, str>> {
        let words = match self {
            Self::Interface => "name an --interface, or one of its addresses",
            Self::Privilege { .. } => "run as root, or give the program that capability",
            Self::Clock { .. } => "run as root, or let this user read that device",
            Self::Plain => "leave out --timestamps hardware",
            Self::Unknown { .. } | Self::None { .. } | Self::Refused { .. } => return None,
        };
        Some(words.into())
    }
}

impl Remedy for StartError {
    fn remedy(&self) -> Option<Cow<'static, str>> {
        let words = match self {
            Self::Bind(error) => return error.remedy(),
            Self::NoFreePort { .. } => "use a wider range: --ports LO-HI",
            Self::SameEnds { .. } => "use another source port",
            Self::NoRoute { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "a broadcast address, or a route that prohibits it (see `ip route get`): give one host"
            }
            Self::NoRoute { .. } => "see `ip route get` for that address, or name an --interface",
            Self::NoSocketForGroup { group } if group.is_ipv4() => {
                "listen on 0.0.0.0, a service by its socket unit"
            }
            Self::NoSocketForGroup { .. } => "listen on [::], a service by its socket unit",
            Self::TooLargeForPath {
                most_padding,
                is_asked,
                ..
            } => {
                let mut words = format!("use --padding {most_padding} or less");
                if *is_asked {
                    words += ", or leave out --do-not-fragment";
                }
                return Some(words.into());
            }
            Self::System { source, .. } if is_out_of_files(source) => OUT_OF_FILES,
            Self::System { .. } => return None,
        };
        Some(words.into())
    }
}

impl Remedy for RunError {
    fn remedy(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::NothingSent { reason, .. } => reason.remedy(),
            Self::Receive(_) => None,
            Self::Fault => Some("report what you ran and what was printed".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_process_without_descriptors_gets_advice_about_its_limit() {
        let addr = "127.0.0.1:0".parse().unwrap();
        for number in [23, 24] {
            let source = || io::Error::from_raw_os_error(number);
            let system = StartError::System {
                what: "a thread",
                source: source(),
            };
            let option = BindError::Option {
                what: "TTL",
                addr,
                source: source(),
            };
            let interface = BindError::Interface {
                name: "eth0".to_owned(),
                source: source(),
            };
            for error in [system, option.into(), interface.into()] {
                assert_eq!(error.remedy().as_deref(), Some(OUT_OF_FILES), "{error}");
            }
        }
    }

    #[test]
    fn packets_that_do_not_fit_get_the_padding_that_does() {
        let error = StartError::TooLargeForPath {
            packet_octets: 1_501,
            mtu: 1_500,
            most_padding: 1_458,
            is_asked: true,
        };
        let remedy = error.remedy().unwrap();
        assert_eq!(
            remedy,
            "use --padding 1458 or less, or leave out --do-not-fragment"
        );
    }
}
