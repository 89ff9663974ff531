//! What is active, in a file for the next process.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tracing::warn;
use twinpath_metrics::Value;
use twinpath_wire::{Tos, Wall};

use crate::store::{AlarmEvent, AlarmInterval, AlarmRecord};

use super::AlertSpec;
use super::engine::{Active, Row, SessionKey};

const NAME: &str = "alarms.json";
/// While it is written.
const NEW: &str = "alarms.json.new";
const SCHEMA: &str = "twinpath-alarms-1";
/// The most octets that are read.
const MOST_OCTETS: u64 = 64 << 20;

/// The file.
pub(super) struct StateFile {
    /// `None`: nothing is kept.
    path: Option<PathBuf>,
    is_written: bool,
}

#[derive(Serialize, Deserialize)]
struct Document {
    schema: String,
    alarms: Vec<SavedAlarm>,
}

/// An alarm that is active. Times are nanoseconds of Unix time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SavedAlarm {
    pub(super) alert: String,
    /// The condition.
    pub(super) when: String,
    session: String,
    tos: u8,
    path: Option<u16>,
    since_ns: i64,
    evidence: Vec<AlarmInterval>,
}

impl SavedAlarm {
    pub(super) fn of(alert: &AlertSpec, session: &SessionKey, active: &Active) -> Self {
        let evidence = active.evidence.iter().map(|row| AlarmInterval {
            start_ns: row.start.unix_ns(),
            end_ns: row.end.unix_ns(),
            value: row.value.and_then(|value| match value {
                Value::Unsigned(count) => Some(count.into()),
                Value::Signed(count) => Some(count.into()),
                Value::Float(value) => serde_json::Number::from_f64(value),
            }),
        });
        Self {
            alert: alert.name.to_string(),
            when: alert.condition.text.clone(),
            session: session.name.to_string(),
            tos: session.class.0,
            path: session.path,
            since_ns: active.since.unix_ns(),
            evidence: evidence.collect(),
        }
    }

    /// The line of its beginning.
    pub(super) fn record(self) -> AlarmRecord {
        AlarmRecord {
            event: AlarmEvent::Raised,
            alert: self.alert,
            when: self.when,
            session: self.session,
            class: Tos(self.tos).dscp().to_string(),
            path: self.path,
            raised_ns: self.since_ns,
            ended_ns: None,
            evidence: self.evidence,
        }
    }

    pub(super) fn session(&self) -> SessionKey {
        SessionKey {
            name: self.session.as_str().into(),
            class: Tos(self.tos),
            path: self.path,
        }
    }

    pub(super) fn active(&self) -> Active {
        let evidence = self.evidence.iter().map(|row| Row {
            start: Wall::from_unix_ns(row.start_ns),
            end: Wall::from_unix_ns(row.end_ns),
            value: row.value.as_ref().and_then(value),
        });
        Active {
            since: Wall::from_unix_ns(self.since_ns),
            evidence: evidence.collect(),
        }
    }
}

fn value(number: &serde_json::Number) -> Option<Value> {
    let unsigned = number.as_u64().map(Value::Unsigned);
    let signed = || number.as_i64().map(Value::Signed);
    unsigned
        .or_else(signed)
        .or_else(|| number.as_f64().map(Value::Float))
}

impl StateFile {
    /// The file in this directory.
    pub(super) fn within(directory: Option<&Path>) -> Self {
        Self {
            path: directory.map(|directory| directory.join(NAME)),
            is_written: false,
        }
    }

    /// Whether what was written is gone, and its directory is there.
    pub(super) fn is_lost(&self) -> bool {
        let path = self.path.as_deref().filter(|_| self.is_written);
        path.is_some_and(|path| !path.exists() && path.parent().is_some_and(Path::is_dir))
    }

    /// Nothing is kept.
    pub(super) fn is_nowhere(&self) -> bool {
        self.path.is_none()
    }

    /// What was active when it was written. What cannot be read is logged and set aside.
    pub(super) fn read(&self) -> Vec<SavedAlarm> {
        let Some(path) = &self.path else {
            return Vec::new();
        };
        let error = match read(path) {
            Ok(alarms) => return alarms,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => error,
        };
        warn!(
            "{}: active alarms cannot be read and are raised again: {error}",
            path.display()
        );
        // It stays for a look at it, if that is possible.
        let _ = fs::rename(path, path.with_extension("json.damaged"));
        Vec::new()
    }

    /// Writes all that is active.
    pub(super) fn write(&mut self, alarms: Vec<SavedAlarm>) {
        let Some(path) = &self.path else {
            return;
        };
        match write(path, alarms) {
            Ok(()) => self.is_written = true,
            Err(error) => warn!("{}: active alarms are not kept: {error}", path.display()),
        }
    }
}

fn read(path: &Path) -> io::Result<Vec<SavedAlarm>> {
    let mut octets = Vec::new();
    File::open(path)?
        .take(MOST_OCTETS + 1)
        .read_to_end(&mut octets)?;
    if octets.len() as u64 > MOST_OCTETS {
        return Err(io::Error::other("it is too large"));
    }
    let document: Document = serde_json::from_slice(&octets)?;
    if document.schema != SCHEMA {
        let line = format!("its schema is {}, not {SCHEMA}", document.schema);
        return Err(io::Error::other(line));
    }
    Ok(document.alarms)
}

fn write(path: &Path, alarms: Vec<SavedAlarm>) -> io::Result<()> {
    let document = Document {
        schema: SCHEMA.to_owned(),
        alarms,
    };
    let octets = serde_json::to_vec(&document)?;
    let new = path.with_file_name(NEW);
    let mut file = File::create(&new)?;
    file.write_all(&octets)?;
    file.sync_all()?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarm() -> SavedAlarm {
        let row = |value: Value| Row {
            start: Wall::from_unix_ns(1),
            end: Wall::from_unix_ns(2),
            value: Some(value),
        };
        let active = Active {
            since: Wall::from_unix_ns(2),
            evidence: vec![
                row(Value::Unsigned(u64::MAX)),
                row(Value::Signed(-1)),
                row(Value::Float(0.5)),
            ],
        };
        let session = SessionKey {
            name: "a".into(),
            class: Tos(184),
            path: Some(2),
        };
        let alert = AlertSpec {
            name: "slow".into(),
            selector: super::super::Selector::new("*"),
            except: Vec::new(),
            condition: super::super::Condition::parse("silent").unwrap(),
            actions: Vec::new(),
        };
        let saved = SavedAlarm::of(&alert, &session, &active);
        assert_eq!((saved.session(), saved.active()), (session, active));
        saved
    }

    #[test]
    fn what_is_written_is_read() {
        let place = tempfile::tempdir().unwrap();
        let mut file = StateFile::within(Some(place.path()));
        assert_eq!(file.read(), []);
        assert!(!file.is_lost());
        file.write(vec![alarm()]);
        assert_eq!(file.read(), [alarm()]);
        file.write(Vec::new());
        assert_eq!(file.read(), []);
        assert!(!place.path().join(NEW).exists());
        assert!(!file.is_lost());
        fs::remove_file(place.path().join(NAME)).unwrap();
        assert!(file.is_lost());
    }

    #[test]
    fn what_is_damaged_is_set_aside() {
        let place = tempfile::tempdir().unwrap();
        let file = StateFile::within(Some(place.path()));
        for text in ["", "{", "[]", "{\"schema\":\"other\",\"alarms\":[]}"] {
            fs::write(place.path().join(NAME), text).unwrap();
            assert_eq!(file.read(), [], "{text}");
            let aside = fs::read_to_string(place.path().join("alarms.json.damaged"));
            assert_eq!(aside.unwrap(), text);
        }
    }
}
