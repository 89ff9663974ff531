//! Options of a responder for extensions of STAMP.

use clap::{Args, ValueEnum};
use twinpath_proto::extension::{
    ControlPolicy, DscpSet, ExtensionPolicy, LocationPolicy, MemberLink,
};
use twinpath_proto::reflector::Access;
use twinpath_wire::Dscp;

use super::value::{listed_dscp, quantity};
use super::{EXTENSIONS, Group, Member, Prefix};

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

    /// Send replies over the segments that senders ask for, where all are in this prefix (Return Path
    /// with an SRv6 segment list; repeatable) [default: none]
    #[arg(long, value_name = "PREFIX")]
    pub(crate) srv6_return: Vec<Prefix>,

    #[command(flatten)]
    pub(crate) control: ControlOptions,

    /// Micro-session IDs of this end's member links (RFC 9534), as in 1@eth1,2@eth2; requests for
    /// others are not answered. Requests must come and replies leave by that interface: needs root or
    /// CAP_NET_RAW. Without @NAME only numbers are checked [default: none]
    #[arg(long, value_name = "ID,..", value_delimiter = ',')]
    pub(crate) micro_session_id: Vec<Member>,

    /// What to tell senders that ask where their packets came from and to (Location)
    #[arg(long, value_name = "NAME", default_value = "all")]
    pub(crate) location: Told,

    /// Process no TLV: copy them into replies as they are
    #[arg(long, conflicts_with_all = [
        "allow_dscp", "allow_return_address", "srv6_return", "allow_control", "micro_session_id", "location",
        "require_hmac", "accept_unverified_tlvs",
    ])]
    pub(crate) no_tlv: bool,
}

/// Several replies to a request, or longer ones.
#[derive(Debug, Args)]
#[command(next_help_heading = EXTENSIONS)]
pub(crate) struct ControlOptions {
    /// Send several replies, or longer ones, where requests with an HMAC from this prefix ask for them
    /// (Reflected Test Packet Control, RFC 10052; repeatable) [default: none]
    #[arg(long, value_name = "PREFIX")]
    pub(crate) allow_control: Vec<Prefix>,

    /// Most bits of UDP payload per second that these replies may have, those to one request and all
    /// together
    #[arg(long, value_name = "BITS", default_value = "1000000", value_parser = quantity::at_least_one::<u64>, requires = "allow_control")]
    pub(crate) control_rate: u64,

    /// Most octets of UDP payload that they may have: those to one request, and all that are granted at
    /// the same time
    #[arg(long, value_name = "OCTETS", default_value = "15000", value_parser = quantity::at_least_one::<u32>, requires = "allow_control")]
    pub(crate) control_volume: u32,

    /// Most replies to one request
    #[arg(long, value_name = "N", default_value = "10", value_parser = quantity::at_least_one::<u16>, requires = "allow_control")]
    pub(crate) control_count: u16,

    /// Join this multicast group, as in 239.1.1.1%eth0, and answer such requests that are sent to it, from an
    /// address of this host; each of them once. All else that is sent to it gets no reply (repeatable, up to 16)
    #[arg(
        long,
        value_name = "GROUP[%IF]",
        requires = "allow_control",
        conflicts_with = "control_unauthenticated"
    )]
    pub(crate) join: Vec<Group>,

    /// Send them without an HMAC in the request too. Anyone who can forge a source address in
    /// --allow-control can then direct that traffic to it
    #[arg(long, requires = "allow_control")]
    pub(crate) control_unauthenticated: bool,
}

impl ControlOptions {
    /// `None`: no client may ask.
    fn policy(&self) -> Option<ControlPolicy> {
        let is_enabled = !self.allow_control.is_empty();
        is_enabled.then(|| ControlPolicy {
            unauthenticated: self.control_unauthenticated,
            octets_per_s: self.control_rate / 8,
            octets: self.control_volume.into(),
            replies: self.control_count,
            ..ControlPolicy::within(only(&self.allow_control))
        })
    }

    /// Without a key no request has an HMAC.
    pub(crate) fn needs_key(&self) -> bool {
        !self.allow_control.is_empty() && !self.control_unauthenticated
    }
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
            segments: only(&self.srv6_return),
            control: self.control.policy(),
            micro_sessions: self.numbers().collect(),
            ..ExtensionPolicy::default()
        }
    }

    /// Micro-session IDs of which the number is all that is checked.
    fn numbers(&self) -> impl Iterator<Item = MemberLink> {
        let all = self.micro_session_id.iter();
        let numbers = all.filter(|member| member.interface.is_none());
        numbers.map(|member| MemberLink {
            id: member.id,
            interface: None,
        })
    }

    /// The others, with their interfaces.
    pub(crate) fn members(&self) -> impl Iterator<Item = (u16, String)> {
        let all = self.micro_session_id.iter();
        all.filter_map(|member| Some((member.id, member.interface.clone()?)))
    }

    /// The first that was given, where it can be told.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let given = [
            (!self.allow_dscp.is_empty(), "--allow-dscp"),
            (
                !self.allow_return_address.is_empty(),
                "--allow-return-address",
            ),
            (!self.srv6_return.is_empty(), "--srv6-return"),
            (!self.control.allow_control.is_empty(), "--allow-control"),
            (!self.micro_session_id.is_empty(), "--micro-session-id"),
            (self.location != Told::All, "--location"),
            (self.no_tlv, "--no-tlv"),
        ];
        given
            .into_iter()
            .find_map(|(is_given, name)| is_given.then_some(name))
    }
}

fn only(prefixes: &[Prefix]) -> Access {
    let prefixes: Vec<_> = prefixes.iter().map(|prefix| prefix.0).collect();
    Access::only(&prefixes)
}
