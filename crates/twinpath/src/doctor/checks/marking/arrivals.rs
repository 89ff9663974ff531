//! With which ToS octet requests arrive, as the reflector says: the Class of Service TLV (RFC 8972 section 4.4).

use std::time::Duration;

use twinpath_runtime::PathOptions;
use twinpath_wire::{Ecn, TlvType, Tos};

use super::{ECT, TOS, of, place};
use crate::doctor::Seen;
use crate::doctor::checks::tlv;
use crate::doctor::train::TrainKind;

/// All of [`TOS`] and [`ECT`].
const SENT: [u8; TOS.len() + ECT.len()] = [TOS[0], TOS[1], TOS[2], ECT[0], ECT[1]];

/// Each asks for replies in its own class, and what it arrives with.
pub(super) static CLASS_OF_SERVICE: TrainKind = TrainKind {
    name: "class-of-service",
    count: 2 * SENT.len(),
    interval: Duration::from_millis(10),
    path: PathOptions::default,
    packet: |writer, number, now| {
        let tos = Tos(of(&SENT, place(number)));
        let packet = writer.with_tlv((number, now), TlvType::CLASS_OF_SERVICE, 4, |value| {
            if let Some(first) = value.first_mut() {
                *first = tos.dscp().value() << 2;
            }
        });
        (packet, tos)
    },
};

/// ToS octets that were sent, and those that they arrived with.
#[derive(Debug, Default)]
pub(super) struct Arrivals(Vec<(u8, Tos)>);

impl Arrivals {
    /// Empty: the reflector does not say.
    pub(super) fn of(seen: &Seen) -> Self {
        let Some(exchange) = seen.of_subject(&CLASS_OF_SERVICE) else {
            return Self::default();
        };
        let each = SENT.into_iter().enumerate();
        let told = each.filter_map(|(at, sent)| {
            let replies = [at, at + SENT.len()].into_iter();
            let mut replies = replies.flat_map(|place| exchange.replies_to(place));
            let told = replies.find_map(|(reply, said)| {
                let value = tlv::processed(&exchange, (reply, &said), TlvType::CLASS_OF_SERVICE)?;
                let bits = u16::from_be_bytes(*value.first_chunk()?);
                // DSCP2, then ECN.
                let [_, tos] = (bits >> 2).to_be_bytes();
                Some(Tos(tos))
            });
            Some((sent, told?))
        });
        Self(told.collect())
    }

    /// Of classes, in their order; empty, unless all of them are told.
    pub(super) fn of_classes(&self) -> Vec<(u8, u8)> {
        let told = TOS
            .iter()
            .filter_map(|tos| Some((*tos, self.arrived(*tos)?.0)));
        let told: Vec<_> = told.collect();
        if told.len() == TOS.len() {
            told
        } else {
            Vec::new()
        }
    }

    /// Of an ECN codepoint.
    pub(super) fn ecn_of(&self, ect: u8) -> Option<Ecn> {
        self.arrived(ect).map(Tos::ecn)
    }

    fn arrived(&self, sent: u8) -> Option<Tos> {
        let mut told = self.0.iter();
        told.find(|(of, _)| *of == sent).map(|(_, tos)| *tos)
    }
}
