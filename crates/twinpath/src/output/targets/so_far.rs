//! The same words about sessions that go on.

use twinpath_report::{FailedTarget, Identity};
use twinpath_runtime::measure::Progress;
use twinpath_wire::Wall;

use super::{Cells, Differing, Direction, Rank, Ranked, Survey, summary, target_of};

/// What is known of a session that goes on.
pub(crate) struct SoFar<'a> {
    pub(crate) identity: &'a Identity,
    pub(crate) received: u64,
    pub(crate) lost: u64,
    /// So many packets were not sent that the loss is unknown.
    pub(crate) is_unknown: bool,
    /// Replies to some packets were not to come here.
    pub(crate) is_unawaited: bool,
    /// As for [`summary::silent_so_far`].
    pub(crate) silent_since: Option<(Wall, String)>,
    pub(crate) direction: Option<Direction>,
    pub(crate) median_ns: Option<i64>,
    pub(crate) p99_ns: Option<i64>,
}

/// What is remarkable about sessions that go on, in one sentence.
pub(crate) fn so_far<'a>(
    sessions: impl Iterator<Item = SoFar<'a>>,
    differing: Differing,
    failed: &[FailedTarget],
) -> String {
    let mut survey = Survey::default();
    let ranked = sessions.enumerate();
    let ranked = ranked.map(|(place, session)| session.ranked(place, differing));
    survey.ranked.extend(ranked);
    survey.rank();
    let sentences = survey.sentences(differing, failed, &[], false);
    sentences.into_iter().next().unwrap_or_default()
}

impl<'a> SoFar<'a> {
    /// As far as its counts tell by `now`.
    pub(crate) fn of(identity: &'a Identity, progress: &Progress, now: Wall) -> Self {
        Self {
            identity,
            received: progress.received,
            lost: progress.lost,
            is_unawaited: progress.unawaited > 0,
            is_unknown: !progress.coverage().is_complete(),
            silent_since: summary::silent_so_far(progress, now),
            direction: None,
            median_ns: None,
            p99_ns: None,
        }
    }

    fn ranked(self, place: usize, differing: Differing) -> Ranked {
        let (identity, sent) = (self.identity, self.received.saturating_add(self.lost));
        Ranked {
            place,
            rank: Rank::new((self.lost, sent), self.is_unknown, self.p99_ns),
            name: differing.name(identity),
            target: target_of(identity),
            address: identity.reflector,
            class: identity.tos.dscp(),
            path: identity.path,
            port: identity.sender.port(),
            has_begun: true,
            sent,
            received: self.received,
            lost: self.lost,
            duplicates: 0,
            reordered: 0,
            has_answers: false,
            is_unawaited: self.is_unawaited,
            in_vain: None,
            silent_since: self.silent_since,
            direction: self.direction,
            median_ns: self.median_ns,
            cells: Cells::default(),
        }
    }
}
