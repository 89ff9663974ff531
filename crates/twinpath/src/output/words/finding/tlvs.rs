//! Why STAMP's TLVs had no effect, and what an operator does about it.

use twinpath_proto::extension::HmacFault;
use twinpath_report::finding::TlvReason;

use super::replies;
use crate::output::names::plain;

/// `in all 5 replies`, `in 3 of 5 replies`.
fn share(count: u64, all: u64) -> String {
    if count < all {
        format!("in {count} of {}", replies(all))
    } else if count == 1 {
        "in the only reply".to_owned()
    } else {
        format!("in all {}", replies(count))
    }
}

/// Behind a "not", which is of all where there are no others: `in any of 5 replies`, `in 3 of 5 replies`.
fn no_share(count: u64, all: u64) -> String {
    if count < all || count == 1 {
        share(count, all)
    } else {
        format!("in any of {}", replies(count))
    }
}

/// A TLV that the far end did not use, or in part, in `count` of `all` replies; of these, over the MTU and over a
/// limit.
pub(super) fn without_effect(
    tlv: &str,
    reason: TlvReason,
    (count, all): (u64, u64),
    over: (u64, u64),
) -> String {
    let tlv = plain(tlv);
    match reason {
        TlvReason::NotUsed => format!(
            "the far end did not use the TLV {tlv} {} (flag U): {}",
            no_share(count, all),
            not_used(&tlv)
        ),
        TlvReason::Malformed => format!(
            "the far end finds the TLV {tlv} malformed {} (flag M): it takes another Length than the RFC's, or the packet was changed on the way",
            share(count, all)
        ),
        TlvReason::InPart => format!(
            "the far end did only a part of what the TLV {tlv} asks for, {} (flag C): {}",
            share(count, all),
            in_part(over)
        ),
    }
}

/// What the flag U of this TLV can mean, and what a responder of twinpath takes for it.
pub(super) fn not_used(tlv: &str) -> &'static str {
    match tlv {
        "return-path" => {
            "it does not know it, cannot do it or does not allow it (twinpath responder: --allow-return-address PREFIX for an address that is not its own, --srv6-return PREFIX for segments)"
        }
        "destination-node" => "it does not know it, or the address is not its own",
        "micro-session" => {
            "it does not know it, or has no ID for this link (twinpath responder: --micro-session-id ID@NAME)"
        }
        "reflected-control" => {
            "it does not know it, does not allow it (twinpath responder: --allow-control PREFIX, and a key at both ends), or takes the request for a repeated one, as packet numbers of each run begin at 0: send from another port (NEAR is :0)"
        }
        "direct-measurement" => {
            "it does not know it, or keeps no state of sessions (twinpath responder: without --stateless)"
        }
        "hmac" => "it has no key for this session (twinpath responder: --hmac-key-file FILE)",
        _ => "it does not know it, or has it disabled (twinpath responder: without --no-tlv)",
    }
}

/// What the flag C can mean: of Reflected Test Packet Control alone.
const fn in_part(over: (u64, u64)) -> &'static str {
    match over {
        (1.., 0) => {
            "one reply instead of several, and shorter than asked for, as that is over its MTU: ask for fewer octets"
        }
        (0, 1..) => {
            "one reply instead of several, as more are over a limit (twinpath responder: --control-count, --control-volume, --control-rate)"
        }
        _ => {
            "one reply instead of several or of the length asked for, as it is over the MTU or a limit (twinpath responder: --control-count, --control-volume, --control-rate)"
        }
    }
}

/// Whether the far end says that it did not use them: otherwise that is unknown.
const fn is_known_unused(fault: HmacFault) -> bool {
    match fault {
        HmacFault::Refused | HmacFault::Wanted => true,
        HmacFault::NoKey | HmacFault::Unsigned | HmacFault::Wrong => false,
    }
}

/// Why TLVs were not used, or what became of them is not known: their HMAC.
pub(super) fn not_verified(fault: HmacFault, count: u64, all: u64) -> String {
    let why = match fault {
        HmacFault::Refused => {
            "the far end refused their HMAC (flag I): its key differs, or packets were changed on the way; use the same key at both ends, for this SSID and address (--hmac-key-file)"
        }
        HmacFault::Wanted => {
            "the far end wants an HMAC (flag I): use --tlv hmac with --hmac-key-file, or --authenticated"
        }
        HmacFault::NoKey => {
            "the far end has no key to check their HMAC (flag U), and may have used them nevertheless (twinpath responder: --accept-unverified-tlvs); give it the key (twinpath responder: --hmac-key-file FILE)"
        }
        HmacFault::Unsigned => {
            "replies have no HMAC: the far end does not know the HMAC TLV, or something removed it"
        }
        HmacFault::Wrong => {
            "the HMAC of replies is wrong here: the far end signs with another key, or they were changed on the way"
        }
    };
    let share = no_share(count, all);
    if is_known_unused(fault) {
        format!("no TLV was used {share}: {why}")
    } else {
        format!("what the far end did with the TLVs is not verified {share}: {why}")
    }
}

/// The same of all replies in a few words.
pub(super) fn not_verified_in_short(fault: HmacFault) -> String {
    let why = match fault {
        HmacFault::Refused => "the far end refused the HMAC: its key differs",
        HmacFault::Wanted => "the far end wants an HMAC",
        HmacFault::NoKey => "it has no key",
        HmacFault::Unsigned => "replies have no HMAC",
        HmacFault::Wrong => "the HMAC of replies is wrong: its key differs",
    };
    if is_known_unused(fault) {
        format!("no TLV was used, as {why}")
    } else {
        format!("what the far end did with the TLVs is not verified, as {why}")
    }
}
