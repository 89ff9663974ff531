//! Changes by clients, kept in the files of the configuration.

use twinpath_yang::{diff, toml};

use super::replacing::Change;
use super::unconfirmed::{Step, Unconfirmed};
use super::{Configuration, File, Source, read_document};
use crate::daemon::model::Model;
use crate::failure::Failure;

impl Source {
    /// Writes into its files what differs between two configurations, of which they have the first. Comments stay as they are.
    /// What undoes a commit that waits is on the disk before. The demonstration has no file.
    ///
    /// # Errors
    /// The files are not as they were read, or cannot be written.
    pub(in crate::daemon) fn save(
        &self,
        from: &Configuration,
        to: &Configuration,
        (step, unconfirmed): (Step, &mut Unconfirmed),
    ) -> Result<(), Failure> {
        let Some(place) = self.place() else {
            return Ok(());
        };
        if step == Step::Rollback && unconfirmed.is_recorded() {
            // What cannot be written now is later; it is said there.
            let _later = unconfirmed.undo(&place);
            return Ok(());
        }
        unconfirmed.finish(&place)?;
        if step == Step::Final {
            unconfirmed.forget(&place)?;
        }
        place.settle()?;
        let files = self.files()?;
        let is_there = says(to.model, &files, to);
        if is_there && step != Step::Unconfirmed {
            return Ok(());
        }
        if !is_there {
            self.check_said(from, &files)?;
        }
        let (now, then) = if is_there { (to, from) } else { (from, to) };
        let texts = changed(&files, now, then)?;
        let both = files.into_iter().zip(texts);
        let changes = both.filter(|(file, text)| file.text != *text);
        let changes = changes.map(|(file, text)| {
            let (from, to) = if is_there {
                (text, file.text)
            } else {
                (file.text, text)
            };
            Change {
                path: place.at(&file.path),
                from: Some(from),
                to,
            }
        });
        let changes: Vec<Change> = changes.collect();
        let is_first = !unconfirmed.is_recorded();
        if step == Step::Unconfirmed {
            unconfirmed.note(&place, &changes)?;
        }
        if is_there {
            return Ok(());
        }
        place.replace(&changes).inspect_err(|_| {
            if is_first {
                // One that stays is tried again.
                let _later = unconfirmed.forget(&place);
            }
        })
    }

    /// That its files are as they were read.
    ///
    /// # Errors
    /// They were changed, or cannot be read.
    pub(in crate::daemon) fn check(&self, from: &Configuration) -> Result<(), Failure> {
        match self {
            Self::Path(_) => self.check_said(from, &self.files()?),
            Self::Demonstration(_) => Ok(()),
        }
    }

    fn check_said(&self, from: &Configuration, files: &[File]) -> Result<(), Failure> {
        let Self::Path(path) = self else {
            return Ok(());
        };
        if says(from.model, files, from) {
            return Ok(());
        }
        let line = format!("{} was changed since it was read", path.display());
        let remedy = "have the daemon read it again (SIGHUP) before you change it here";
        Err(Failure::could_not(line).with_remedy(Some(remedy)))
    }

    /// Finishes what could not be written before, so that its files can be read.
    ///
    /// # Errors
    /// It still cannot.
    pub(in crate::daemon) fn settle(&self, unconfirmed: &mut Unconfirmed) -> Result<(), Failure> {
        let Some(place) = self.place() else {
            return Ok(());
        };
        unconfirmed.finish(&place)?;
        place.settle()
    }

    /// What is in force is final: nothing of it is undone at a start.
    ///
    /// # Errors
    /// That cannot be written; it is tried again.
    pub(in crate::daemon) fn confirm(&self, unconfirmed: &mut Unconfirmed) -> Result<(), Failure> {
        match self.place() {
            Some(place) => unconfirmed.forget(&place),
            None => Ok(()),
        }
    }
}

/// Whether files have this configuration.
fn says(model: &Model, files: &[File], configuration: &Configuration) -> bool {
    let (document, faults) = read_document(model, files);
    faults.is_empty() && diff(&model.schema, &document.root, configuration.root()).is_empty()
}

/// The texts of files after a change.
fn changed(
    files: &[File],
    from: &Configuration,
    to: &Configuration,
) -> Result<Vec<String>, Failure> {
    let Model { schema, roots, .. } = to.model;
    let last = files.len().saturating_sub(1);
    let texts = files.iter().enumerate().map(|(at, file)| {
        let trees = (from.root(), to.root());
        toml::update(schema, roots, &file.text, trees, at == last)
    });
    let texts: Result<Vec<String>, String> = texts.collect();
    let texts = texts.map_err(Failure::could_not)?;
    let written = files.iter().zip(&texts).map(|(file, text)| File {
        path: file.path.clone(),
        text: text.clone(),
    });
    if says(to.model, &written.collect::<Vec<_>>(), to) {
        return Ok(texts);
    }
    if files.len() == 1 {
        return Ok(vec![to.to_toml()]);
    }
    let line = "the change cannot be written into the files of the configuration";
    Err(Failure::could_not(line).with_remedy(Some("make it in a file, and send SIGHUP")))
}
