//! Changes by clients, kept in the files of the configuration.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;
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
        for (file, text) in files.iter().zip(changed(&files, from, to)?) {
            if text != file.text {
                write(&file.path, &text).map_err(|error| {
                    let path = file.path.display();
                    Failure::could_not(format!("cannot write {path}: {error}"))
                })?;
            }
        }
        Ok(())
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
    let Model { schema, roots } = to.model;
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

/// Replaces a file. It has the old content or the new, whatever happens.
fn write(path: &Path, text: &str) -> io::Result<()> {
    // A link stays a link.
    let path = fs::canonicalize(path)?;
    let directory = path.parent().unwrap_or(Path::new("/"));
    let mut file = NamedTempFile::new_in(directory)?;
    file.write_all(text.as_bytes())?;
    let permissions = fs::metadata(&path)?.permissions();
    file.as_file().set_permissions(permissions)?;
    file.as_file().sync_all()?;
    file.persist(&path)?;
    Ok(())
}
