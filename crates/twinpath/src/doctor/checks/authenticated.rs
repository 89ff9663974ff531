//! Authenticated STAMP with a key: whether it is answered, and whether the far end checks (RFC 8762 section
//! 4.4, RFC 8972 section 4.8).

use super::udp::at_places_of;
use crate::doctor::keyed::{
    AUTHENTICATED, FORGED, KeyedKind, KeyedReply, TlvsBack, WITH_TLVS, tlvs_back,
};
use crate::doctor::train::SSID;
use crate::doctor::{Ask, Check, Cost, FarEndPlan, Judged, Seen};

/// A check of what becomes of authenticated packets.
pub(super) struct OfKeyed {
    id: &'static str,
    kind: &'static KeyedKind,
    judge: fn(&Seen) -> Judged,
}

impl Check for OfKeyed {
    fn id(&self) -> &'static str {
        self.id
    }

    fn costs(&self) -> Vec<Cost> {
        let all = at_places_of(AUTHENTICATED.name, AUTHENTICATED.count);
        if self.kind == &AUTHENTICATED {
            vec![all]
        } else {
            vec![all, (self.kind.name.to_owned(), self.kind.count)]
        }
    }

    fn is_able(&self, plan: &FarEndPlan) -> bool {
        !plan.keys.stamp.is_empty()
    }

    fn asks(&self, seen: &Seen) -> Vec<Ask> {
        if self.kind == &AUTHENTICATED {
            let with_key = |far: &_| seen.stamp_key(*far).is_some();
            let places = seen.places().into_iter().filter(with_key);
            return places.map(|far| Ask::Keyed(far, self.kind)).collect();
        }
        let ask = |far| Ask::Keyed(far, self.kind);
        seen.authenticated().map(ask).into_iter().collect()
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
    if let Some(far) = seen.authenticated() {
        return Judged::ok(format!(
            "{far} answers authenticated STAMP, and the HMAC of its replies is right"
        ))
        .with("port", far.port());
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
        asked.filter_map(|(far, (keyed, key))| Some((far, keyed.replies(key).next()?)));
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

/// A wrong HMAC must stay unanswered.
pub(super) static WRONG_HMAC: OfKeyed = OfKeyed {
    id: "stamp.authenticated.wrong-hmac",
    kind: &FORGED,
    judge: wrong_hmac,
};

fn wrong_hmac(seen: &Seen) -> Judged {
    let Some(far) = seen.authenticated() else {
        return Judged::skipped("authenticated STAMP is not answered");
    };
    let Some((keyed, key)) = seen.keyed_to(far, &FORGED) else {
        return Judged::skipped("nothing was sent");
    };
    let answered = keyed.replies(key).count();
    if answered > 0 {
        return Judged::fail(format!(
            "{answered} of {} packets with a wrong HMAC are answered: the far end does not check it",
            keyed.sent
        ))
        .advise("anybody can use it and change what it measures: report it to the vendor (RFC 8762 section 4.4)");
    }
    let right = seen.keyed_to(far, &AUTHENTICATED);
    let is_lossy = right.is_none_or(|(keyed, key)| keyed.replies(key).count() < keyed.sent);
    if is_lossy {
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
    let Some(far) = seen.authenticated() else {
        return Judged::skipped("authenticated STAMP is not answered");
    };
    let Some((keyed, key)) = seen.keyed_to(far, &WITH_TLVS) else {
        return Judged::skipped("nothing was sent");
    };
    let back = keyed
        .replies(key)
        .next()
        .map(|(_, reply)| tlvs_back(reply, key));
    match back {
        Some(TlvsBack::Right) => Judged::ok("TLVs come back with the right HMAC"),
        Some(TlvsBack::Refused) => Judged::fail("the far end says that the HMAC of TLVs is wrong (flag I), and it is right")
            .advise("it covers the Sequence Number and the TLVs before it (RFC 8972 section 4.8): report it to the vendor"),
        Some(TlvsBack::NoHmac) => Judged::warn("TLVs of authenticated packets come back without an HMAC")
            .advise("the far end may know RFC 8762 alone: measure it without --tlv"),
        Some(TlvsBack::WrongHmac) => Judged::fail("TLVs come back with a wrong HMAC")
            .advise("what they say cannot be trusted: report it to the vendor (RFC 8972 section 4.8)"),
        None => Judged::warn("authenticated packets with TLVs are not answered, and others are")
            .advise("measure it without --tlv; RFC 8972 section 4 wants an answer to each"),
    }
}
