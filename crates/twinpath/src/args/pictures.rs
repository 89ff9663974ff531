//! Options of pictures.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::Advice;
use super::shared_options::OUTPUT;

/// Which pictures of a run to draw.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = OUTPUT)]
pub(crate) struct PictureOptions {
    /// Draw the finished run: delay and loss over time, their distribution, one-way variation
    #[arg(long, value_name = "FILE.svg|.png", value_parser = graph_file)]
    pub(crate) graph: Option<GraphFile>,

    /// Write a self-contained page with figures and pictures
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,

    /// Colours of pictures; auto follows the reader's system (PNG: light)
    #[arg(long, value_name = "NAME", default_value = "auto")]
    pub(crate) theme: PictureTheme,
}

impl PictureOptions {
    /// What is written, by its option.
    pub(crate) fn written_files(&self) -> Vec<(&'static str, &Path)> {
        let graph = self.graph.as_ref().map(|graph| ("--graph", &*graph.path));
        let html = self.html.as_deref().map(|path| ("--html", path));
        graph.into_iter().chain(html).collect()
    }
}

/// A file whose name gives the picture's format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GraphFile {
    /// Where.
    pub(crate) path: PathBuf,
    /// What.
    pub(crate) form: GraphForm,
}

/// Forms of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GraphForm {
    /// Lines.
    Svg,
    /// Pixels.
    Png,
}

/// Colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum PictureTheme {
    // The reader's.
    #[default]
    Auto,
    // Dark on white.
    Light,
    // Light on near black.
    Dark,
}

fn graph_file(text: &str) -> Result<GraphFile, Advice> {
    let path = Path::new(text);
    let ending = path.extension().and_then(|ending| ending.to_str());
    let form = match ending.map(str::to_ascii_lowercase).as_deref() {
        Some("svg") => GraphForm::Svg,
        Some("png") => GraphForm::Png,
        _ => return Err(Advice::new("not a picture's name: end it in .svg or .png")),
    };
    Ok(GraphFile {
        path: path.to_owned(),
        form,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_s_name_says_its_form() {
        for (name, form) in [
            ("a.svg", Some(GraphForm::Svg)),
            ("/x.y/B.PNG", Some(GraphForm::Png)),
            ("a.jpg", None),
            ("svg", None),
            (".svg", None),
            ("", None),
        ] {
            let found = graph_file(name).ok().map(|file| file.form);
            assert_eq!(found, form, "{name}");
        }
    }
}
