//! Reads lines, also while they are written.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use twinpath_wire::Wall;

use super::{AlarmEvent, AlarmFiles, AlarmKey, AlarmRecord, MOST_LINE};
use crate::files;
use crate::store::StoreReader;

/// Alarms that are kept of an answer; others are counted.
const MOST_ALARMS: usize = 5_000;
/// Alerts whose further alarms are counted by their names.
const MOST_ALERTS: usize = 1_000;
/// Alarms without an end that are kept.
const MOST_OPEN: usize = 100_000;
/// Octets of a file that are read at most.
const MOST_OCTETS: u64 = 16 << 20;

/// An alarm that was raised.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PastAlarm {
    pub(crate) alert: String,
    /// The condition.
    pub(crate) when: String,
    /// As rows have it.
    pub(crate) class: Arc<str>,
    pub(crate) path: Option<u16>,
    /// The end of the interval that raised it.
    pub(crate) raised: Wall,
    pub(crate) end: AlarmEnd,
}

/// How an alarm ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AlarmEnd {
    /// It did not.
    Active,
    /// Good intervals cleared it: the end of the last one.
    Cleared(Wall),
    /// Its alert or its session was no longer configured so.
    Ended(Wall),
}

impl AlarmEnd {
    /// When; `None`: it is active.
    pub(crate) fn at(self) -> Option<Wall> {
        match self {
            Self::Active => None,
            Self::Cleared(at) | Self::Ended(at) => Some(at),
        }
    }
}

/// The alarms of a session in a time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PastAlarms {
    /// The latest first.
    pub(crate) alarms: Vec<PastAlarm>,
    /// How many more there are of each alert; of "" those of alerts beyond [`MOST_ALERTS`].
    pub(crate) left_out: BTreeMap<String, u64>,
    /// Lines that are none.
    pub(crate) damaged: u64,
    /// Files that could not be read.
    pub(crate) unread: Vec<String>,
}

impl PastAlarms {
    /// How many more there are.
    pub(crate) fn left_out(&self) -> u64 {
        self.left_out.values().sum()
    }

    /// Leaves out those of other alerts, also where they are only counted.
    pub(crate) fn retain_alerts(&mut self, is_shown: impl Fn(&str) -> bool) {
        self.alarms.retain(|alarm| is_shown(&alarm.alert));
        self.left_out.retain(|alert, _| is_shown(alert));
    }
}

impl StoreReader {
    /// The alarms of an entry that were active between two times, and those of `active` that no file has.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub(crate) fn alarms(
        &self,
        session: &str,
        [from, to]: [Wall; 2],
        active: Vec<PastAlarm>,
    ) -> io::Result<PastAlarms> {
        let mut found = Found::new(session, [from, to]);
        let files = AlarmFiles::within(self.root(), None);
        // The end of an alarm is behind its beginning.
        for path in files.since(Some(from))?.iter().rev() {
            found.read(path);
        }
        for alarm in active {
            found.put_active(alarm);
        }
        Ok(found.finish())
    }
}

/// What is found so far.
struct Found<'a> {
    session: &'a str,
    /// As it is in a line.
    quoted: String,
    time: [Wall; 2],
    alarms: BTreeMap<AlarmKey, PastAlarm>,
    /// Alerts, classes and paths of the lines so far.
    seen: HashSet<(String, String, Option<u16>)>,
    left_out: BTreeMap<String, u64>,
    damaged: u64,
    unread: Vec<String>,
}

impl<'a> Found<'a> {
    fn new(session: &'a str, time: [Wall; 2]) -> Self {
        Self {
            session,
            quoted: serde_json::Value::from(session).to_string(),
            time,
            alarms: BTreeMap::new(),
            seen: HashSet::new(),
            left_out: BTreeMap::new(),
            damaged: 0,
            unread: Vec::new(),
        }
    }

    /// Takes the lines of a file, the last first.
    fn read(&mut self, path: &Path) {
        let octets = match octets(path) {
            Ok(octets) => octets,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => {
                self.unread
                    .push(format!("cannot read {}: {error}", path.display()));
                return;
            }
        };
        for line in whole_lines(&octets).rev() {
            let text = std::str::from_utf8(line).unwrap_or_default();
            let is_whole = text.starts_with('{') && text.ends_with('}');
            if is_whole && !text.contains(&self.quoted) {
                continue;
            }
            match record(line) {
                Some(record) => self.put(record),
                None => self.damaged += 1,
            }
        }
    }

    fn put(&mut self, record: AlarmRecord) {
        let key = record.key();
        let event = record.event;
        let alarm = PastAlarm::of(record);
        if key.session != self.session {
            return;
        }
        let series = (key.alert.clone(), key.class.clone(), key.path);
        let is_last = self.seen.insert(series);
        // An alarm is not raised again before it ended, whatever became of the line that said so.
        let is_over = event == AlarmEvent::Raised && !is_last;
        if is_over || !alarm.overlaps(self.time) {
            return;
        }
        let is_full = self.alarms.len() >= MOST_ALARMS;
        match self.alarms.entry(key) {
            Entry::Occupied(mut known) if known.get().end == AlarmEnd::Active => {
                known.insert(alarm);
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(place) if !is_full => {
                place.insert(alarm);
            }
            // The line that raised it is not counted again.
            Entry::Vacant(_) if alarm.end == AlarmEnd::Active => {}
            Entry::Vacant(_) => self.leave_out(alarm.alert),
        }
    }

    fn leave_out(&mut self, alert: String) {
        let is_known = self.left_out.contains_key(&alert);
        let counted = if is_known || self.left_out.len() < MOST_ALERTS {
            alert
        } else {
            String::new()
        };
        *self.left_out.entry(counted).or_default() += 1;
    }

    fn put_active(&mut self, alarm: PastAlarm) {
        let key = alarm.key(self.session);
        if alarm.overlaps(self.time) {
            self.alarms.entry(key).or_insert(alarm);
        }
    }

    fn finish(self) -> PastAlarms {
        PastAlarms {
            alarms: self.alarms.into_values().rev().collect(),
            left_out: self.left_out,
            damaged: self.damaged,
            unread: self.unread,
        }
    }
}

impl PastAlarm {
    fn of(record: AlarmRecord) -> Self {
        let raised = Wall::from_unix_ns(record.raised_ns);
        // A clock that was set back ends nothing before it began.
        let at = record.ended_ns.unwrap_or(record.raised_ns);
        let at = Wall::from_unix_ns(at.max(record.raised_ns));
        Self {
            alert: record.alert,
            when: record.when,
            class: record.class.into(),
            path: record.path,
            raised,
            end: match record.event {
                AlarmEvent::Raised => AlarmEnd::Active,
                AlarmEvent::Cleared => AlarmEnd::Cleared(at),
                AlarmEvent::Ended => AlarmEnd::Ended(at),
            },
        }
    }

    fn key(&self, session: &str) -> AlarmKey {
        AlarmKey {
            raised_ns: self.raised.unix_ns(),
            alert: self.alert.clone(),
            session: session.to_owned(),
            class: self.class.to_string(),
            path: self.path,
        }
    }

    fn overlaps(&self, [from, to]: [Wall; 2]) -> bool {
        self.raised < to && self.end.at().is_none_or(|end| end >= from)
    }
}

/// Alarms that no line has ended.
///
/// # Errors
/// The directory cannot be read.
pub(super) fn open(files: &AlarmFiles) -> io::Result<BTreeMap<AlarmKey, AlarmRecord>> {
    let mut open = BTreeMap::new();
    for path in files.since(None)? {
        // What cannot be read now is not known.
        for line in whole_lines(&octets(&path).unwrap_or_default()) {
            let Some(record) = record(line) else {
                continue;
            };
            if record.event.is_end() {
                open.remove(&record.key());
            } else if open.len() < MOST_OPEN {
                open.insert(record.key(), record);
            }
        }
    }
    Ok(open)
}

fn octets(path: &Path) -> io::Result<Vec<u8>> {
    let file = files::open(path).map_err(|unfit| match unfit {
        files::Unfit::Io(error) => error,
        files::Unfit::Kind(_) | files::Unfit::Link(_) => io::Error::other(unfit.to_string()),
    })?;
    let mut octets = Vec::new();
    file.take(MOST_OCTETS).read_to_end(&mut octets)?;
    Ok(octets)
}

/// All lines but one without an end, which is being written or was when the process ended; and no empty ones.
fn whole_lines(octets: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    let end = octets.iter().rposition(|octet| *octet == b'\n');
    let whole = octets.get(..end.unwrap_or(0)).unwrap_or_default();
    whole
        .split(|octet| *octet == b'\n')
        .filter(|line| !line.is_empty())
}

fn record(line: &[u8]) -> Option<AlarmRecord> {
    let line = Some(line).filter(|line| line.len() <= MOST_LINE)?;
    let record: AlarmRecord = serde_json::from_slice(line).ok()?;
    (record.event.is_end() == record.ended_ns.is_some()).then_some(record)
}
