//! Pictures of a run: their files are looked at before it begins, and written when it is over.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tracing::info;
use twinpath_metrics::Timeline;

use super::places::remedy;
use crate::args::{GraphFile, GraphForm, Label, PictureOptions, PictureTheme};
use crate::failure::Failure;
use crate::output::Outcome;
use crate::output::pictures::picture;
use crate::picture::{self, Theme};

/// What is to be drawn, and where to.
pub(super) struct Pictures {
    graph: Option<GraphFile>,
    html: Option<PathBuf>,
    theme: Theme,
    labels: Vec<Label>,
}

impl Pictures {
    /// Makes sure that what is asked for can be written.
    pub(super) fn open(options: &PictureOptions, labels: &[Label]) -> Result<Self, Failure> {
        let theme = match options.theme {
            PictureTheme::Auto => Theme::Auto,
            PictureTheme::Light => Theme::Light,
            PictureTheme::Dark => Theme::Dark,
        };
        let pictures = Self {
            graph: options.graph.clone(),
            html: options.html.clone(),
            theme,
            labels: labels.to_vec(),
        };
        if theme != Theme::Auto && pictures.columns().is_none() {
            return Err(Failure::usage("--theme is for pictures")
                .with_remedy(Some("add --graph or --html")));
        }
        for (_, path) in options.places() {
            try_out(path).map_err(|error| unwritten(path, &error))?;
        }
        Ok(pictures)
    }

    /// How many columns a timeline should have; `None`: nothing is to be drawn.
    pub(super) fn columns(&self) -> Option<usize> {
        (self.graph.is_some() || self.html.is_some()).then_some(Timeline::COLUMNS)
    }

    /// Draws a run that is over.
    pub(super) fn draw(&self, outcome: Outcome<'_>) -> Result<(), Failure> {
        if self.columns().is_none() {
            return Ok(());
        }
        let picture = picture(outcome, &self.labels);
        if let Some(graph) = &self.graph {
            let octets = match graph.form {
                GraphForm::Svg => picture::svg(&picture, self.theme).into_bytes(),
                GraphForm::Png => picture::png(&picture, self.theme)
                    .map_err(|error| Failure::could_not(error.to_string()))?,
            };
            save(&graph.path, &octets)?;
        }
        if let Some(path) = &self.html {
            let made_by = concat!("twinpath ", env!("CARGO_PKG_VERSION"));
            let page = picture::page(&picture, self.theme, made_by);
            save(path, page.as_bytes())?;
        }
        Ok(())
    }
}

fn save(path: &Path, octets: &[u8]) -> Result<(), Failure> {
    write(path, octets).map_err(|error| unwritten(path, &error))?;
    info!(file = %path.display(), octets = octets.len(), "picture written");
    Ok(())
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    Failure::could_not(format!("cannot write {}: {error}", path.display()))
        .with_remedy(Some(remedy(error)))
}

/// All of a file or nothing: a reader never sees half of it.
fn write(path: &Path, octets: &[u8]) -> io::Result<()> {
    let (aside, mut file) = create_aside(path)?;
    let written = file.write_all(octets).and_then(|()| file.sync_all());
    drop(file);
    let moved = written.and_then(|()| fs::rename(&aside, path));
    if moved.is_err() {
        // What is left of it is of no use; the error that matters is the first one.
        let _ = fs::remove_file(&aside);
    }
    moved
}

/// Whether a file could be written there, without a trace.
fn try_out(path: &Path) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return Err(io::Error::other("it is there and not a file"));
    }
    let (aside, _) = create_aside(path)?;
    fs::remove_file(aside)
}

/// A new file in the same folder.
fn create_aside(path: &Path) -> io::Result<(PathBuf, File)> {
    let Some(name) = path.file_name() else {
        return Err(io::Error::other("it names no file"));
    };
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}", std::process::id()));
    let aside = path.with_file_name(hidden);
    let file = File::create_new(&aside)?;
    Ok((aside, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.svg");
        fs::write(&path, "before").unwrap();
        try_out(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"before");
        write(&path, b"after").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"after");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_written_is_known_before() {
        let folder = tempfile::tempdir().unwrap();
        for path in [
            folder.path().to_owned(),
            folder.path().join("none").join("a.svg"),
            PathBuf::from("/dev/null"),
            PathBuf::from(".."),
        ] {
            assert!(try_out(&path).is_err(), "{}", path.display());
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
