//! Trials against far ends in memory: one that does all as the RFCs demand, and others that err in a defined way.

use std::collections::BTreeSet;
#[cfg(feature = "control")]
use std::fmt::Write as _;

use super::*;

mod errors;
mod far;
mod loss;
#[cfg(feature = "control")]
mod server;

use far::Far;

/// The parts by datagrams, or by control connections.
fn parts(are_dialogues: bool) -> Vec<&'static Part> {
    let each = PARTS.iter().copied();
    each.filter(|part| matches!(part.trials, Trials::Datagrams(..)) != are_dialogues)
        .collect()
}

/// All trials by datagrams, made on `far`.
fn tried(far: &mut Far) -> Vec<Tried> {
    let address = far::ADDRESS.parse().unwrap();
    let subjects = Subjects {
        light: Some(address),
        stamp: Some(address),
        authenticated: Some(address),
        control: None,
    };
    let keys = far::keys(Some(far::KEY));
    let parts = run(&parts(false), &subjects, &keys, far);
    parts.into_iter().flat_map(|(_, tried)| tried).collect()
}

/// Names of the trials that ended like this.
fn with(tried: &[Tried], status: Status) -> BTreeSet<&'static str> {
    let of = tried.iter().filter(|tried| tried.status == status);
    of.map(|tried| tried.id).collect()
}

#[test]
fn names_are_each_of_one_trial_and_each_has_its_section() {
    let all: Vec<_> = PARTS.iter().flat_map(|part| part.trials()).collect();
    let names: BTreeSet<_> = all.iter().map(|trial| trial.id).collect();
    assert_eq!(names.len(), all.len());
    for trial in all {
        assert!(trial.id.starts_with("strict."), "{trial:?}");
        assert!(trial.section.starts_with(|c: char| c.is_ascii_digit()));
        assert!(!trial.sends.ends_with('.'), "{trial:?}");
    }
}

/// The table of docs/strict.md.
#[cfg(feature = "control")]
fn table() -> String {
    let mut table = "| Trial | RFC | Sends |\n|---|---|---|\n".to_owned();
    for part in PARTS {
        for trial in part.trials() {
            let Listed {
                id,
                rfc,
                section,
                sends,
            } = trial;
            writeln!(table, "| `{id}` | {rfc}, {section} | {sends} |").unwrap();
        }
    }
    table
}

#[test]
#[cfg(feature = "control")]
fn the_document_has_all_trials() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/strict.md");
    let document = std::fs::read_to_string(path).unwrap();
    let (before, rest) = document.split_once("<!-- trials -->\n").unwrap();
    let (found, after) = rest.split_once("<!-- end of trials -->").unwrap();
    if std::env::var_os("INSTA_UPDATE").is_some_and(|update| update == "always") {
        let table = table();
        let renewed = format!("{before}<!-- trials -->\n{table}<!-- end of trials -->{after}");
        std::fs::write(path, renewed).unwrap();
    } else {
        assert_eq!(found, table(), "renew it with INSTA_UPDATE=always");
    }
}

#[test]
fn all_trials_together_are_bounded() {
    assert!(most_packets(PARTS) < 4_000, "{}", most_packets(PARTS));
    let longest = most_time(PARTS).as_secs();
    assert!(longest < 1_000, "{longest}");
}

#[test]
fn a_far_end_that_does_all_as_it_must_passes_all() {
    let mut far = Far::honest();
    let tried = tried(&mut far);
    assert!(tried.len() > 60, "{}", tried.len());
    for status in [Status::Fail, Status::Unclear, Status::Skipped] {
        let found: Vec<_> = tried
            .iter()
            .filter(|tried| tried.status == status)
            .collect();
        assert!(found.is_empty(), "{found:#?}");
    }
    assert!(
        far.packets <= most_packets(&parts(false)),
        "{}",
        far.packets
    );
}

#[test]
fn each_error_is_found_by_its_trials_and_by_no_others() {
    let mut wrong = Vec::new();
    for error in errors::all() {
        let mut far = Far::erring(error.errs);
        let tried = tried(&mut far);
        let found = with(&tried, error.status);
        let wanted: BTreeSet<_> = error.found_by.iter().copied().collect();
        let other = match error.status {
            Status::Fail => Status::Unclear,
            Status::Unclear | Status::Pass | Status::Skipped => Status::Fail,
        };
        let others = with(&tried, other);
        if found != wanted || !others.is_empty() {
            let odd: Vec<_> = tried
                .iter()
                .filter(|tried| tried.status == Status::Fail || tried.status == Status::Unclear)
                .map(|tried| format!("{}: {}", tried.id, tried.evidence))
                .collect();
            wrong.push(format!("{}: wanted {wanted:?}, found {odd:#?}", error.name));
        }
        assert!(far.packets <= most_packets(&parts(false)), "{}", error.name);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each trial is worth its packets: some far end does not pass it.
#[test]
fn no_trial_is_without_an_error_that_it_finds() {
    let found: BTreeSet<_> = errors::all()
        .into_iter()
        .flat_map(|error| error.found_by)
        .copied()
        .collect();
    let all = parts(false).into_iter().flat_map(Part::trials);
    let idle: Vec<_> = all
        .map(|trial| trial.id)
        .filter(|id| !found.contains(id))
        .collect();
    assert_eq!(idle, [""; 0]);
}

#[test]
fn without_a_key_what_needs_one_is_skipped() {
    let mut far = Far::honest();
    let address = far::ADDRESS.parse().unwrap();
    let subjects = Subjects {
        light: None,
        stamp: Some(address),
        authenticated: Some(address),
        control: None,
    };
    let parts = run(&parts(false), &subjects, &Keys::default(), &mut far);
    for (part, tried) in parts {
        let is_skipped = tried.iter().all(|tried| tried.status == Status::Skipped);
        let wants_key = part.contains("key") || part.contains(", authenticated");
        assert_eq!(is_skipped, wants_key || part == "TWAMP Light", "{part}");
    }
}

#[test]
fn a_key_that_the_far_end_has_not_is_no_error_of_the_far_end() {
    for (other, refusal) in [(Some([9; 16]), "refuses"), (None, "does not verify")] {
        let mut far = Far::with_key(other);
        let tried = tried(&mut far);
        assert_eq!(with(&tried, Status::Fail), BTreeSet::new());
        let mut each = tried.iter();
        let right = each
            .find(|tried| tried.id == "strict.tlv.hmac-right")
            .unwrap();
        assert_eq!(right.status, Status::Skipped);
        assert!(right.evidence.contains(refusal), "{right:?}");
        let mut each = tried.iter();
        let sealed = each
            .find(|tried| tried.id == "strict.authenticated.mbz")
            .unwrap();
        assert_eq!(sealed.status, Status::Skipped, "{sealed:?}");
    }
}

#[test]
fn a_far_end_that_demands_the_hmac_of_tlvs_is_not_tried_without_one() {
    let mut far = Far::erring(Box::new(|request, replies| {
        let has_hmac = |reply: &[u8]| {
            let tlvs = twinpath_wire::Tlvs::new(reply.get(44..).unwrap_or_default());
            let mut tlvs = tlvs.flatten();
            tlvs.any(|tlv| tlv.header.kind == twinpath_wire::TlvType::HMAC)
        };
        let refused = |mut reply: Vec<u8>| {
            if !far::is_authenticated(request)
                && !has_hmac(&reply)
                && let Some(flags) = reply.get_mut(44)
            {
                *flags = 0x20;
            }
            reply
        };
        replies.into_iter().map(refused).collect()
    }));
    let tried = tried(&mut far);
    assert_eq!(with(&tried, Status::Fail), BTreeSet::new());
    let skipped = with(&tried, Status::Skipped);
    assert!(skipped.contains("strict.tlv.unknown"), "{skipped:?}");
    assert!(skipped.contains("strict.tlv.cos-length"), "{skipped:?}");
    // What is signed is tried.
    let passed = with(&tried, Status::Pass);
    assert!(passed.contains("strict.tlv.hmac-right"), "{passed:?}");
}

#[test]
fn a_reflector_that_copies_tlvs_is_not_asked_what_it_makes_of_them() {
    let mut far = Far::erring(Box::new(|request, replies| {
        let copied = |mut reply: Vec<u8>| {
            if let (Some(to), Some(from)) = (reply.get_mut(44..), request.get(44..))
                && to.len() == from.len()
                && !far::is_authenticated(request)
            {
                to.copy_from_slice(from);
            }
            reply
        };
        replies.into_iter().map(copied).collect()
    }));
    let tried = tried(&mut far);
    let skipped = with(&tried, Status::Skipped);
    assert!(skipped.contains("strict.tlv.unknown"), "{skipped:?}");
    assert!(skipped.contains("strict.tlv.cos-length"), "{skipped:?}");
    assert_eq!(with(&tried, Status::Fail), BTreeSet::new());
}
