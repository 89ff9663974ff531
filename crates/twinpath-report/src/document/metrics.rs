//! The table of all figures of a session: the source for monitoring, thresholds and the docs.

use std::sync::LazyLock;

use twinpath_metrics::{
    About, AvailabilityFigures, DelayFigures, DuplicationFigures, EcnCounts, Figure, LossPeriods,
    Merge, PercentilesWithLoss, ReorderingFigures, Spread, ToValue as _, TtlFigures, Unit, Value,
};

use super::details::{Arrived, Availability};
use super::one_way::{Clocks, Deskewed, Direction, OneWay, Raw, Variation};
use super::parts::{Excluded, FallbackStamps, OwnWait, Packets, Range, TimeStamps};
use super::{SessionDocument, registry, voice};
use crate::ClockState;

/// All figures, in the order of the document.
pub static METRICS: LazyLock<Vec<Metric>> = LazyLock::new(all);

/// A figure of a session.
pub struct Metric {
    /// Its path in a session's document: `round_trip.p99_ns`.
    pub path: String,
    /// Its description.
    pub about: &'static About,
    group: &'static dyn Group,
    place: usize,
}

impl Metric {
    /// Its value; `None` is "not known", never 0.
    pub fn get(&self, session: &SessionDocument<'_>) -> Option<Value> {
        self.group.get(session, self.place)
    }

    /// The greatest value that it can have; `None`: it has no bound.
    pub fn most(&self) -> Option<f64> {
        // Each packet can have many copies.
        let is_share = self.about.unit == Unit::Ratio && self.path != "duplication.fraction";
        is_share.then_some(1.0)
    }

    /// Whether it may have a name in the Performance Metrics Registry (RFC 8912), in runs with
    /// exactly the parameters of that name.
    pub fn is_registered(&self) -> bool {
        registry::FIGURES.iter().any(|(key, ..)| *key == self.path)
    }
}

/// The figures of one object of the document.
trait Group: Sync {
    fn path(&self) -> &'static str;
    fn about(&self) -> Vec<&'static About>;
    fn get(&self, session: &SessionDocument<'_>, place: usize) -> Option<Value>;
}

/// Figures of the document itself.
struct Own(&'static [(About, OwnValue)]);

type OwnValue = for<'a, 'b> fn(&'a SessionDocument<'b>) -> Option<Value>;

impl Group for Own {
    fn path(&self) -> &'static str {
        ""
    }

    fn about(&self) -> Vec<&'static About> {
        self.0.iter().map(|(about, _)| about).collect()
    }

    fn get(&self, session: &SessionDocument<'_>, place: usize) -> Option<Value> {
        let (_, get) = self.0.get(place)?;
        get(session)
    }
}

/// Figures of an object in it.
struct Of<T: 'static> {
    path: &'static str,
    find: for<'a, 'b> fn(&'a SessionDocument<'b>) -> Option<&'a T>,
    figures: &'static [Figure<T>],
}

impl<T> Group for Of<T> {
    fn path(&self) -> &'static str {
        self.path
    }

    fn about(&self) -> Vec<&'static About> {
        self.figures.iter().map(|figure| &figure.about).collect()
    }

    fn get(&self, session: &SessionDocument<'_>, place: usize) -> Option<Value> {
        let figure = self.figures.get(place)?;
        (figure.get)((self.find)(session)?)
    }
}

fn all() -> Vec<Metric> {
    let mut metrics = Vec::new();
    for group in GROUPS {
        for (place, about) in group.about().into_iter().enumerate() {
            let mut path = group.path().to_owned();
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(about.key);
            let group = *group;
            metrics.push(Metric {
                path,
                about,
                group,
                place,
            });
        }
    }
    metrics
}

/// Figures of the document itself: `key, unit, merge, "RFC", "help";`.
macro_rules! own {
    ($($key:ident, $unit:ident, $merge:ident, $rfc:literal, $help:literal;)*) => {
        Own(&[$((
            About {
                key: stringify!($key),
                unit: Unit::$unit,
                merge: Merge::$merge,
                rfc: $rfc,
                help: $help,
            },
            |session| session.$key.to_value(),
        ),)*])
    };
}

/// Figures of objects in it: `"path" Type = how to find it;`.
macro_rules! groups {
    ($own:expr, $($path:literal $of:ty = $find:expr;)*) => {
        &[&$own, $(&Of { path: $path, find: $find, figures: <$of>::FIGURES },)*]
    };
}

static GROUPS: &[&dyn Group] = groups! {
    own! {
        duration_ns, Nanoseconds, Derived, "", "time from the first departure to the end of the run; of several runs, the time that they cover";
        achieved_pps, PacketsPerSecond, Never, "", "departures per second as achieved";
        congestion_backward, Packets, Sum, "RFC 3168", "replies that came back with Congestion Experienced";
        congestion_forward, Packets, Sum, "RFC 3168", "packets that reached the reflector with Congestion Experienced";
        clock_steps, Events, Sum, "", "steps of this host's clock";
        reflector_restarts, Events, Sum, "", "times that the reflector's counter restarted in mid-run";
        receive_drops, Packets, Sum, "", "replies that the system dropped because they came faster than they were read";
        records_dropped, Packets, Sum, "", "per-packet records that the output was too slow to take";
        far_resolution_ns, Nanoseconds, Same, "", "grid that all T2 and T3 lie on";
        interface_rebinds, Events, Sum, "", "times that the socket was bound again to an interface that was made again";
        icmp_foreign, Packets, Sum, "", "ICMP errors about packets that this run did not send";
        suspensions, Events, Sum, "", "times that this host was suspended";
        suspended_ns, Nanoseconds, Sum, "", "time for which this host was suspended";
        implausible, Packets, Sum, "", "packets whose T2 and T3 contradict each other or T1 and T4";
    },
    "timestamps" TimeStamps = |session| Some(&session.timestamps);
    "timestamps.far_clock" ClockState = |session| session.timestamps.far_clock.as_ref();
    "packets" Packets = |session| Some(&session.packets);
    "excluded" Excluded = |session| Some(&session.excluded);
    "fallback_stamps" FallbackStamps = |session| session.fallback_stamps.as_ref();
    "round_trip" DelayFigures = |session| session.round_trip.as_ref();
    "forward" DelayFigures = |session| session.forward.as_ref();
    "backward" DelayFigures = |session| session.backward.as_ref();
    "residence" DelayFigures = |session| session.residence.as_ref();
    "departure" DelayFigures = |session| session.departure.as_ref();
    "ttl_forward" TtlFigures = |session| Some(&session.ttl_forward.as_ref()?.ttl);
    "ttl_forward" Range = |session| session.ttl_forward.as_ref();
    "ttl_backward" TtlFigures = |session| Some(&session.ttl_backward.as_ref()?.ttl);
    "ttl_backward" Range = |session| session.ttl_backward.as_ref();
    "loss_periods" LossPeriods = |session| session.loss_periods.as_ref();
    "duplication" DuplicationFigures = |session| session.duplication.as_ref();
    "reordering.round_trip" ReorderingFigures = |session| Some(session.reordering.as_ref()?.round_trip);
    "reordering.forward" ReorderingFigures = |session| session.reordering.as_ref()?.forward;
    "reordering.backward" ReorderingFigures = |session| session.reordering.as_ref()?.backward;
    "marking.forward" EcnCounts = |session| Some(&session.marking.forward.as_ref()?.ecn);
    "marking.forward" Arrived = |session| session.marking.forward.as_ref();
    "marking.backward" EcnCounts = |session| Some(&session.marking.backward.as_ref()?.ecn);
    "marking.backward" Arrived = |session| session.marking.backward.as_ref();
    "availability" Availability = |session| session.availability.as_ref();
    "availability" AvailabilityFigures = |session| Some(&session.availability.as_ref()?.figures);
    "one_way" OneWay = |session| session.one_way.as_ref();
    "one_way.clocks" Clocks = |session| session.one_way.as_ref()?.clocks.as_ref();
    "one_way.forward.raw" Raw = |session| forward(session)?.raw.as_ref();
    "one_way.forward.deskewed" Spread = |session| Some(&forward(session)?.deskewed.as_ref()?.spread);
    "one_way.forward.deskewed" Deskewed = |session| forward(session)?.deskewed.as_ref();
    "one_way.forward.variation" Spread = |session| Some(&forward(session)?.variation.as_ref()?.spread);
    "one_way.forward.variation" Variation = |session| forward(session)?.variation.as_ref();
    "one_way.backward.raw" Raw = |session| backward(session)?.raw.as_ref();
    "one_way.backward.deskewed" Spread = |session| Some(&backward(session)?.deskewed.as_ref()?.spread);
    "one_way.backward.deskewed" Deskewed = |session| backward(session)?.deskewed.as_ref();
    "one_way.backward.variation" Spread = |session| Some(&backward(session)?.variation.as_ref()?.spread);
    "one_way.backward.variation" Variation = |session| backward(session)?.variation.as_ref();
    "voice.forward" voice::Direction = |session| session.voice.as_ref()?.forward.as_ref();
    "voice.backward" voice::Direction = |session| session.voice.as_ref()?.backward.as_ref();
    "voice.round_trip" voice::Direction = |session| session.voice.as_ref()?.round_trip.as_ref();
    "percentiles_with_loss.round_trip" PercentilesWithLoss =
        |session| session.percentiles_with_loss.as_ref()?.round_trip.as_ref();
    "percentiles_with_loss.forward" PercentilesWithLoss =
        |session| session.percentiles_with_loss.as_ref()?.forward.as_ref();
    "percentiles_with_loss.backward" PercentilesWithLoss =
        |session| session.percentiles_with_loss.as_ref()?.backward.as_ref();
    "own_wait" OwnWait = |session| session.own_wait.as_ref();
};

fn forward<'a>(session: &'a SessionDocument<'_>) -> Option<&'a Direction> {
    session.one_way.as_ref()?.forward.as_ref()
}

fn backward<'a>(session: &'a SessionDocument<'_>) -> Option<&'a Direction> {
    session.one_way.as_ref()?.backward.as_ref()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    /// The table of docs/figures.md. Objects that have the same figures share one.
    fn table() -> String {
        let mut text = String::from(
            "# All figures\n\n\
             What JSON has of each session, by object; [output.md](output.md) explains them. \"Several runs\" says what\n\
             `report --merge` makes of a figure. This page is made from the program's own table of figures.\n",
        );
        let objects: Vec<(&str, Vec<About>)> = GROUPS
            .iter()
            .map(|group| (group.path(), group.about().into_iter().copied().collect()))
            .collect();
        let mut written: Vec<&[About]> = Vec::new();
        for (_, figures) in &objects {
            if written.contains(&figures.as_slice()) {
                continue;
            }
            written.push(figures);
            let same = objects.iter().filter(|(_, others)| others == figures);
            let paths: Vec<String> = same.map(|(path, _)| format!("`{path}`")).collect();
            let title = match paths.join(", ") {
                own if own == "``" => "The session".to_owned(),
                paths => paths,
            };
            let _ = write!(
                text,
                "\n## {title}\n\n| key | meaning | unit | several runs | defined in |\n|---|---|---|---|---|\n"
            );
            for about in figures {
                let _ = writeln!(
                    text,
                    "| `{}` | {} | {} | {} | {} |",
                    about.key,
                    about.help,
                    about.unit.name(),
                    about.merge.name(),
                    about.rfc
                );
            }
        }
        text
    }

    /// `TWINPATH_WRITE_DOCS=1 cargo test -p twinpath-report` regenerates it.
    #[test]
    fn the_page_of_figures_is_the_table() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/figures.md");
        if std::env::var_os("TWINPATH_WRITE_DOCS").is_some() {
            std::fs::write(page, table()).unwrap();
        }
        let found = std::fs::read_to_string(page).unwrap_or_default();
        assert!(
            found == table(),
            "docs/figures.md is not the table of figures"
        );
    }

    #[test]
    fn each_figure_has_one_row_and_a_meaning() {
        let mut paths: Vec<&str> = METRICS.iter().map(|metric| &*metric.path).collect();
        let all = paths.len();
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(paths.len(), all);
        assert!(METRICS.iter().all(|metric| !metric.about.help.is_empty()));
        assert_eq!(
            METRICS.iter().filter(|it| it.is_registered()).count(),
            registry::FIGURES.len()
        );
    }
}
