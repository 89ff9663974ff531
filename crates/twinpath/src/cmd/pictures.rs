//! Pictures of a run: their files are checked before it begins, and written when it is over.

use std::path::{Path, PathBuf};

use tracing::info;
use twinpath_metrics::Timeline;

use super::companions::{self, Companion};
use crate::args::{GraphFile, GraphForm, Label, PictureOptions, PictureTheme};
use crate::failure::Failure;
use crate::files;
use crate::output::overview::{MANY, Many};
use crate::output::pictures::picture;
use crate::output::{Outcome, Written, WrittenFile};
use crate::picture::{self, MOST_TILES, ManyPage, Theme, svg_of_many};

/// What to draw, and where to.
pub(super) struct Pictures {
    graph: Option<GraphFile>,
    html: Option<PathBuf>,
    theme: Theme,
    labels: Vec<Label>,
}

impl Pictures {
    /// Makes sure that the requested files can be written.
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
    fn columns(&self, _: usize) -> Option<usize> {
        Some(Timeline::COLUMNS)
    }

    fn writes(&self) -> bool {
        true
    }

    fn draw(&self, outcome: Outcome<'_>) -> Vec<Written> {
        if outcome.sessions.len() >= MANY {
            return self.draw_many(outcome);
        }
        let picture = picture(outcome, &self.labels);
        let html = self
            .html
            .is_some()
            .then(|| picture::page(&picture, self.theme, MADE_BY));
        self.save(|theme| picture::svg(&picture, theme), html)
    }
}

/// The program and its version.
const MADE_BY: &str = concat!("twinpath ", env!("CARGO_PKG_VERSION"));

impl Pictures {
    fn draw_many(&self, outcome: Outcome<'_>) -> Vec<Written> {
        let many = Many::new(outcome, &self.labels);
        let mut page = self.html.is_some().then(|| ManyPage::new(&many.overview));
        let mut worst = Vec::new();
        for tile in many.tiles() {
            if let Some(page) = &mut page {
                page.add(&tile);
            }
            if self.graph.is_some() && tile.rank < MOST_TILES {
                worst.push(tile);
            }
        }
        worst.sort_by_key(|tile| tile.rank);
        let html = page.map(|page| page.finish(self.theme, MADE_BY));
        self.save(|theme| svg_of_many(&many.overview, &worst, theme), html)
    }

    fn save(&self, svg: impl FnOnce(Theme) -> String, html: Option<String>) -> Vec<Written> {
        let graph = self.graph.as_ref().map(|graph| {
            let octets = match graph.form {
                GraphForm::Svg => Ok(svg(self.theme).into_bytes()),
                GraphForm::Png => picture::png(self.theme, svg),
            };
            match octets {
                Ok(octets) => save(&graph.path, &octets),
                Err(error) => written(&graph.path, Some((error.to_string(), "use SVG"))),
            }
        });
        let html = self.html.as_ref().zip(html);
        let html = html.map(|(path, page)| save(path, page.as_bytes()));
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
        files: None,
        records_of_run: None,
        error,
        remedy: remedy.unwrap_or_default(),
    }
}
