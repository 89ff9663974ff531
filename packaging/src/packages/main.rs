//! Makes the Debian package and the RPM package of a binary that is built, with what `contents.toml`
//! lists. `cargo xtask dist` starts it.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for a terminal"
)]

mod contents;
mod deb;
mod elf;
mod rpm;
mod tarball;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, ValueEnum};

use crate::contents::{Contents, Places};
use crate::elf::Program;

#[derive(Parser)]
struct Arguments {
    /// The program to package
    #[arg(long, value_name = "FILE")]
    binary: PathBuf,
    /// Where man pages and completions are, and packages go
    #[arg(long, value_name = "DIR")]
    dist: PathBuf,
    /// Who answers for the packages, as in "Name <name@example.org>"
    #[arg(long, value_name = "NAME <MAIL>")]
    maintainer: String,
    /// Time of all files: seconds since 1970
    #[arg(long, value_name = "SECONDS")]
    epoch: u32,
    /// What to make [default: both]
    formats: Vec<Format>,
}

/// The kinds of packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    Deb,
    Rpm,
}

/// What a package says of itself.
pub(crate) struct About {
    pub(crate) version: &'static str,
    /// Of the package, of the same version of the program.
    pub(crate) release: &'static str,
    pub(crate) maintainer: String,
    pub(crate) epoch: u32,
}

pub(crate) const SUMMARY: &str = "two-way network measurement with TWAMP and STAMP";
pub(crate) const DESCRIPTION: &str = "\
twinpath measures delay, delay variation, loss, duplication and reordering
between two hosts, in each direction, by the standard protocols that routers
support: TWAMP (RFC 5357), TWAMP Light and STAMP (RFC 8762), in every role.
It uses timestamps of the kernel and of network adapters, and its reports say
where they are from.";

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<()> {
    let octets =
        std::fs::read(&arguments.binary).with_context(|| arguments.binary.display().to_string())?;
    let program = Program::read(&octets)?;
    ensure!(
        !program.has_symbols,
        "{} has symbols: cargo xtask dist builds it without",
        arguments.binary.display()
    );
    let about = About {
        version: env!("CARGO_PKG_VERSION"),
        release: "1",
        maintainer: arguments.maintainer,
        epoch: arguments.epoch,
    };
    let places = Places {
        binary: arguments.binary,
        dist: arguments.dist.clone(),
        root: contents::root(),
    };
    let formats: &[Format] = if arguments.formats.is_empty() {
        Format::value_variants()
    } else {
        &arguments.formats
    };
    for format in formats {
        let contents = Contents::read(&places, *format)?;
        let (name, package) = match format {
            Format::Deb => deb::package(&about, &program, contents)?,
            Format::Rpm => rpm::package(&about, &program, contents)?,
        };
        let path = arguments.dist.join(name);
        std::fs::write(&path, package).with_context(|| path.display().to_string())?;
        println!("{}", path.display());
    }
    Ok(())
}
