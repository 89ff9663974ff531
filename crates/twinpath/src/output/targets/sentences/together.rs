//! What sessions have in common.

use std::collections::BTreeSet;

use twinpath_wire::{Dscp, Wall};

use super::{Direction, Ranked};
use crate::output::counts;

/// The paths that they take.
pub(super) fn paths_of(sessions: &[&Ranked]) -> BTreeSet<u16> {
    sessions.iter().filter_map(|session| session.path).collect()
}

/// The class of all of them, if it is one.
pub(super) fn one_class(sessions: &[&Ranked]) -> Option<Dscp> {
    let first = sessions.first()?.class;
    let is_one = sessions.iter().all(|session| session.class == first);
    is_one.then_some(first)
}

/// When the last packet was sent that one of them answered, if nothing came back after it.
pub(super) fn silent_since<'a>(sessions: &[&'a Ranked]) -> Option<&'a (Wall, String)> {
    let is_silent = |session: &&Ranked| session.is_silent() || session.silent_since.is_some();
    let since = sessions.iter();
    let since = since.filter_map(|session| session.silent_since.as_ref());
    since
        .max_by_key(|(at, _)| *at)
        .filter(|_| sessions.iter().all(is_silent))
}

/// ` outbound`, if that is known of all of them.
pub(super) fn direction(sessions: &[&Ranked]) -> &'static str {
    let first = sessions.first().and_then(|session| session.direction);
    let is_one = sessions.iter().all(|session| session.direction == first);
    first.filter(|_| is_one).map_or("", Direction::suffix)
}

/// Losses beside the worst, in words.
pub(super) fn rest(others: &[&Ranked]) -> String {
    let losing: Vec<&&Ranked> = others.iter().filter(|session| session.loses()).collect();
    let (Some(most), Some(least)) = (losing.first(), losing.last()) else {
        let is_unknown = others.iter().any(|other| other.rank.is_unknown);
        return if is_unknown {
            format!("others {}", counts::UNKNOWN)
        } else {
            "all others 0%".to_owned()
        };
    };
    let (some, all) = (losing.len(), others.len());
    let (least, most) = (least.share(), most.share());
    match (some == all, least == most) {
        (true, true) => format!("all others {most}"),
        (true, false) => format!("others {least} to {most}"),
        (false, true) => format!("{some} of {all} others {most}"),
        (false, false) => format!("{some} of {all} others up to {most}"),
    }
}
