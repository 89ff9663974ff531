//! Pictures of a run: their files are looked at before it begins, and written when it is over.

use std::path::{Path, PathBuf};

use tracing::info;
use twinpath_metrics::Timeline;

use super::companions::{self, Companion};
use crate::args::{GraphFile, GraphForm, Label, PictureOptions, PictureTheme};
use crate::failure::Failure;
use crate::files;
use crate::output::pictures::picture;
use crate::output::{Outcome, Written, WrittenFile};
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
    pub(super) fn open(options: &PictureOptions, labels: &[Label]) -> companions::Opened {
        let theme = match options.theme {
            PictureTheme::Auto => Theme::Auto,
            PictureTheme::Light => Theme::Light,
            PictureTheme::Dark => Theme::Dark,
        };
        let places = options.written_files();
        if places.is_empty() {
            return match theme {
                Theme::Auto => Ok(None),
                Theme::Light | Theme::Dark => {
                    Err(Failure::usage("--theme needs --graph or --html"))
                }
            };
        }
        for (_, path) in places {
            files::try_out(path).map_err(|error| {
                Failure::could_not(format!("cannot write {}: {error}", path.display()))
                    .with_remedy(Some(error.remedy()))
            })?;
        }
        Ok(Some(Box::new(Self {
            graph: options.graph.clone(),
            html: options.html.clone(),
            theme,
            labels: labels.to_vec(),
        })))
    }
}

impl Companion for Pictures {
    fn columns(&self) -> Option<usize> {
        Some(Timeline::COLUMNS)
    }

    fn writes(&self) -> bool {
        true
    }

    fn draw(&self, outcome: Outcome<'_>) -> Vec<Written> {
        let picture = picture(outcome, &self.labels);
        let graph = self.graph.as_ref().map(|graph| {
            let octets = match graph.form {
                GraphForm::Svg => Ok(picture::svg(&picture, self.theme).into_bytes()),
                GraphForm::Png => picture::png(&picture, self.theme),
            };
            match octets {
                Ok(octets) => save(&graph.path, &octets),
                Err(error) => written(&graph.path, Some((error.to_string(), "use SVG"))),
            }
        });
        let html = self.html.as_ref().map(|path| {
            let made_by = concat!("twinpath ", env!("CARGO_PKG_VERSION"));
            let page = picture::page(&picture, self.theme, made_by);
            save(path, page.as_bytes())
        });
        graph.into_iter().chain(html).collect()
    }
}

fn save(path: &Path, octets: &[u8]) -> Written {
    let error = files::write(path, octets).err();
    if error.is_none() {
        info!(file = %path.display(), octets = octets.len(), "picture written");
    }
    written(path, error.map(|error| (error.to_string(), error.remedy())))
}

fn written(path: &Path, error: Option<(String, &'static str)>) -> Written {
    let (error, remedy) = error.unzip();
    Written {
        what: WrittenFile::Picture,
        path: path.display().to_string(),
        complete: error.is_none(),
        records: None,
        records_of_run: None,
        error,
        remedy: remedy.unwrap_or_default(),
    }
}
