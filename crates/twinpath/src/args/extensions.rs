//! Options of a responder for extensions of STAMP.

use clap::{Args, ValueEnum};
use twinpath_proto::extension::{DscpSet, ExtensionPolicy, LocationPolicy, MemberLink};
use twinpath_proto::reflector::Access;
use twinpath_wire::Dscp;

use super::value::{listed_dscp, quantity};
use super::{EXTENSIONS, Prefix};

/// What a sender may ask for with STAMP's TLVs, and what the answers say.
#[derive(Debug, Args)]
#[command(next_help_heading = EXTENSIONS)]
pub(crate) struct ExtensionOptions {
    /// DSCPs that senders may ask for in replies (Class of Service): names or numbers, as in af41,ef
    /// [default: only the request's own]
    #[arg(long, value_name = "NAME|0-63,..", value_delimiter = ',', value_parser = listed_dscp)]
    pub(crate) allow_dscp: Vec<Dscp>,

    /// Send replies to another address than the request's, where the sender asks for one in this
    /// prefix (Return Path; repeatable). Requests can be forged: list only networks that want such
    /// replies [default: none]
    #[arg(long, value_name = "PREFIX")]
    pub(crate) allow_return_address: Vec<Prefix>,

    /// Micro-session ID of this end's member link (RFC 9534); requests for another one are not
    /// answered [default: none]
    #[arg(long, value_name = "N", value_parser = quantity::at_least_one::<u16>)]
    pub(crate) micro_session_id: Option<u16>,

    /// What to tell senders that ask where their packets came from and to (Location)
    #[arg(long, value_name = "NAME", default_value = "all")]
    pub(crate) location: Told,

    /// Process no TLV: copy them into replies as they are
    #[arg(long, conflicts_with_all = [
        "allow_dscp", "allow_return_address", "micro_session_id", "location",
        "require_hmac", "accept_unverified_tlvs",
    ])]
    pub(crate) no_tlv: bool,
}

/// What Location tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Told {
    // Nothing: zeros.
    None,
    // Ports.
    Ports,
    // Ports and addresses.
    All,
}

impl ExtensionOptions {
    /// What they mean.
    pub(crate) fn policy(&self) -> ExtensionPolicy {
        ExtensionPolicy {
            copies_only: self.no_tlv,
            location: match self.location {
                Told::None => LocationPolicy::None,
                Told::Ports => LocationPolicy::Ports,
                Told::All => LocationPolicy::All,
            },
            dscp: self.allow_dscp.iter().copied().collect::<DscpSet>(),
            return_addresses: only(&self.allow_return_address),
            micro_sessions: Vec::from_iter(self.micro_session_id.map(plain)),
            ..ExtensionPolicy::default()
        }
    }

    /// The first that was given, where it can be told.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let given = [
            (!self.allow_dscp.is_empty(), "--allow-dscp"),
            (
                !self.allow_return_address.is_empty(),
                "--allow-return-address",
            ),
            (self.micro_session_id.is_some(), "--micro-session-id"),
            (self.location != Told::All, "--location"),
            (self.no_tlv, "--no-tlv"),
        ];
        given
            .into_iter()
            .find_map(|(is_given, name)| is_given.then_some(name))
    }
}

fn plain(id: u16) -> MemberLink {
    MemberLink {
        id,
        interface: None,
    }
}

fn only(prefixes: &[Prefix]) -> Access {
    let prefixes: Vec<_> = prefixes.iter().map(|prefix| prefix.0).collect();
    Access::only(&prefixes)
}
