//! What is installed beside the program, made in `target/dist/`.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What to make [default: all]
    parts: Vec<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Man pages, one for each command
    Man,
    /// Completions for bash, zsh and fish
    Completions,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Man => "man",
            Self::Completions => "completions",
        }
    }
}

/// Makes what is asked for.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    let root = root.canonicalize()?;
    let out = root.join("target/dist");
    let parts: &[Part] = if arguments.parts.is_empty() {
        Part::value_variants()
    } else {
        &arguments.parts
    };
    let mut command = Command::new("cargo");
    command.current_dir(root);
    command.args([
        "run",
        "--quiet",
        "--locked",
        "--package",
        "twinpath-packaging",
    ]);
    command.args(["--bin", "twinpath-manual", "--"]).arg(out);
    command.args(parts.iter().map(|part| part.name()));
    let status = command.status().context("cannot run cargo")?;
    ensure!(status.success(), "twinpath-manual: {status}");
    Ok(())
}
