//! Changes by clients, kept in the files of the configuration.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use tracing::error;
use twinpath_yang::{diff, toml};

use super::{Configuration, File, Source, read_document};
use crate::daemon::model::Model;
use crate::failure::Failure;

impl Source {
    /// Writes into its files what differs between two configurations, of which they have the first. Comments stay as they are.
    /// The demonstration has no file.
    ///
    /// # Errors
    /// The files are not as they were read, or cannot be written.
    pub(in crate::daemon) fn save(
        &self,
        from: &Configuration,
        to: &Configuration,
    ) -> Result<(), Failure> {
        let Self::Path(path) = self else {
            return Ok(());
        };
        let files = self.files()?;
        if says(to.model, &files, to) {
            return Ok(());
        }
        if !says(from.model, &files, from) {
            let line = format!("{} was changed since it was read", path.display());
            let remedy = "have the daemon read it again (SIGHUP) before you change it here";
            return Err(Failure::could_not(line).with_remedy(Some(remedy)));
        }
        let texts = changed(&files, from, to)?;
        let both = files.iter().zip(&texts);
        let changed: Vec<(&File, &String)> =
            both.filter(|(file, text)| file.text != **text).collect();
        // All are on the disk before the first takes its place.
        let ready = changed.iter().map(|(file, text)| {
            let ready = Ready::of(&file.path, text);
            ready.map_err(|error| cannot_write(&file.path, &error))
        });
        let ready: Vec<Ready> = ready.collect::<Result<_, _>>()?;
        for (number, file) in ready.into_iter().enumerate() {
            let path = file.path.clone();
            if let Err(error) = file.put() {
                let done = changed.iter().take(number);
                for (file, _) in done {
                    let back = Ready::of(&file.path, &file.text).and_then(Ready::put);
                    if let Err(error) = back {
                        error!("{} has a part of a change: {error}", file.path.display());
                    }
                }
                return Err(cannot_write(&path, &error));
            }
        }
        Ok(())
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::could_not(format!("cannot write {}: {error}", path.display()))
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

/// A text that is on the disk and takes the place of a file in one step: that has the old content or the new, whatever
/// happens.
struct Ready {
    new: NamedTempFile,
    path: PathBuf,
}

impl Ready {
    fn of(path: &Path, text: &str) -> io::Result<Self> {
        // A link stays a link.
        let path = fs::canonicalize(path)?;
        let directory = path.parent().unwrap_or(Path::new("/"));
        let mut new = NamedTempFile::new_in(directory)?;
        new.write_all(text.as_bytes())?;
        let about = fs::metadata(&path)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::{MetadataExt as _, fchown};

            // Where it may not, the file becomes that of this user, who could write the old one.
            let _kept = fchown(new.as_file(), Some(about.uid()), Some(about.gid()));
        }
        new.as_file().set_permissions(about.permissions())?;
        new.as_file().sync_all()?;
        Ok(Self { new, path })
    }

    fn put(self) -> io::Result<()> {
        self.new.persist(&self.path)?;
        // The name is on the disk too.
        #[cfg(unix)]
        if let Some(directory) = self.path.parent() {
            fs::File::open(directory)?.sync_all()?;
        }
        Ok(())
    }
}
