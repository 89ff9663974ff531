//! Whether STAMP is answered as STAMP (RFC 8762, RFC 8972 section 3).

use super::udp::at_places;
use crate::doctor::packets::PacketSecurity;
use crate::doctor::train::{SSID, STAMP};
use crate::doctor::{Ask, Check, Cost, Judged, Seen};

pub(super) struct Answers;

impl Check for Answers {
    fn id(&self) -> &'static str {
        "stamp.answers"
    }

    fn costs(&self) -> Vec<Cost> {
        at_places(&STAMP)
    }

    fn asks(&self, seen: &Seen) -> Vec<Ask> {
        seen.places()
            .into_iter()
            .map(|far| Ask::Train(far, &STAMP, PacketSecurity::Open))
            .collect()
    }

    fn judge(&self, seen: &Seen) -> Judged {
        let Some(exchange) = seen.stamp() else {
            return Judged::skipped("STAMP is not answered");
        };
        let far = exchange.far;
        let mut ssids = exchange.replies().map(|(_, said)| said.head.ssid.get());
        let ssid = ssids.next().unwrap_or_default();
        let judged = match ssid {
            SSID => Judged::ok(format!(
                "{far} answers STAMP and returns the Session Identifier"
            )),
            0 => Judged::ok(format!(
                "{far} answers STAMP packets without their Session Identifier: TWAMP Light, or STAMP as in RFC 8762"
            )),
            other => Judged::fail(format!(
                "{far} answers STAMP with another Session Identifier: {other} in place of {SSID}"
            ))
            .advise("report it to the vendor: RFC 8972 section 3 demands that it is returned"),
        };
        judged
            .with("port", far.port())
            .with("ssid_returned", ssid == SSID)
    }
}
