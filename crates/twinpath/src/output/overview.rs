//! A run with so many sessions that each is drawn small, as plain data for a page and a picture.

use std::collections::HashMap;
use std::net::SocketAddr;

use twinpath_report::SessionReport;

use super::names::{Differing, target_name};
use super::pictures::{Common, NO_FIGURE, failed, of_run, picture_note, session};
use super::units::{self, Unit};
use super::{Outcome, counts, ends, summary, targets};
use crate::args::Label;
use crate::picture::{Overview, PictureNote, Range, Tile, TimeAxis};

/// From how many sessions on a run is drawn so.
pub(crate) const MANY: usize = 11;

/// A run, and what its sessions need to be drawn one after the other.
pub(crate) struct Many<'a> {
    outcome: Outcome<'a>,
    differing: Differing,
    pub(crate) overview: Overview,
    /// Of each session, in their order.
    ranks: Vec<usize>,
    ranges: HashMap<Target, Range>,
}

/// A name and an address.
type Target = (String, SocketAddr);

fn target(report: &SessionReport) -> Target {
    (target_name(&report.identity), report.identity.reflector)
}

impl<'a> Many<'a> {
    pub(crate) fn new(outcome: Outcome<'a>, labels: &[Label]) -> Self {
        let differing = outcome.differing();
        let mut common = Common::default();
        let mut survey = targets::Survey::default();
        let mut ranges: HashMap<Target, Range> = HashMap::new();
        let mut time: Option<TimeAxis> = None;
        for (place, report) in outcome.sessions.iter().enumerate() {
            common.add(&report);
            let name = outcome.name(differing, place, &report);
            survey.add(&report, name, outcome.file(place));
            let drawn = session(&report, String::new(), Unit::Milliseconds);
            time = drawn.time().into_iter().chain(time).reduce(TimeAxis::and);
            if let Some(range) = drawn.range() {
                let known = ranges.entry(target(&report)).or_insert(range);
                *known = known.and(range);
            }
        }
        survey.rank();
        let mut ranks = vec![0; outcome.sessions.len()];
        for (rank, place) in survey.places().enumerate() {
            if let Some(slot) = ranks.get_mut(place) {
                *slot = rank;
            }
        }
        let warnings = survey.warnings().map(|(line, sessions)| PictureNote {
            line: format!("{line} ({sessions})"),
            warning: true,
        });
        let remarks = survey.remarks(differing).into_iter();
        let remarks = remarks.map(|line| PictureNote {
            line,
            warning: false,
        });
        let overview = Overview {
            title: common.title_of_many(),
            subtitle: common.subtitle(labels),
            summary: survey.sentences(differing, outcome.failed, outcome.refused(), false),
            notes: warnings.chain(remarks).chain(of_run(outcome)).collect(),
            failed: failed(outcome),
            sessions: outcome.sessions.len(),
            time,
        };
        Self {
            outcome,
            differing,
            overview,
            ranks,
            ranges,
        }
    }

    /// The sessions in their order.
    pub(crate) fn tiles(&self) -> impl Iterator<Item = Tile> {
        let reports = self.outcome.sessions.iter().enumerate();
        reports
            .zip(&self.ranks)
            .map(|((place, report), rank)| self.tile(place, &report, *rank))
    }

    fn tile(&self, place: usize, report: &SessionReport, rank: usize) -> Tile {
        let delay = report.figures.round_trip.as_ref();
        let greatest = delay.map(|delay| delay.max_ns.unsigned_abs());
        let unit = greatest.map_or(Unit::Milliseconds, Unit::fit);
        let mut notes: Vec<PictureNote> = report.notes.iter().map(picture_note).collect();
        notes.sort_by_key(|note| !note.warning);
        let (near, far) = (report.sender(), report.identity.reflector);
        let name = self.outcome.name(self.differing, place, report);
        let mut session = session(report, name, unit);
        session.figures.retain(|figure| figure.value != NO_FIGURE);
        Tile {
            rank,
            number: report.identity.number,
            ends: if report.origin.has_setup() {
                format!("{} to {}", ends::named(near), ends::named(far))
            } else {
                String::new()
            },
            loss: loss(report),
            delay: summary::delays(report, unit).unwrap_or_default(),
            delay_ns: delay.map(|delay| delay.p99_ns),
            notes,
            range: self.ranges.get(&target(report)).copied(),
            session,
        }
    }
}

fn loss(report: &SessionReport) -> String {
    let counters = &report.counters;
    match (counters.sent, counters.received, counters.lost) {
        (0, ..) => "nothing sent".to_owned(),
        (_, 0, _) if counters.unawaited > 0 => format!("loss {}", counts::UNKNOWN),
        (_, 0, _) if summary::has_answers(report) => "no valid reply".to_owned(),
        (_, 0, _) => "no reply".to_owned(),
        _ if !report.coverage().is_complete() => format!("loss {}", counts::UNKNOWN),
        (_, _, 0) => "no loss".to_owned(),
        (sent, _, lost) => {
            let direction = summary::direction(report);
            let direction = direction.map_or("", summary::Direction::suffix);
            format!("{} lost{direction}", units::percent(lost, sent))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use twinpath_metrics::Timeline;
    use twinpath_report::FailedTarget;
    use twinpath_wire::{Delta, Fate, Rung, Sample, Stamp, Wall};

    use super::*;
    use crate::output::Reports;
    use crate::output::fixtures::{self, to};

    fn numbered(mut reports: Vec<SessionReport>) -> Vec<SessionReport> {
        for (number, report) in (1..).zip(&mut reports) {
            report.identity.number = number;
        }
        reports
    }

    /// The tiles, worst first.
    fn ranked(many: &Many<'_>) -> Vec<Tile> {
        let mut tiles: Vec<Tile> = many.tiles().collect();
        tiles.sort_by_key(|tile| tile.rank);
        tiles
    }

    #[test]
    fn the_lossy_path_of_16_is_the_first_and_named_on_top() {
        let paths = (1..=16).map(|path| match path {
            7 => to("far", Some(path), fixtures::loss()),
            _ => to("far", Some(path), fixtures::quiet_path()),
        });
        let mut reports = numbered(paths.collect());
        reports[6].identity.reflector = reports[0].identity.reflector;
        reports[6].identity.sender.set_port(20_007);
        let many = Many::new(reports.as_slice().into(), &[]);
        assert_eq!(
            many.overview.title,
            format!(
                "16 sessions to {}",
                ends::named(reports[0].identity.reflector)
            )
        );
        let first = &many.overview.summary[0];
        assert!(
            first.starts_with("far: path 7 of 16, source port 20007: "),
            "{first}"
        );
        let tiles = ranked(&many);
        assert_eq!(tiles.len(), 16);
        assert_eq!((&*tiles[0].session.name, tiles[0].number), ("path 7", 7));
        assert!(tiles[0].loss.contains("% lost"), "{}", tiles[0].loss);
        assert!(tiles[0].ends.contains(":20007 to "), "{}", tiles[0].ends);
        assert_eq!(tiles[1].session.name, "path 1");
        assert_eq!(tiles[1].loss, "no loss");
    }

    /// With a packet that takes so long.
    fn taking(ms: i64, report: SessionReport) -> SessionReport {
        let start = Wall::from_unix_ns(1_795_449_600_000_000_000);
        let after = |ns: i64| Stamp {
            at: start + Delta::from_ns(ns),
            rung: Rung::Kernel,
        };
        let far = Some(after(ms * 500_000).at);
        let mut timeline = Timeline::new(start, Duration::from_secs(1), 24);
        timeline.record(&Sample {
            seq: 0,
            fate: Fate::Received,
            t1: after(0),
            t2: far,
            t3: far,
            t4: Some(after(ms * 1_000_000)),
            reflector_seq: Some(0),
            ttl_forward: None,
            ttl_backward: None,
            tos_forward: None,
            tos_backward: None,
            departure: Delta::ZERO,
            excluded: None,
        });
        SessionReport {
            timeline: Some(timeline),
            ..report
        }
    }

    #[test]
    fn paths_to_one_target_have_one_scale_and_other_targets_their_own() {
        let mut reports = vec![
            taking(2, to("near", Some(1), fixtures::quiet_path())),
            taking(30, to("near", Some(2), fixtures::quiet_path())),
            taking(400, to("far", Some(1), fixtures::quiet_path())),
        ];
        reports[1].identity.reflector = reports[0].identity.reflector;
        let many = Many::new(reports.as_slice().into(), &[]);
        assert!(many.overview.time.is_some());
        let ranges = many.tiles().map(|tile| tile.range);
        let [one, two, other] = ranges.collect::<Vec<_>>().try_into().unwrap();
        assert_eq!(one, two);
        assert_ne!(one, other);
        assert_eq!(one, reports_range(&reports[..2]));
    }

    fn reports_range(reports: &[SessionReport]) -> Option<Range> {
        let ranges = reports
            .iter()
            .filter_map(|report| session(report, String::new(), Unit::Milliseconds).range());
        ranges.reduce(Range::and)
    }

    #[test]
    fn each_state_of_a_session_has_its_words() {
        let mut unsent = fixtures::quiet_path();
        unsent.counters.sent = 0;
        let mut unknown = fixtures::quiet_path();
        unknown.counters.send_errors = 5;
        assert_eq!(loss(&fixtures::quiet_path()), "no loss");
        assert_eq!(loss(&fixtures::nothing_came_back()), "no reply");
        assert_eq!(loss(&unsent), "nothing sent");
        assert_eq!(loss(&unknown), "loss unknown");
    }

    #[test]
    fn sessions_without_targets_are_counted_as_sessions() {
        let mut reports = vec![fixtures::loss()];
        reports.extend((0..11).map(|_| fixtures::quiet_path()));
        let reports = numbered(reports);
        let many = Many::new(reports.as_slice().into(), &[]);
        let summary = &many.overview.summary;
        let class = reports[0].identity.tos.dscp();
        let expected = format!("1 of 12 sessions loses packets; worst: 1 {class}, ");
        assert!(summary[0].starts_with(&expected), "{summary:?}");
        assert_eq!(summary.len(), 1, "{summary:?}");
    }

    #[test]
    fn what_could_not_be_measured_is_on_every_page() {
        let failed = [FailedTarget {
            target: "a\u{1b}b".to_owned(),
            error: "cannot resolve it".to_owned(),
            file: None,
            sessions: None,
        }];
        let reports = numbered(vec![fixtures::quiet_path(); 12]);
        let outcome = Outcome::from(&*reports).with_failed(&failed);
        let many = Many::new(outcome, &[]).overview.failed;
        assert_eq!(many, ["a?b: cannot resolve it"]);
        let few = Outcome::from(&reports[..2]).with_failed(&failed);
        assert_eq!(super::super::pictures::picture(few, &[]).failed, many);
    }

    #[test]
    fn reports_are_made_once_to_be_ranked_and_once_to_be_drawn() {
        let count = std::cell::Cell::new(0);
        let make = |place| {
            count.set(count.get() + 1);
            let mut report = to("far", u16::try_from(place).ok(), fixtures::quiet_path());
            report.identity.number = place + 1;
            Some(report)
        };
        let many = Many::new(Outcome::new(Reports::OnDemand(20, &make), None), &[]);
        assert_eq!(many.tiles().count(), 20);
        // Besides what they differ in.
        assert_eq!(count.get(), 3 * 20);
    }
}
