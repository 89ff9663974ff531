//! A reflector's extensions, one request at a time.

use std::net::SocketAddr;

use twinpath_proto::extension::{
    Answer, ControlPolicy, DscpSet, Effects, Exchange, ExtensionPolicy, Host, LocationPolicy,
    MemberLink, SentReply, SessionState, SyncSource, reflect,
};
use twinpath_proto::reflector::{Access, Ignored};
use twinpath_wire::{Arrival, Dscp, Rung, Stamp, TimeFormat, Tos, Wall, WireTime};

use super::ip;
use crate::stamp::known_key;

/// The reflector's in the known answers.
pub(super) const MICRO_SESSION: MemberLink = MemberLink {
    id: 5,
    interface: None,
};

/// A reflector with what its operator allows and what it knows, and how a request reaches it.
pub(super) struct Rig {
    pub(super) policy: ExtensionPolicy,
    pub(super) host: Host,
    pub(super) session: Option<SessionState>,
    pub(super) arrival: Arrival,
    pub(super) is_authenticated: bool,
    pub(super) has_key: bool,
}

/// The reflector's, by the MTU of its interface.
pub(super) fn host(mtu: u32, sync: SyncSource) -> Host {
    let addresses = ["192.0.2.2", "2001:db8::2"].map(|own| SocketAddr::new(ip(own), 0));
    Host::new(addresses, vec![[2, 0, 0, 0, 0, 5]], [(7, mtu)], sync)
}

impl Rig {
    pub(super) fn new() -> Self {
        let from: SocketAddr = "192.0.2.1:40000".parse().unwrap();
        Self {
            policy: ExtensionPolicy {
                dscp: [10, 46]
                    .map(|dscp| Dscp::new(dscp).unwrap())
                    .into_iter()
                    .collect(),
                ..ExtensionPolicy::default()
            },
            host: host(1_500, SyncSource::Ntp),
            session: Some(SessionState::default()),
            arrival: Arrival {
                to: Some(ip("192.0.2.2")),
                to_port: 862,
                ttl: Some(64),
                tos: Some(Tos(0)),
                interface: 7,
                ..Arrival::new(
                    Stamp {
                        at: Wall::from_unix_ns(0),
                        rung: Rung::Kernel,
                    },
                    from,
                )
            },
            is_authenticated: false,
            has_key: true,
        }
    }

    pub(super) fn over_ipv6(mut self) -> Self {
        self.arrival.from = "[2001:db8::1]:40000".parse().unwrap();
        self.arrival.to = Some(ip("2001:db8::2"));
        self
    }

    pub(super) fn arrived_with(mut self, dscp: u8, ecn: u8) -> Self {
        self.arrival.tos = Some(Tos(dscp << 2 | ecn));
        self
    }

    /// The sender is a neighbour.
    fn beside(mut self, mac: [u8; 6]) -> Self {
        let arrival = &self.arrival;
        let neighbour = (arrival.from.ip(), arrival.interface, mac);
        self.host = self.host.with_neighbours([neighbour]);
        self
    }

    pub(super) fn counted(mut self, before: u32) -> Self {
        let session = self.session.as_mut().unwrap();
        (session.received, session.replied) = (before, before);
        self
    }

    pub(super) fn allowing_control(mut self) -> Self {
        self.policy.control = Some(ControlPolicy {
            unauthenticated: true,
            octets_per_s: 1_000_000,
            octets: 100_000,
            replies: 100,
            ..ControlPolicy::within(Access::only(&["192.0.2.0/24".parse().unwrap()]))
        });
        self
    }

    /// The reply but for its base packet, which is that of `expected`; without its digest of the base.
    pub(super) fn answer(
        &mut self,
        request: &[u8],
        expected: &[u8],
    ) -> Result<(Vec<u8>, Effects), Ignored> {
        let key = known_key();
        let key = self.has_key.then_some(&key);
        let number = |packet: &[u8]| u32::from_be_bytes(packet[..4].try_into().unwrap());
        let base = if self.is_authenticated { 112 } else { 44 };
        let seq = number(request);
        let mut exchange = Exchange::new(
            &self.arrival,
            &self.policy,
            &self.host,
            self.session.as_mut(),
            (seq, number(expected)),
        );
        exchange.is_authentic = self.is_authenticated;
        let mut buffer = request.to_vec();
        buffer.resize(1 << 16, 0xee);
        let answer: Answer = reflect(
            &mut buffer,
            base,
            request.len(),
            self.is_authenticated,
            key,
            &mut exchange,
        )?;
        let effects = exchange.effects;
        buffer.truncate(answer.octets);
        buffer[..base].copy_from_slice(&expected[..base]);
        if let Some(key) = key {
            answer.sign(&mut buffer, base, key);
        }
        Ok((buffer, effects))
    }
}

/// The reflector that a known answer speaks of.
pub(super) fn rig(name: &str) -> Rig {
    let rig = Rig::new();
    match name {
        "location" => rig.beside([2, 0, 0, 0, 0, 1]),
        "location_withheld" => {
            let mut rig = rig;
            rig.policy.location = LocationPolicy::None;
            rig
        }
        "location_bad_sub_tlv" => rig.counted(2),
        "cos_allowed" | "authenticated_tlvs" => Rig {
            is_authenticated: name == "authenticated_tlvs",
            ..rig.arrived_with(10, 1).counted(2)
        },
        "authenticated_padding_only" | "authenticated_no_hmac_tlv" => Rig {
            is_authenticated: true,
            ..rig
        },
        "cos_refused" => {
            let mut rig = rig.arrived_with(10, 1);
            rig.policy.dscp = DscpSet::default();
            rig
        }
        "reserved_bits" => rig.arrived_with(46, 0),
        "timestamp_information" => {
            let mut rig = rig;
            rig.host = host(1_500, SyncSource::Ptp);
            rig.arrival.at.rung = Rung::Hardware;
            rig
        }
        "unknown_type" => rig.counted(4),
        "length_past_end" => rig.counted(5),
        "hmac_then_extra_padding" => rig.counted(6),
        "follow_up" => {
            let mut rig = rig;
            let at = WireTime::from_bits(0xeeae_8517_4139_0000);
            let at = at.read(
                TimeFormat::Ntp,
                Wall::from_unix_ns(1_795_000_000_000_000_000),
                37,
            );
            rig.session.as_mut().unwrap().sent = Some(SentReply {
                number: 4,
                at: Stamp {
                    at,
                    rung: Rung::Kernel,
                },
            });
            rig
        }
        "no_extensions" => {
            let mut rig = rig;
            rig.policy.copies_only = true;
            rig
        }
        "location_ipv6" | "destination_node_ipv6" | "return_path_srv6" => rig.over_ipv6(),
        "micro_session_learn"
        | "micro_session_known"
        | "micro_session_mismatch"
        | "micro_session_bad_length" => {
            let mut rig = rig;
            rig.policy.micro_sessions = vec![MICRO_SESSION];
            rig
        }
        "control_disabled" => rig,
        "control_mtu" => {
            let mut rig = rig.allowing_control();
            rig.host = host(576, SyncSource::Ntp);
            rig
        }
        "control_l3_ipv6" => rig.allowing_control(),
        _ if name.starts_with("control_") => rig.allowing_control(),
        _ => rig,
    }
}
