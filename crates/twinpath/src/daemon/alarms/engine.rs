//! Which alarms are active: by the last intervals of each session, without a clock and without an effect of its own.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use twinpath_metrics::{IntervalFigures, Value};
use twinpath_wire::{Tos, Wall};

use super::AlertSpec;
use super::condition::{Hops, Judged, Verdict};

/// A session: its entry of the configuration, the class of its packets, its path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct SessionKey {
    pub(super) name: Arc<str>,
    pub(super) class: Tos,
    pub(super) path: Option<u16>,
}

impl SessionKey {
    /// In a log: class and path where they are not the usual.
    pub(super) fn words(&self) -> String {
        let dscp = self.class.dscp().value();
        let class = (dscp > 0).then(|| format!(" dscp {dscp}"));
        let path = self.path.map(|path| format!(" path {path}"));
        let which = [class, path].into_iter().flatten();
        format!("{}{}", self.name, which.collect::<String>())
    }
}

/// An interval that an alarm was raised or cleared by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) start: Wall,
    /// Excluded.
    pub(super) end: Wall,
    /// The figure of the condition; `None`: it has none.
    pub(super) value: Option<Value>,
}

/// An alarm that was raised, and is not cleared.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Active {
    /// The end of the interval that raised it.
    pub(super) since: Wall,
    /// The bad ones among the last intervals.
    pub(super) evidence: Vec<Row>,
}

/// An alarm is raised or cleared.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    pub(super) is_raised: bool,
    pub(super) alert: Arc<AlertSpec>,
    pub(super) session: SessionKey,
    /// When it was raised.
    pub(super) since: Wall,
    /// The end of the interval that raised or cleared it.
    pub(super) at: Wall,
    pub(super) evidence: Vec<Row>,
}

/// An alarm whose alert no longer watches the session by its condition, or whose session is not measured any more.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) alert: Arc<AlertSpec>,
    pub(super) session: SessionKey,
    pub(super) active: Active,
}

/// All alerts, and what each knows of its sessions.
#[derive(Debug, Default)]
pub(super) struct Engine {
    /// By their names.
    alerts: BTreeMap<Arc<str>, Watched>,
    /// The names of the alerts that watch a session.
    watching: HashMap<Arc<str>, Vec<Arc<str>>>,
}

#[derive(Debug)]
struct Watched {
    spec: Arc<AlertSpec>,
    sessions: HashMap<SessionKey, Tracker>,
}

/// What an alert knows of a session.
#[derive(Debug, Default)]
struct Tracker {
    /// The last intervals and whether each was bad; `None`: not known.
    window: VecDeque<(Row, Verdict)>,
    /// Good intervals since the last bad one.
    good: usize,
    hops: Hops,
    active: Option<Active>,
}

impl Engine {
    /// Puts these alerts in force, for sessions with these names and labels. What an alert knows of a session stays,
    /// unless its condition changed or it no longer watches the session. Gives the alarms that end by that.
    pub(super) fn apply(
        &mut self,
        specs: &[Arc<AlertSpec>],
        sessions: &[(Arc<str>, BTreeMap<String, String>)],
    ) -> Vec<Ended> {
        let mut ended = Vec::new();
        let mut earlier = std::mem::take(&mut self.alerts);
        self.watching.clear();
        for spec in specs {
            let mut watched: HashSet<&Arc<str>> = HashSet::new();
            for (name, labels) in sessions {
                if spec.is_for(name, labels) {
                    watched.insert(name);
                    let watching = self.watching.entry(Arc::clone(name)).or_default();
                    watching.push(Arc::clone(&spec.name));
                }
            }
            let mut alert = Watched {
                spec: Arc::clone(spec),
                sessions: HashMap::new(),
            };
            if let Some(mut known) = earlier.remove(&spec.name) {
                let is_same = known.spec.condition == spec.condition;
                ended.extend(known.retain(|session| is_same && watched.contains(&session.name)));
                alert.sessions = known.sessions;
            }
            self.alerts.insert(Arc::clone(&spec.name), alert);
        }
        for mut gone in earlier.into_values() {
            ended.extend(gone.retain(|_| false));
        }
        ended
    }

    /// An alarm was active before the process was started. False: nothing watches the session by this condition.
    pub(super) fn restore(
        &mut self,
        alert: &str,
        when: &str,
        session: SessionKey,
        active: Active,
    ) -> bool {
        let watching = self.watching.get(&session.name);
        let is_watched = watching.is_some_and(|names| names.iter().any(|name| &**name == alert));
        match self.alerts.get_mut(alert) {
            Some(watched) if is_watched && watched.spec.condition.text == when => {
                let tracker = watched.sessions.entry(session).or_default();
                tracker.active = Some(active);
                true
            }
            Some(_) | None => false,
        }
    }

    /// Takes an interval of a session. `is_ignored`: it neither raises nor clears anything. `is_synchronized`: the
    /// clock of this host.
    pub(super) fn observe(
        &mut self,
        session: &SessionKey,
        interval: &IntervalFigures,
        is_ignored: bool,
        is_synchronized: bool,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        for name in self.watching.get(&session.name).into_iter().flatten() {
            let Some(watched) = self.alerts.get_mut(name) else {
                continue;
            };
            if !watched.sessions.contains_key(session) {
                watched.sessions.insert(session.clone(), Tracker::default());
            }
            let Some(tracker) = watched.sessions.get_mut(session) else {
                continue;
            };
            let condition = &watched.spec.condition;
            let judged = condition.judge(interval, &mut tracker.hops, is_synchronized);
            let judged = if is_ignored { Judged::UNKNOWN } else { judged };
            let row = Row {
                start: interval.start,
                end: interval.end,
                value: judged.value,
            };
            let needed = [condition.bad, condition.of];
            // A stretch of intervals in which nothing happened is one row.
            for _ in 1..interval.intervals.min(condition.of as u64) {
                tracker.push(row, Verdict::Unknown, condition.of);
            }
            if let Some((is_raised, active)) = tracker.take(row, judged.verdict, needed) {
                changes.push(Change {
                    is_raised,
                    alert: Arc::clone(&watched.spec),
                    session: session.clone(),
                    since: active.since,
                    at: row.end,
                    evidence: active.evidence,
                });
            }
        }
        changes
    }

    /// Forgets what is known of sessions that are not measured. Gives their alarms that were active.
    pub(super) fn retain(&mut self, is_measured: impl Fn(&SessionKey) -> bool) -> Vec<Ended> {
        let alerts = self.alerts.values_mut();
        alerts
            .flat_map(|watched| watched.retain(&is_measured))
            .collect()
    }

    /// How many alarms of each alert are active.
    pub(super) fn counts(&self) -> BTreeMap<Arc<str>, usize> {
        let alerts = self.alerts.iter();
        let counts = alerts.map(|(name, watched)| {
            let active = watched.sessions.values();
            let active = active.filter(|tracker| tracker.active.is_some());
            (Arc::clone(name), active.count())
        });
        counts.collect()
    }

    /// Alarms that are active, by the names of their alerts.
    pub(super) fn active(&self) -> impl Iterator<Item = (&Arc<AlertSpec>, &SessionKey, &Active)> {
        self.alerts.values().flat_map(|watched| {
            let sessions = watched.sessions.iter();
            sessions.filter_map(|(session, tracker)| {
                Some((&watched.spec, session, tracker.active.as_ref()?))
            })
        })
    }
}

impl Watched {
    /// Forgets other sessions than these. Gives their alarms that were active.
    fn retain(&mut self, stays: impl Fn(&SessionKey) -> bool) -> Vec<Ended> {
        let gone = self.sessions.extract_if(|session, _| !stays(session));
        let ended = gone.filter_map(|(session, tracker)| {
            Some(Ended {
                alert: Arc::clone(&self.spec),
                session,
                active: tracker.active?,
            })
        });
        ended.collect()
    }
}

impl Tracker {
    /// Takes an interval: whether it raises the alarm or clears it, with the rows by which it does.
    fn take(
        &mut self,
        row: Row,
        verdict: Verdict,
        [bad, of]: [usize; 2],
    ) -> Option<(bool, Active)> {
        self.push(row, verdict, of);
        match verdict {
            Verdict::Bad => self.good = 0,
            Verdict::Good => self.good = self.good.saturating_add(1),
            Verdict::Unknown => {}
        }
        match &self.active {
            None => {
                let evidence = self.rows(Verdict::Bad);
                if evidence.len() < bad {
                    return None;
                }
                let active = Active {
                    since: row.end,
                    evidence,
                };
                self.active = Some(active.clone());
                Some((true, active))
            }
            // What is not known does not clear.
            Some(active) if verdict == Verdict::Good && self.good >= of => {
                let cleared = Active {
                    since: active.since,
                    evidence: self.rows(Verdict::Good),
                };
                self.active = None;
                Some((false, cleared))
            }
            Some(_) => None,
        }
    }

    fn push(&mut self, row: Row, verdict: Verdict, of: usize) {
        if self.window.len() >= of {
            self.window.pop_front();
        }
        self.window.push_back((row, verdict));
    }

    fn rows(&self, verdict: Verdict) -> Vec<Row> {
        let rows = self.window.iter().filter(|(_, it)| *it == verdict);
        rows.map(|(row, _)| *row).collect()
    }
}

#[cfg(test)]
mod tests;
