//! What was asked of the far end and not done, in a few words: for first sentences.

use twinpath_report::Finding;
use twinpath_report::finding::{FarEnd, TlvReason};

use super::tlvs::not_verified_in_short;
use crate::output::names::plain;

/// What was asked for and not done in any reply, lower case start; `None`: nothing.
pub(crate) fn in_vain(findings: &[Finding]) -> Option<String> {
    let mut far_end = Vec::new();
    for finding in findings {
        if let Finding::FarEnd(finding) = finding {
            far_end.push(finding);
        }
    }
    if let Some(unverified) = far_end.iter().find_map(|finding| unverified(finding)) {
        return Some(unverified);
    }
    let mut said: Vec<String> = far_end.iter().filter_map(|it| not_done(it)).collect();
    let unused = far_end.iter().filter_map(|finding| unused(finding));
    let unused: Vec<String> = unused.collect();
    if !unused.is_empty() {
        let noun = if unused.len() == 1 { "TLV" } else { "TLVs" };
        said.push(format!("{noun} not used: {}", unused.join(", ")));
    }
    (!said.is_empty()).then(|| said.join(", "))
}

/// Nothing is known of any TLV, as the HMAC is wrong or missing.
fn unverified(finding: &FarEnd) -> Option<String> {
    let FarEnd::TlvsNotVerified {
        fault,
        count,
        replies,
    } = finding
    else {
        return None;
    };
    (count >= replies).then(|| not_verified_in_short(*fault))
}

fn not_done(finding: &FarEnd) -> Option<String> {
    if let FarEnd::ReturnPathNotUsed { .. } = finding {
        Some("replies took the ordinary way, not the Return Path".to_owned())
    } else if let FarEnd::ReplyDscpRefused { asked } = finding {
        Some(format!("replies do not have the DSCP {asked} asked for"))
    } else if let FarEnd::TwampLight { .. } = finding {
        Some("TLVs have no effect".to_owned())
    } else if let FarEnd::TlvNotUsed {
        tlv,
        count,
        replies,
        reason: TlvReason::InPart,
        ..
    } = finding
    {
        (count >= replies).then(|| format!("{} done only in part", plain(tlv)))
    } else {
        None
    }
}

/// The name of a TLV that no reply has used.
fn unused(finding: &FarEnd) -> Option<String> {
    let FarEnd::TlvNotUsed {
        tlv,
        count,
        replies,
        reason: TlvReason::NotUsed | TlvReason::Malformed,
        ..
    } = finding
    else {
        return None;
    };
    (count >= replies).then(|| plain(tlv))
}

#[cfg(test)]
mod tests {
    use twinpath_proto::extension::HmacFault;

    use super::*;

    fn tlv(tlv: &str, count: u64, reason: TlvReason) -> Finding {
        let tlv = tlv.to_owned();
        FarEnd::TlvNotUsed {
            tlv,
            count,
            replies: 5,
            reason,
            over_mtu: 0,
            over_limit: 0,
        }
        .into()
    }

    fn unverified(fault: HmacFault, count: u64) -> Finding {
        FarEnd::TlvsNotVerified {
            fault,
            count,
            replies: 5,
        }
        .into()
    }

    #[test]
    fn what_was_asked_for_and_not_done_is_said_as_far_as_it_is_known() {
        let way: Finding = FarEnd::ReturnPathNotUsed { count: 5 }.into();
        let asked = twinpath_wire::Dscp::EF;
        let dscp: Finding = FarEnd::ReplyDscpRefused { asked }.into();
        for (findings, said) in [
            (vec![], None),
            (vec![FarEnd::SsidMissing.into()], None),
            (
                vec![way.clone()],
                Some("replies took the ordinary way, not the Return Path"),
            ),
            (
                vec![dscp.clone(), tlv("location", 5, TlvReason::NotUsed)],
                Some("replies do not have the DSCP ef asked for, TLV not used: location"),
            ),
            (
                vec![
                    tlv("cos", 5, TlvReason::Malformed),
                    tlv("location", 5, TlvReason::NotUsed),
                ],
                Some("TLVs not used: cos, location"),
            ),
            (
                vec![tlv("reflected-control", 5, TlvReason::InPart)],
                Some("reflected-control done only in part"),
            ),
            // Notes say how many replies that is.
            (vec![tlv("location", 4, TlvReason::NotUsed)], None),
            (vec![unverified(HmacFault::Refused, 4)], None),
            (
                vec![way.clone(), unverified(HmacFault::Refused, 5)],
                Some("no TLV was used, as the far end refused the HMAC: its key differs"),
            ),
            // It may have used them nevertheless.
            (
                vec![dscp, unverified(HmacFault::NoKey, 5)],
                Some("what the far end did with the TLVs is not verified, as it has no key"),
            ),
        ] {
            assert_eq!(in_vain(&findings).as_deref(), said, "{findings:?}");
        }
    }
}
