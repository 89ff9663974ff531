//! Authenticated STAMP with a key: whether it is answered, and whether the far end checks (RFC 8762 section
//! 4.4, RFC 8972 section 4.8).

use super::udp::at_places;
use crate::doctor::keyed::{AUTHENTICATED, FORGED, KeyedReply, TlvsBack, WITH_TLVS};
use crate::doctor::packets::PacketSecurity;
use crate::doctor::train::{SSID, TrainKind};
use crate::doctor::{Ask, Check, Cost, Exchange, FarEndPlan, Judged, Seen};

/// A check of what becomes of authenticated packets.
pub(super) struct OfKeyed {
    id: &'static str,
    kind: &'static TrainKind,
    judge: fn(&Seen) -> Judged,
}

impl Check for OfKeyed {
    fn id(&self) -> &'static str {
        self.id
    }

    fn costs(&self) -> Vec<Cost> {
        let mut all = at_places(&AUTHENTICATED);
        if self.kind != &AUTHENTICATED {
            all.push((self.kind.name.to_owned(), self.kind.count));
        }
        all
    }

    fn is_able(&self, plan: &FarEndPlan) -> bool {
        !plan.keys.stamp.is_empty()
    }

    fn asks(&self, seen: &Seen) -> Vec<Ask> {
        let ask = |far| Ask::Train(far, self.kind, PacketSecurity::Authenticated);
        if self.kind == &AUTHENTICATED {
            let with_key = |far: &_| seen.stamp_key(*far).is_some();
            let places = seen.places().into_iter().filter(with_key);
            return places.map(ask).collect();
        }
        let far = seen.authenticated().map(|exchange| exchange.far);
        far.map(ask).into_iter().collect()
    }

    fn judge(&self, seen: &Seen) -> Judged {
        if seen.plan.keys.stamp.is_empty() {
            return Judged::skipped("no key was given (--hmac-key-file FILE)");
        }
        (self.judge)(seen)
    }
}

/// Authenticated packets are answered.
pub(super) static ANSWERS: OfKeyed = OfKeyed {
    id: "stamp.authenticated",
    kind: &AUTHENTICATED,
    judge: answers,
};

fn answers(seen: &Seen) -> Judged {
    if let Some(exchange) = seen.authenticated() {
        return answered(&exchange);
    }
    let places = seen.places();
    let mut asked = places
        .iter()
        .filter_map(|far| Some((far, seen.keyed_to(*far, &AUTHENTICATED)?)))
        .peekable();
    if asked.peek().is_none() {
        return Judged::unknown("no key was given for packets to this far end")
            .advise(format!("give its key: --hmac-key-file with a line for its prefix, or one for all; one for an SSID serves if that is {SSID}, which doctor uses"));
    }
    let mut replies =
        asked.filter_map(|(far, (keyed, key))| Some((far, keyed.keyed_replies(key).next()?)));
    match replies.next() {
        Some((far, (KeyedReply::WrongHmac, _))) => Judged::fail(format!(
            "{far} answers authenticated STAMP, and the HMAC of its replies is wrong"
        ))
        .advise("it has another key and does not check that of requests, or it computes the HMAC otherwise: compare the keys first"),
        Some((far, (KeyedReply::Open, _))) => Judged::fail(format!(
            "{far} answers authenticated STAMP packets as open ones: it does not check their HMAC"
        ))
        .advise("configure authenticated mode there, or measure without --authenticated"),
        Some((_, (KeyedReply::Right, _))) | None if seen.speaks_stamp() => Judged::fail(
            "authenticated STAMP is not answered, and open STAMP is",
        )
        .advise("compare the keys of both sides: another key and a far end that is not configured for authenticated mode look alike"),
        Some((_, (KeyedReply::Right, _))) | None => Judged::unknown("authenticated STAMP is not answered")
            .advise(format!("compare the keys of both sides, and the SSIDs that they are for: doctor uses {SSID}; see whether packets arrive there")),
    }
}

/// And its Session Identifier comes back.
fn answered(exchange: &Exchange<'_>) -> Judged {
    let far = exchange.far;
    let mut ssids = exchange.replies().map(|(_, said)| said.head.ssid.get());
    let ssid = ssids.next().unwrap_or_default();
    let finding =
        format!("{far} answers authenticated STAMP, and the HMAC of its replies is right");
    let judged = match ssid {
        SSID => Judged::ok(finding),
        0 => Judged::ok(format!(
            "{finding}; the Session Identifier does not come back: STAMP as in RFC 8762"
        )),
        other => Judged::fail(format!(
            "{finding}; another Session Identifier comes back: {other} in place of {SSID}"
        ))
        .advise("report it to the vendor: RFC 8972 section 3 demands that it is returned"),
    };
    judged
        .with("port", far.port())
        .with("ssid_returned", ssid == SSID)
}

/// A wrong HMAC must stay unanswered.
pub(super) static WRONG_HMAC: OfKeyed = OfKeyed {
    id: "stamp.authenticated.wrong-hmac",
    kind: &FORGED,
    judge: wrong_hmac,
};

fn wrong_hmac(seen: &Seen) -> Judged {
    let Some(right) = seen.authenticated() else {
        return Judged::skipped("authenticated STAMP is not answered");
    };
    let Some((keyed, key)) = seen.keyed_to(right.far, &FORGED) else {
        return Judged::skipped("nothing was sent");
    };
    let answered = keyed.keyed_replies(key).count();
    if answered > 0 {
        return Judged::fail(format!(
            "{answered} of {} packets with a wrong HMAC are answered: the far end does not check it",
            keyed.requests.len()
        ))
        .advise("anybody can use it and change what it measures: report it to the vendor (RFC 8762 section 4.4)");
    }
    if right.round_trips().count() < right.requests.len() {
        return Judged::unknown(
            "packets with a wrong HMAC are not answered, and some others are lost too",
        );
    }
    Judged::ok("packets with a wrong HMAC are not answered")
}

/// The HMAC of TLVs.
pub(super) static TLV_HMAC: OfKeyed = OfKeyed {
    id: "stamp.authenticated.tlv-hmac",
    kind: &WITH_TLVS,
    judge: tlv_hmac,
};

fn tlv_hmac(seen: &Seen) -> Judged {
    let Some(base) = seen.authenticated() else {
        return Judged::skipped("authenticated STAMP is not answered");
    };
    let Some(exchange) = seen.train(base.far, &WITH_TLVS) else {
        return Judged::skipped("nothing was sent");
    };
    let mut replies = exchange.replies();
    let back = replies.find_map(|(reply, said)| exchange.tlvs_back((reply, &said)));
    match back {
        Some(TlvsBack::Right) => Judged::ok("TLVs come back with the right HMAC"),
        Some(TlvsBack::Refused) => Judged::fail("the far end says that the HMAC of TLVs is wrong (flag I), and it is right")
            .advise("it covers the Sequence Number and the TLVs before it (RFC 8972 section 4.8): report it to the vendor"),
        Some(TlvsBack::Unchanged) => Judged::warn("TLVs come back as they were sent, as does their HMAC: the far end does not process TLVs")
            .advise("measure it without --tlv"),
        Some(TlvsBack::NoHmac) => Judged::warn("TLVs of authenticated packets come back without an HMAC")
            .advise("the far end may know RFC 8762 alone: measure it without --tlv"),
        Some(TlvsBack::WrongHmac) => Judged::fail("TLVs come back with a wrong HMAC")
            .advise("what they say cannot be trusted: report it to the vendor (RFC 8972 section 4.8)"),
        None if base.round_trips().count() < base.requests.len() => Judged::unknown(
            "authenticated packets with TLVs are not answered, and some others are lost too",
        ),
        None => Judged::warn("authenticated packets with TLVs are not answered, and others are")
            .advise("measure it without --tlv; RFC 8972 section 4 wants an answer to each"),
    }
}
