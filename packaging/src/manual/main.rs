//! Writes man pages (`man/`) and completions (`completions/`) of twinpath, made from its arguments, under
//! the directory that is given. `cargo xtask dist` starts it.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for a terminal"
)]

mod completions;
mod man;
mod pages;
#[cfg(test)]
mod tests;
mod text;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, ValueEnum};

#[derive(Parser)]
struct Arguments {
    /// Directory to write to
    out: PathBuf,
    /// What to make [default: all]
    parts: Vec<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Man,
    Completions,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let wanted = |part| arguments.parts.is_empty() || arguments.parts.contains(&part);
    if wanted(Part::Man) {
        let out = arguments.out.join("man");
        let written = man::write(&out)?;
        println!("{}: {written} pages", out.display());
    }
    if wanted(Part::Completions) {
        let out = arguments.out.join("completions");
        let written = completions::write(&out)?;
        println!("{}: for {written} shells", out.display());
    }
    Ok(())
}
