//! Far ends that answer authenticated STAMP alone: they are examined with signed packets, by the same checks.

use std::mem;

use twinpath_wire::{
    ReplyHead, StampReflector, StampReflectorAuthenticated, StampSender, StampSenderAuthenticated,
};

use super::keyed::{key, keys};
use super::*;

const OPEN: usize = StampSender::OCTETS;
const SIGNED: usize = StampSenderAuthenticated::OCTETS;
/// The header of an HMAC TLV without flags, and octets of the whole.
const HMAC_TLV: [u8; 4] = [0, 8, 0, 16];
const HMAC_TLV_OCTETS: usize = 20;

fn examined_signed(mut far: FakeFar) -> (Vec<Checked>, Verdict) {
    far.keys = keys(key(1));
    far.reflector.set_keys(keys(key(1)));
    let keys = Keys::default().with_stamp(keys(key(1)), " --hmac-key-file k".to_owned());
    examined_with(far, None, keys)
}

/// The same far end, but that it answers signed packets alone, and errs in them.
fn signed(mut far: FakeFar) -> FakeFar {
    let mut errs = mem::replace(&mut far.errs, Box::new(|_, _| Vec::new()));
    far.errs = Box::new(move |request, replies| {
        if request.octets.len() < SIGNED || !key(1).opens(request.octets) {
            return Vec::new();
        }
        let has_hmac = ends_with_hmac(request.octets);
        let octets = &open_request(request.octets, has_hmac)[..];
        let opened = replies.into_iter().map(|reply| Sent {
            octets: open_reply(&reply.octets, has_hmac),
            ..reply
        });
        let erring = errs(&Request { octets }, opened.collect());
        let sealed = erring.into_iter().map(|reply| Sent {
            octets: sealed_reply(&reply.octets, request.octets, has_hmac),
            ..reply
        });
        sealed.collect()
    });
    far
}

fn ends_with_hmac(octets: &[u8]) -> bool {
    let at = octets.len().checked_sub(HMAC_TLV_OCTETS);
    // A request has the flag U.
    at.is_some_and(|at| at >= SIGNED && octets[at + 1..].starts_with(&HMAC_TLV[1..]))
}

fn chain(octets: &[u8], has_hmac: bool) -> &[u8] {
    let end = octets.len() - if has_hmac { HMAC_TLV_OCTETS } else { 0 };
    &octets[SIGNED..end]
}

fn open_request(octets: &[u8], has_hmac: bool) -> Vec<u8> {
    let (from, _) = StampSenderAuthenticated::view(octets).unwrap();
    let mut open = vec![0; OPEN];
    let (to, _) = StampSender::view_mut(&mut open).unwrap();
    (to.seq, to.t1, to.error, to.ssid) = (from.seq, from.t1, from.error, from.ssid);
    [&open, chain(octets, has_hmac)].concat()
}

fn open_reply(octets: &[u8], has_hmac: bool) -> Vec<u8> {
    let (from, _) = StampReflectorAuthenticated::view(octets).unwrap();
    let mut open = vec![0; OPEN];
    let (to, _) = StampReflector::view_mut(&mut open).unwrap();
    to.head = twinpath_wire::Reply::from(from).head;
    (to.sender_error, to.sender_ttl) = (from.sender_error, from.sender_ttl);
    [&open, chain(octets, has_hmac)].concat()
}

/// `octets` are at least those of an open base packet; a reply that ends before its request `asked` has no HMAC TLV.
fn sealed_reply(octets: &[u8], asked: &[u8], has_hmac: bool) -> Vec<u8> {
    let key = key(1);
    let (from, chain) = StampReflector::view(octets).unwrap();
    let ReplyHead {
        seq,
        t3,
        error,
        ssid,
        t2,
        sender_seq,
        sender_t1,
    } = from.head;
    let mut sealed = vec![0; SIGNED];
    let (to, _) = StampReflectorAuthenticated::view_mut(&mut sealed).unwrap();
    (to.seq, to.t3, to.error, to.ssid, to.t2) = (seq, t3, error, ssid, t2);
    (to.sender_seq, to.sender_t1) = (sender_seq, sender_t1);
    (to.sender_error, to.sender_ttl) = (from.sender_error, from.sender_ttl);
    key.seal(&mut sealed);
    sealed.extend(chain);
    if !has_hmac || octets.len() - OPEN < self::chain(asked, has_hmac).len() {
        return sealed;
    }
    if chain.iter().all(|octet| *octet == 0) {
        sealed.resize(sealed.len() + HMAC_TLV_OCTETS, 0);
    } else if chain[0] & 0x40 != 0 {
        // After a malformed TLV, what follows is copied (RFC 8972 section 4).
        sealed.extend(&asked[asked.len() - HMAC_TLV_OCTETS..]);
    } else {
        let tag = key.sign(&[&sealed[..4], chain]);
        sealed.extend(HMAC_TLV);
        sealed.extend(tag);
    }
    sealed
}

#[test]
fn a_far_end_that_answers_signed_packets_alone_is_examined_with_them() {
    let (checks, verdict) = examined_signed(signed(FakeFar::honest()));
    let (open, _) = examined(FakeFar::honest(), None);
    for status in [Status::Fail, Status::Warn, Status::Unknown] {
        assert_eq!(with(&checks, status), with(&open, status), "{status:?}");
    }
    let mut wanted = with(&open, Status::Ok);
    wanted.retain(|id| !["light.answers", "stamp.answers"].contains(id));
    let found = with(&checks, Status::Ok);
    for id in wanted {
        assert!(found.contains(&id), "{id}");
    }
    let said = "r1 speaks authenticated STAMP (UDP port 862), and nothing is wrong with it";
    assert_eq!(verdict.sentence, said);
    let command = "twinpath sender r1 --stamp --authenticated --hmac-key-file k";
    assert_eq!(verdict.command.as_deref(), Some(command));
    assert_eq!(verdict.further, [""; 0]);
    let judged = |id: &str| judged(&checks, id);
    assert_eq!(judged("stamp.authenticated").data["ssid_returned"], true);
    let sizes = &judged("test.reply-size").data["request_and_reply_octets"];
    assert_eq!(sizes[0], serde_json::json!([112, 112]));
    assert_eq!(judged("path.mtu").data["out_octets"], 1_500);
}

#[test]
fn each_error_is_found_in_signed_packets_too() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (id, finding, far) in errors::all() {
        let of_packets = ["test.", "clock.", "path.", "stamp.tlv."];
        // An authenticated reply that ends early has no HMAC.
        if !of_packets.iter().any(|subject| id.starts_with(subject))
            || finding.contains("end before the Sender TTL")
        {
            continue;
        }
        seen += 1;
        let finding = finding.replace("44 octets", "112 octets");
        let (checks, verdict) = examined_signed(signed(far));
        let found = checks.iter().find(|checked| checked.id == id).unwrap();
        let judged = &found.judged;
        let is_right = judged.finding.contains(&finding)
            && matches!(judged.status, Status::Fail | Status::Warn)
            && verdict.sentence.contains("speaks authenticated STAMP");
        if !is_right {
            wrong.push(format!("{finding}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(seen > 40, "{seen}");
}

#[test]
fn replies_with_a_wrong_hmac_are_no_replies() {
    // Of packets with TLVs, and of those with padding.
    let longer = |_: &Request<'_>, mut replies: Vec<Sent>| {
        for reply in replies
            .iter_mut()
            .filter(|reply| reply.octets.len() > SIGNED)
        {
            reply.octets[SIGNED - 1] ^= 1;
        }
        replies.retain(|reply| reply.octets.len() >= SIGNED);
        replies
    };
    let (checks, _) = examined_signed(FakeFar::erring(longer));
    let judged = |id: &str| judged(&checks, id);
    let sizes = judged("test.reply-size");
    let said = "requests of 200, 700, 1200 octets are not answered";
    assert!(sizes.finding.contains(said), "{sizes:?}");
    let tlv = judged("stamp.tlv.location");
    assert!(
        tlv.finding.contains("packets with TLVs are not answered"),
        "{tlv:?}"
    );
}

#[test]
fn tlvs_whose_hmac_is_wrong_or_missing_say_nothing() {
    type Change = fn(&mut Vec<u8>);
    let wrong: Change = |octets| *octets.last_mut().unwrap() ^= 1;
    let missing: Change = |octets| octets.truncate(octets.len() - HMAC_TLV_OCTETS);
    for (change, why) in [(wrong, "with a wrong HMAC"), (missing, "without an HMAC")] {
        let far = FakeFar::erring(move |request, mut replies| {
            replies.retain(|_| request.octets.len() >= SIGNED);
            for reply in &mut replies {
                if ends_with_hmac(&reply.octets) {
                    change(&mut reply.octets);
                }
            }
            replies
        });
        let (checks, verdict) = examined_signed(far);
        let mut of_tlvs = checks
            .iter()
            .filter(|checked| checked.id.starts_with("stamp.tlv."))
            // That one's HMAC is copied by any far end.
            .filter(|checked| checked.id != "stamp.tlv.malformed");
        assert!(
            of_tlvs.all(|checked| checked.judged.status == Status::Unknown
                && checked.judged.finding.contains(why))
        );
        assert!(verdict.sentence.contains("could not tell"), "{verdict:?}");
    }
}

#[test]
fn signed_replies_from_elsewhere_are_told() {
    let (checks, verdict) = examined_signed(signed(FakeFar::erring(|_, mut replies| {
        for reply in &mut replies {
            reply.from = "203.0.113.8:862".parse().unwrap();
        }
        replies
    })));
    let udp = checks.iter().find(|checked| checked.id == "reach.udp");
    let finding = &udp.unwrap().judged.finding;
    assert!(
        finding.contains("replies come from 203.0.113.8:862"),
        "{finding}"
    );
    assert_eq!(verdict.command, None);
}

#[test]
fn a_far_end_of_rfc_8762_alone_has_no_tlvs_to_look_at() {
    let (checks, _) = examined_signed(signed(FakeFar::changing(|_, reply| {
        reply[14..16].fill(0);
        reply[44..].fill(0);
    })));
    let judged = |id: &str| judged(&checks, id);
    assert_eq!(judged("stamp.authenticated").status, Status::Ok);
    let finding = &judged("stamp.authenticated").finding;
    assert!(
        finding.contains("does not come back: STAMP as in RFC 8762"),
        "{finding}"
    );
    assert_eq!(judged("stamp.tlv.cos").status, Status::Skipped);
    let (checks, _) = examined_signed(signed(FakeFar::changing(|_, reply| {
        reply[14..16].copy_from_slice(&[1, 2]);
    })));
    assert!(with(&checks, Status::Fail).contains(&"stamp.authenticated"));
}

#[test]
fn losses_of_signed_packets_are_not_taken_for_what_a_far_end_does_not_support() {
    for period in 2..7 {
        let far = errors::losing(move |number| number % period == 1);
        let (checks, _) = examined_signed(signed(far));
        assert_eq!(with(&checks, Status::Fail), [""; 0], "{period}");
        assert_eq!(with(&checks, Status::Warn), ["test.one-reply"], "{period}");
    }
}

#[test]
fn a_far_end_that_takes_tlvs_for_padding_is_not_said_to_compute_a_wrong_hmac() {
    let far = FakeFar::erring(|request, mut replies| {
        replies.retain(|_| request.octets.len() >= SIGNED);
        for reply in &mut replies {
            reply.octets.truncate(SIGNED);
            reply.octets.extend(&request.octets[SIGNED..]);
        }
        replies
    });
    let (checks, _) = examined_signed(far);
    let judged = |id: &str| {
        let mut all = checks.iter();
        &all.find(|checked| checked.id == id).unwrap().judged
    };
    let hmac = judged("stamp.authenticated.tlv-hmac");
    assert!(
        hmac.finding.contains("come back as they were sent"),
        "{hmac:?}"
    );
    let cos = judged("stamp.tlv.cos");
    assert_eq!(cos.finding, "the TLV \"cos\" is not supported");
    assert_eq!(with(&checks, Status::Fail), [""; 0]);
}
