//! What is remarkable about many sessions, in words: about all targets, then about the paths of each.

mod all;
mod together;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use twinpath_report::{FailedTarget, RefusedSession};

use super::{Differing, Direction, Ranked, Survey, units};
use crate::output::{counts, ends, summary};
use all::of_targets;
use together::{direction, one_class, paths_of, rest, silent_since};

/// Targets whose paths are described in words, unless all are asked for.
const MOST_PATHS: usize = 10;
/// Targets named in a sentence.
const MOST_NAMES: usize = 3;
/// Why a loss is unknown.
const UNAWAITED: &str = "packets were not to be answered here";
const UNSENT: &str = "packets were not sent";
/// Paths named in a sentence.
const MOST_NUMBERS: usize = 8;

impl Survey {
    /// What is remarkable, a sentence each. `all`: about all targets with several paths.
    pub(in crate::output) fn sentences(
        &self,
        differing: Differing,
        failed: &[FailedTarget],
        refused: &[RefusedSession],
        all: bool,
    ) -> Vec<String> {
        let several = several(differing);
        self.of_each_file(differing, refused, |targets, file| {
            let is_own =
                |one: &&FailedTarget| file.is_none_or(|file| one.file.as_deref() == Some(file));
            let mut unmeasured = Unmeasured::default();
            for one in failed.iter().filter(is_own) {
                match one.sessions {
                    Some(sessions) => {
                        *unmeasured.in_part.entry(&one.target).or_default() += sessions;
                    }
                    None => _ = unmeasured.targets.insert(&one.target),
                }
            }
            sentences(targets, several, &unmeasured, refused, all)
        })
    }

    /// What is to be known beside losses, a line each.
    pub(in crate::output) fn remarks(&self, differing: Differing) -> Vec<String> {
        let several = several(differing);
        self.of_each_file(differing, &[], |targets, _| remarks(targets, several))
    }

    /// Lines about the targets, worst first. Each of several files has its own: a target that is in two of
    /// them was measured twice. Where there are no targets with names, each session is one.
    fn of_each_file(
        &self,
        differing: Differing,
        refused: &[RefusedSession],
        lines: impl Fn(&[OfTarget<'_>], Option<&str>) -> Vec<String>,
    ) -> Vec<String> {
        if !differing.is_mesh() {
            let each = self.ranked.iter().map(|session| OfTarget {
                name: &session.name,
                sessions: vec![session],
                refused: BTreeSet::new(),
            });
            return lines(&each.collect::<Vec<_>>(), None);
        }
        if self.files.is_empty() {
            return lines(&by_target(self.ranked.iter(), refused), None);
        }
        let of_file = |(file, places): &(String, Range<usize>)| {
            let ranked = self.ranked.iter();
            let ranked = ranked.filter(|session| places.contains(&session.place));
            let lines = lines(&by_target(ranked, refused), Some(file)).into_iter();
            let lines = lines.map(|line| format!("{file}: {line}"));
            lines.collect::<Vec<_>>()
        };
        self.files.iter().flat_map(of_file).collect()
    }
}

/// Duplicates and reordered packets. `several`: as for [`sentences`].
fn remarks(targets: &[OfTarget<'_>], several: Option<[&str; 2]>) -> Vec<String> {
    let kinds: [(Count, _); 2] = [
        (|it| it.duplicates, ["duplicate", "duplicates"]),
        (|it| it.reordered, ["reordered packet", "reordered packets"]),
    ];
    let lines = kinds.into_iter().filter_map(|(count, [one, many])| {
        let with = targets
            .iter()
            .map(|target| (target.sum(count), target.name));
        let mut with: Vec<(u64, &str)> = with.filter(|(count, _)| *count > 0).collect();
        // Stable: worst first among equals.
        with.sort_by_key(|(count, _)| Reverse(*count));
        let sum = with.iter().map(|(count, _)| *count);
        let line = units::count(sum.fold(0, u64::saturating_add), one, many);
        let names = with.iter().map(|(_, name)| *name);
        match several {
            _ if with.is_empty() => None,
            Some([one, many]) => Some(format!(
                "{line} from {} of {}: {}",
                with.len(),
                units::count(targets.len() as u64, one, many),
                list(names, MOST_NAMES)
            )),
            None => Some(line),
        }
    });
    lines.collect()
}

/// How one of several and all are called.
fn several(differing: Differing) -> Option<[&'static str; 2]> {
    match (differing.is_mesh(), differing.has_targets()) {
        (false, _) => Some(["session", "sessions"]),
        (true, true) => Some(["target", "targets"]),
        (true, false) => None,
    }
}

type Count = fn(&Ranked) -> u64;

/// What could not be measured.
#[derive(Default)]
struct Unmeasured<'a> {
    /// Targets of which nothing was measured.
    targets: BTreeSet<&'a str>,
    /// Others, with how many of their sessions were not.
    in_part: BTreeMap<&'a str, u64>,
}

/// The sessions of one target, worst first.
struct OfTarget<'a> {
    name: &'a str,
    sessions: Vec<&'a Ranked>,
    /// Paths of sessions that were refused.
    refused: BTreeSet<u16>,
}

impl<'a> OfTarget<'a> {
    fn is_silent(&self) -> bool {
        self.sessions.iter().all(|session| session.is_silent())
    }

    /// Silent, though something came back.
    fn has_answers(&self) -> bool {
        self.sessions.iter().any(|session| session.has_answers)
    }

    fn loses(&self) -> bool {
        !self.is_silent() && self.sessions.iter().any(|session| session.loses())
    }

    fn is_unknown(&self) -> bool {
        self.sessions.iter().any(|session| session.rank.is_unknown)
    }

    /// As replies were not to come here: no more is to be expected of it.
    fn is_unawaited(&self) -> bool {
        self.sessions.iter().any(|session| session.is_unawaited)
    }

    /// What was asked for and not done, each with how many of its sessions have it so.
    fn in_vain(&self) -> BTreeMap<&'a str, u64> {
        let mut counts = BTreeMap::new();
        for in_vain in self.sessions.iter().filter_map(|it| it.in_vain.as_deref()) {
            *counts.entry(in_vain).or_default() += 1;
        }
        counts
    }

    fn has_begun(&self) -> bool {
        self.sessions.iter().any(|session| session.has_begun)
    }

    /// Of no packet the fate is known yet, while the run goes on.
    fn is_open(&self) -> bool {
        let is_open = |session: &&Ranked| session.sent == 0 && !session.rank.is_unknown;
        self.has_begun() && self.sessions.iter().all(is_open)
    }

    fn sum(&self, count: Count) -> u64 {
        let counts = self.sessions.iter().map(|session| count(session));
        counts.fold(0, u64::saturating_add)
    }

    /// Lost packets of a billion.
    fn share_of_all(&self) -> u128 {
        let lost = u128::from(self.sum(|it| it.lost)) * 1_000_000_000;
        lost.checked_div(self.sum(|it| it.sent).into()).unwrap_or(0)
    }

    /// The greater, the worse: where the worst sessions are alike, all of them count.
    fn rank(&self) -> Option<(u64, bool, u128, Option<i64>)> {
        let worst = self.sessions.first()?.rank;
        Some((
            worst.lost,
            worst.is_unknown,
            self.share_of_all(),
            worst.delay_ns,
        ))
    }

    fn losing(&self) -> Vec<&'a Ranked> {
        let sessions = self.sessions.iter().copied();
        sessions.filter(|session| session.loses()).collect()
    }

    /// Its paths, and all that were asked for.
    fn paths(&self) -> (usize, usize) {
        let measured = paths_of(&self.sessions);
        (measured.len(), measured.union(&self.refused).count())
    }

    fn has_classes(&self) -> bool {
        one_class(&self.sessions).is_none()
    }

    /// `fra-core1, 12.00% outbound on 1 of 16 paths`.
    fn worst(&self) -> String {
        let losing = self.losing();
        let Some(worst) = losing.first() else {
            return self.name.to_owned();
        };
        let share = worst.share();
        let is_equal = losing.iter().all(|session| session.share() == share);
        let up_to = if is_equal { "" } else { "up to " };
        let has_moved = self
            .sessions
            .iter()
            .any(|it| it.address.ip() != worst.address.ip());
        let at = if has_moved {
            format!(" at {}", ends::named(worst.address))
        } else {
            String::new()
        };
        let (direction, on) = (direction(&losing), self.scope(&losing));
        format!("{}, {up_to}{share}{direction}{at}{on}", self.name)
    }

    /// Which of its sessions these are: ` in class be on 1 of 2 paths`.
    fn scope(&self, some: &[&Ranked]) -> String {
        let sessions = self.sessions.len();
        let class = one_class(some).filter(|_| self.has_classes());
        let in_class = class.map_or_else(String::new, |class| format!(" in class {class}"));
        let (measured, asked) = self.paths();
        if asked < 2 {
            return in_class;
        }
        let paths = paths_of(some).len();
        if class.is_none() && self.has_classes() && some.len() < sessions {
            return format!(" on {} of {sessions} sessions", some.len());
        }
        if paths == asked && paths == measured {
            return format!("{in_class} on all {asked} paths");
        }
        format!("{in_class} on {paths} of {asked} paths")
    }

    /// The worst paths among the others: `path 7 of 16, source port 20007: 12.00% loss; all others 0%`.
    fn worst_paths(&self) -> Option<String> {
        let share = self.losing().first()?.share();
        let is_worst = |session: &&Ranked| session.loses() && session.share() == share;
        let (worst, others): (Vec<&Ranked>, Vec<&Ranked>) =
            self.sessions.iter().copied().partition(is_worst);
        let (_, asked) = self.paths();
        if asked < 2 {
            return None;
        }
        let direction = direction(&worst);
        let since = silent_since(&worst).map(|(_, since)| summary::no_replies(since));
        let since = since.map_or_else(String::new, |since| format!(", {since}"));
        if others.is_empty() {
            let scope = self.scope(&worst);
            return Some(format!("{share} loss{direction}{scope}{since}"));
        }
        let (named, rest) = (self.named(&worst, asked), rest(&others));
        Some(format!("{named}: {share} loss{direction}{since}; {rest}"))
    }

    /// `be path 7 of 16, source port 20007`.
    fn named(&self, some: &[&Ranked], asked: usize) -> String {
        let mut some = some.to_vec();
        some.sort_by_key(|session| (session.path, session.place));
        let paths = paths_of(&some);
        let of_paths = self.sessions.iter();
        let of_paths = of_paths.filter(|it| it.path.is_some_and(|path| paths.contains(&path)));
        let is_whole = of_paths.count() == some.len();
        let numbers = list(paths.iter().map(u16::to_string), MOST_NUMBERS);
        let noun = if paths.len() == 1 { "path" } else { "paths" };
        let names = match one_class(&some) {
            _ if is_whole => format!("{noun} {numbers}"),
            Some(class) => format!("{class} {noun} {numbers}"),
            None => list(
                some.iter().filter_map(|it| it.class_and_path()),
                MOST_NUMBERS,
            ),
        };
        if some.iter().all(|session| session.port == 0) {
            return format!("{names} of {asked}");
        }
        let noun = if some.len() == 1 { "port" } else { "ports" };
        let ports = list(some.iter().map(|it| it.port.to_string()), MOST_NUMBERS);
        format!("{names} of {asked}, source {noun} {ports}")
    }

    /// How the paths differ in delay.
    fn spread(&self) -> Option<String> {
        let medians = self.sessions.iter();
        let medians =
            medians.filter_map(|session| Some((session.median_ns?, session.path?, *session)));
        let medians: Vec<(i64, u16, &Ranked)> = medians.collect();
        let key = |(median, path, session): &&(i64, u16, &Ranked)| (*median, *path, session.place);
        let (least, _, best) = medians.iter().min_by_key(key)?;
        let (most, _, slowest) = medians.iter().max_by_key(key)?;
        let unit = units::Unit::fit(most.unsigned_abs());
        let name = |session: &Ranked| {
            let path = session.path.map(|path| format!("path {path}"));
            let whole = session.class_and_path().filter(|_| self.has_classes());
            whole.or(path).unwrap_or_default()
        };
        let (least, most) = (unit.delay(*least), unit.delay(*most));
        let (best, slowest) = (name(best), name(slowest));
        (least != most).then(|| format!("median round trip {least} on {best}, {most} on {slowest}"))
    }

    /// In words, where no path loses packets.
    fn without_loss(&self) -> String {
        if !self.has_begun() {
            return "no packet was sent".to_owned();
        }
        if self.is_open() {
            return "no reply yet".to_owned();
        }
        if self.is_unknown() {
            let why = if self.is_unawaited() {
                UNAWAITED
            } else {
                UNSENT
            };
            return format!("loss {}: {why}", counts::UNKNOWN);
        }
        let (measured, _) = self.paths();
        let paths = units::count(measured as u64, "path", "paths");
        format!("no loss on {paths}")
    }

    /// What is remarkable about its paths. `is_one`: it is the only target. `unmeasured`: so many further sessions
    /// could not be measured.
    fn in_words(&self, is_one: bool, unmeasured: u64) -> Option<String> {
        let paths = match (self.worst_paths(), self.is_silent()) {
            (_, true) if is_one && self.has_answers() => {
                "no valid reply in time on any path".to_owned()
            }
            (_, true) if is_one => "nothing came back on any path".to_owned(),
            (Some(worst), false) => worst,
            (None, false) if is_one => self.without_loss(),
            (_, true) | (None, false) => return None,
        };
        let spread = self.spread();
        let spread = spread.map_or_else(String::new, |spread| format!("; {spread}"));
        let all = units::count(self.sessions.len() as u64, "session", "sessions");
        let in_vain = self.in_vain().into_iter().filter(|_| is_one);
        let in_vain = in_vain.map(|(what, some)| format!("; {some} of {all}: {what}"));
        let in_vain: String = in_vain.collect();
        let asked = self.sessions.len() as u64 + unmeasured;
        let unmeasured = (unmeasured > 0).then(|| {
            let asked = units::count(asked, "session", "sessions");
            format!("{unmeasured} of {asked} could not be measured; ")
        });
        let unmeasured = unmeasured.unwrap_or_default();
        Some(format!(
            "{}: {unmeasured}{paths}{spread}{in_vain}",
            self.name
        ))
    }
}

impl Ranked {
    fn class_and_path(&self) -> Option<String> {
        self.path.map(|path| format!("{} path {path}", self.class))
    }
}

/// `a, b, c and 5 more`.
fn list<S: AsRef<str>>(items: impl IntoIterator<Item = S>, most: usize) -> String {
    let items: Vec<S> = items.into_iter().collect();
    let named: Vec<&str> = items.iter().take(most).map(AsRef::as_ref).collect();
    let more = match items.len().saturating_sub(most) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", named.join(", "))
}

/// The targets, worst first. A name with another address than before is still one target.
fn by_target<'a>(
    ranked: impl Iterator<Item = &'a Ranked>,
    refused: &[RefusedSession],
) -> Vec<OfTarget<'a>> {
    let mut targets: Vec<OfTarget<'_>> = Vec::new();
    let mut places = HashMap::new();
    for session in ranked {
        let place = *places.entry(&session.target).or_insert(targets.len());
        match targets.get_mut(place) {
            Some(target) => target.sessions.push(session),
            None => targets.push(OfTarget {
                name: &session.target,
                sessions: vec![session],
                // A server is the only target of its run.
                refused: refused.iter().filter_map(|one| one.path).collect(),
            }),
        }
    }
    targets.sort_by_key(|target| Reverse(target.rank()));
    targets
}

/// What is remarkable. `several`: a name for one of them and for all, if there are others.
fn sentences(
    targets: &[OfTarget<'_>],
    several: Option<[&str; 2]>,
    unmeasured: &Unmeasured<'_>,
    refused: &[RefusedSession],
    all: bool,
) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(names) = several {
        lines.push(of_targets(targets, names, unmeasured));
    }
    let limit = if all { usize::MAX } else { MOST_PATHS };
    let paths = targets.iter();
    let paths = paths.filter_map(|target| {
        let unmeasured = unmeasured.in_part.get(target.name).copied();
        target.in_words(several.is_none(), unmeasured.unwrap_or(0))
    });
    lines.extend(paths.take(limit));
    if let (Some(first), 1..) = (lines.first_mut(), refused.len()) {
        let measured: usize = targets.iter().map(|target| target.sessions.len()).sum();
        let asked = (measured + refused.len()) as u64;
        let asked = units::count(asked, "session", "sessions");
        *first = format!("{first}; {} of {asked} refused", refused.len());
    }
    lines
}

fn which<'t, 'a>(
    targets: &'t [OfTarget<'a>],
    holds: fn(&OfTarget<'a>) -> bool,
) -> Vec<&'t OfTarget<'a>> {
    targets.iter().filter(|target| holds(target)).collect()
}
