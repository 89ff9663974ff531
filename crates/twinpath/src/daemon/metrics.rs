//! What a daemon reports to Prometheus: all of its sessions, responders and servers.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use twinpath_runtime::clock_state;
use twinpath_runtime::measure::{SeriesFacts, SessionHandle};

use crate::exporter::{
    self, Counted, Exporter, Families, Labels, MOST_SESSIONS, Sample, SessionNow, Value, labelled,
    merged,
};
use crate::output::prometheus::session_labels;
use crate::plan::{PlannedSession, identities};

use super::Daemon;

/// How long a scrape waits for the figures of sessions that were asked.
const SNAPSHOTS: Duration = Duration::from_secs(1);
/// Sessions that are asked at once: each answers with a copy of its figures, which takes up to 100 KB.
const ASKED_AT_ONCE: usize = 256;

/// A scrape that waits for the figures of sessions.
pub(super) struct Scrape {
    sessions: Vec<Asked>,
    /// The first so many were asked.
    asked: usize,
    by: Instant,
}

/// A session that is asked.
struct Asked {
    /// Its entry of the configuration, and its place there.
    name: Arc<str>,
    place: usize,
    labels: Labels,
    known_within: Duration,
    counted: Option<Counted>,
}

impl Daemon {
    /// Answers scrapes that wait, once the sessions have told their figures.
    pub(crate) fn attend(&mut self, exporter: &mut Exporter) {
        if self.scrape.is_none() && exporter.is_asked() {
            self.scrape = Some(self.ask());
        }
        let Some(mut scrape) = self.scrape.take() else {
            return;
        };
        let is_complete = self.ask_further(&mut scrape);
        if is_complete || Instant::now() >= scrape.by {
            exporter.answer(self.families(scrape));
        } else {
            self.scrape = Some(scrape);
        }
    }

    /// Takes the figures that have come, and asks as many others for theirs. True: there are no others.
    fn ask_further(&self, scrape: &mut Scrape) -> bool {
        let mut waiting = 0;
        for (place, asked) in scrape.sessions.iter_mut().enumerate() {
            if asked.counted.is_some() {
                continue;
            }
            let Some((_, handle)) = self.session(&asked.name, asked.place) else {
                continue;
            };
            if place >= scrape.asked {
                if waiting >= ASKED_AT_ONCE {
                    break;
                }
                handle.request_snapshot();
                scrape.asked = place + 1;
                scrape.by = Instant::now() + SNAPSHOTS;
            } else if let Some(series) = handle.take_snapshot() {
                let counted = Counted::of(&series.metrics(), Some(asked.known_within));
                asked.counted = Some(counted);
                continue;
            }
            waiting += 1;
        }
        waiting == 0
    }

    /// The sessions that are asked for their figures, as many as have series.
    fn ask(&self) -> Scrape {
        let mut sessions = Vec::new();
        for (name, part) in &self.sessions {
            let Some(run) = part.running() else {
                continue;
            };
            let both = || run.sessions();
            let known = identities(
                both().map(|(planned, _)| planned),
                both().map(|(_, handle)| handle),
            );
            for ((place, identity), (planned, _)) in (0..).zip(known).zip(both()) {
                if sessions.len() == MOST_SESSIONS {
                    break;
                }
                let mut labels = session_labels(&identity, &[], true);
                // Numbers of sessions mean nothing where others come and go.
                labels.retain(|(key, _)| key != "session");
                sessions.push(Asked {
                    name: Arc::clone(name),
                    place,
                    labels: labels.into(),
                    known_within: SeriesFacts::longest_wait(planned.plan.timeout),
                    counted: None,
                });
            }
        }
        Scrape {
            sessions,
            asked: 0,
            by: Instant::now() + SNAPSHOTS,
        }
    }

    fn session(&self, name: &Arc<str>, place: usize) -> Option<(&PlannedSession, &SessionHandle)> {
        let run = self.sessions.get(name)?.running()?;
        run.sessions().nth(place)
    }

    /// A sample for each alarm that is active.
    fn alarm_family(&self) -> Families {
        let samples = self.shown_alarms().into_iter().map(|alarm| {
            let path = alarm.path.map(|path| ("path", path.to_string()));
            let own = [
                ("alert", alarm.alert),
                ("target", alarm.session),
                ("dscp", alarm.dscp.to_string()),
            ];
            let labels = own.into_iter().chain(path);
            Sample {
                labels: labels
                    .map(|(key, value)| (Cow::Borrowed(key), value))
                    .collect(),
                own: None,
                value: Value::Count(1),
            }
        });
        exporter::alarms(samples)
    }

    fn families(&self, scrape: Scrape) -> Families {
        let asked = scrape.sessions.into_iter();
        let sessions = asked.filter_map(|asked| {
            let (_, handle) = self.session(&asked.name, asked.place)?;
            Some(SessionNow {
                labels: asked.labels,
                progress: handle.progress(),
                counted: asked.counted,
            })
        });
        let sessions: Vec<SessionNow> = sessions.collect();
        let all = self.sessions.values().filter_map(|part| part.running());
        let all = all.map(|run| run.sessions().count()).sum();
        let responders = self.responders.iter().filter_map(|(name, part)| {
            let families = exporter::responder(&part.running()?.run().counted());
            Some(labelled(families, "responder", name))
        });
        let servers = self.servers.iter().filter_map(|(name, part)| {
            let families = exporter::server(&part.running()?.run().so_far());
            Some(labelled(families, "server", name))
        });
        let sessions = exporter::sessions(&sessions, all, clock_state());
        let stored = self
            .store_counters()
            .map(|counters| exporter::store(&counters));
        let exports = self.exports.counters().into_iter().map(|counters| {
            let families = exporter::exports(&counters);
            labelled(families, "export", &counters.name)
        });
        let all = [sessions, self.alarm_family()].into_iter();
        let all = all.chain(responders).chain(servers);
        merged(all.chain(stored).chain(exports))
    }
}
