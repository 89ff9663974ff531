//! What undoes a commit that waits to be confirmed, kept on the disk (RFC 6241 section 8.4.1): beside the files of the
//! configuration, which moves with them and can be written where they can.

use std::ffi::OsStr;
use std::fs;
use std::time::{Duration, Instant};

use tracing::{error, info, warn};

use super::record::{Found, Record, Recorded, hold, keep_edited};
use super::replacing::{Change, Place, cannot_write, remove};
use super::{File, Source};
use crate::failure::Failure;

/// How long after a failure the files are written again, which doubles each time.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// What the files of the configuration had before a commit that waits.
#[derive(Default)]
pub(crate) struct Unconfirmed {
    record: Option<Record>,
    /// The file of the record, locked.
    held: Option<fs::File>,
    /// Where the files were then: another directory may have taken the name.
    place: Option<Place>,
    stage: Stage,
    /// When what failed is tried again, and how long it is waited for after another failure.
    again: Option<(Instant, Duration)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// The commit waits, or nothing does.
    #[default]
    Waits,
    /// The files are to have what they had.
    Undone,
    /// The record is to go.
    Final,
}

/// What follows a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::daemon) enum Step {
    /// It stays.
    Final,
    /// It waits to be confirmed, or is made while a commit does.
    Unconfirmed,
    /// It undoes a commit that was not confirmed.
    Rollback,
}

impl Source {
    /// Puts the files in order that the end of a process has left: a change of several of them is finished, and a commit that
    /// was not confirmed undone. To be called before they are read.
    ///
    /// # Errors
    /// The commit waits in another process.
    pub(crate) fn recover(&self) -> Result<Unconfirmed, Failure> {
        let mut unconfirmed = Unconfirmed::default();
        let Some(place) = self.place() else {
            return Ok(unconfirmed);
        };
        unconfirmed.held = hold(&place.unconfirmed())?;
        place.sweep();
        if let Err(failure) = place.settle() {
            error!("{failure}: a change of several files stays unfinished");
        }
        unconfirmed.record = Record::read(&place.unconfirmed());
        if unconfirmed.record.is_none() {
            unconfirmed.held = None;
            return Ok(unconfirmed);
        }
        unconfirmed.stage = Stage::Undone;
        unconfirmed.place = Some(place.clone());
        if unconfirmed.attempt(&place).is_ok() {
            warn!(
                "a commit by NETCONF was not confirmed before the daemon ended: it is undone, and the configuration is as it was before it"
            );
        }
        Ok(unconfirmed)
    }
}

impl Unconfirmed {
    /// What the files are to have and could not be given yet.
    pub(super) fn overlay(&self, place: &Place, files: &mut Vec<File>) {
        let record = self.record.iter().filter(|_| self.stage == Stage::Undone);
        for recorded in record.flat_map(|record| &record.files) {
            let path = place.directory.join(&recorded.name);
            let text = recorded.text.clone();
            let name = Some(OsStr::new(&recorded.name));
            let known = files
                .iter_mut()
                .find(|file| place.at(&file.path).file_name() == name);
            match known {
                Some(file) => file.text = text,
                None => files.push(File { path, text }),
            }
        }
    }

    /// Whether a commit is recorded.
    pub(super) fn is_recorded(&self) -> bool {
        self.record.is_some()
    }

    /// Records what these changes are undone by, and by what they are known. What was there before the first of them stays
    /// what is restored.
    ///
    /// # Errors
    /// It cannot be kept.
    pub(super) fn note(&mut self, place: &Place, changes: &[Change]) -> Result<(), Failure> {
        let before = self.record.as_ref();
        let mut files = before.map(|it| it.files.clone()).unwrap_or_default();
        for change in changes {
            let known: Vec<String> = change.from.iter().chain([&change.to]).cloned().collect();
            let new = Recorded::new(
                &change.path,
                known.first().cloned().unwrap_or_default(),
                known,
            )?;
            match files.iter_mut().find(|file| file.name == new.name) {
                Some(file) => file.known = new.known,
                None => files.push(new),
            }
        }
        let record = Record::of(files);
        self.held = Some(record.write(&place.unconfirmed(), &place.directory)?);
        self.record = Some(record);
        self.place = Some(place.clone());
        Ok(())
    }

    /// Nothing is to be undone any more.
    ///
    /// # Errors
    /// The record is still there: a start would undo the commit.
    pub(super) fn forget(&mut self, place: &Place) -> Result<(), Failure> {
        // What is undone is so in the files first.
        if self.record.is_some() && self.stage != Stage::Undone {
            self.stage = Stage::Final;
            self.attempt(place)?;
        }
        Ok(())
    }

    /// Has the files have what they had; what of it fails is tried again.
    ///
    /// # Errors
    /// It has failed.
    pub(super) fn undo(&mut self, place: &Place) -> Result<(), Failure> {
        self.stage = Stage::Undone;
        self.attempt(place)
    }

    /// Finishes what has failed before, so that the files can be changed.
    ///
    /// # Errors
    /// It fails again.
    pub(super) fn finish(&mut self, place: &Place) -> Result<(), Failure> {
        match self.stage {
            Stage::Waits => Ok(()),
            Stage::Undone | Stage::Final => self.attempt(place),
        }
    }

    /// Tries again what has failed, if that is due.
    pub(in crate::daemon) fn turn(&mut self, source: &Source) {
        if let (true, Some(place)) = (self.is_due(), source.place()) {
            // It is said there.
            let _failed = self.attempt(&place);
        }
    }

    /// Whether something that has failed is to be tried again now.
    pub(in crate::daemon) fn is_due(&self) -> bool {
        self.again.is_some_and(|(at, _)| at <= Instant::now())
    }

    /// What is to be done now. The first failure is said, and the success after it.
    fn attempt(&mut self, place: &Place) -> Result<(), Failure> {
        let stage = self.stage;
        let place = &self.place.clone().unwrap_or_else(|| place.clone());
        let done = match stage {
            Stage::Waits => Ok(()),
            Stage::Undone => self.restore(place).and_then(|()| self.drop_record(place)),
            Stage::Final => self.drop_record(place),
        };
        let what = match stage {
            Stage::Waits | Stage::Undone => {
                "a commit that was not confirmed is undone in the files"
            }
            Stage::Final => "a commit that is confirmed is final in the files",
        };
        match (&done, self.again.take()) {
            (Ok(()), None) => {}
            (Ok(()), Some(_)) => info!("{what} now"),
            (Err(failure), before) => {
                if before.is_none() {
                    error!("{failure}: tried again until {what}; all else goes on");
                }
                let wait = before.map_or(FIRST_WAIT, |(_, wait)| wait);
                self.again = Some((Instant::now() + wait, (wait * 2).min(LONGEST_WAIT)));
            }
        }
        done
    }

    fn drop_record(&mut self, place: &Place) -> Result<(), Failure> {
        let path = place.unconfirmed();
        remove(&path).map_err(|error| cannot_write(&path, &error))?;
        (self.record, self.held, self.place) = (None, None, None);
        self.stage = Stage::Waits;
        Ok(())
    }

    fn restore(&self, place: &Place) -> Result<(), Failure> {
        place.settle()?;
        let Some(record) = &self.record else {
            return Ok(());
        };
        let mut changes = Vec::new();
        let mut notes = Vec::new();
        for (file, found) in record.look(&place.directory)? {
            let path = place.directory.join(&file.name);
            let shown = path.display();
            match found {
                Found::Done => continue,
                Found::Replaced => {}
                Found::Missing => notes.push(format!(
                    "{shown} was removed since a commit that was not confirmed: it is written again as it was before the commit"
                )),
                Found::Edited => notes.push(format!(
                    "{shown} was edited since a commit that was not confirmed: it is as it was before the commit, and what was edited is kept in {}",
                    keep_edited(&path)?.display()
                )),
            }
            changes.push(Change {
                from: super::text(&path).ok(),
                to: file.text.clone(),
                path,
            });
        }
        place.replace(&changes)?;
        for note in notes {
            warn!("{note}");
        }
        Ok(())
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::path::Path;

    use super::*;

    /// A commit that has changed this file from `old` to `new`, and waits.
    fn commit(source: &Source, path: &Path) -> Unconfirmed {
        let mut unconfirmed = Unconfirmed::default();
        let place = source.place().unwrap();
        let change = Change {
            path: place.at(path),
            from: Some("old".to_owned()),
            to: "new".to_owned(),
        };
        unconfirmed.note(&place, &[change]).unwrap();
        fs::write(path, "new").unwrap();
        unconfirmed
    }

    fn undo(source: &Source, unconfirmed: &mut Unconfirmed) -> Result<(), Failure> {
        unconfirmed.undo(&source.place().unwrap())
    }

    #[test]
    fn the_file_that_a_link_leads_to_is_restored() {
        let directory = tempfile::tempdir().unwrap();
        let real = directory.path().join("real");
        fs::create_dir(&real).unwrap();
        let (file, link) = (real.join("x.toml"), directory.path().join("tp.toml"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let source = Source::Path(link.clone());
        let mut unconfirmed = commit(&source, &link);
        undo(&source, &mut unconfirmed).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "old");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let left: Vec<_> = fs::read_dir(&real).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
        // At a start, and where it cannot be written.
        commit(&source, &link);
        let mut unconfirmed = source.recover().unwrap();
        assert!(!unconfirmed.is_recorded());
        assert_eq!(fs::read_to_string(&file).unwrap(), "old");
        unconfirmed = commit(&source, &link);
        unconfirmed.stage = Stage::Undone;
        let mut files = source.files().unwrap();
        unconfirmed.overlay(&source.place().unwrap(), &mut files);
        let texts: Vec<_> = files.iter().map(|file| file.text.as_str()).collect();
        assert_eq!(texts, ["old"]);
    }

    #[test]
    fn files_are_restored_where_they_were_or_later() {
        let directory = tempfile::tempdir().unwrap();
        let [conf, gone] = ["conf", "gone"].map(|name| directory.path().join(name));
        fs::create_dir(&conf).unwrap();
        let file = conf.join("c.toml");
        fs::write(&file, "old").unwrap();
        let source = Source::Path(conf.clone());
        let mut unconfirmed = commit(&source, &file);
        fs::rename(&conf, &gone).unwrap();
        undo(&source, &mut unconfirmed).unwrap_err();
        let left: Vec<_> = fs::read_dir(directory.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
        fs::rename(&gone, &conf).unwrap();
        undo(&source, &mut unconfirmed).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "old");
    }
}
