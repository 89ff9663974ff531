//! Tasks of the repository: benchmarks (`cargo xtask bench NAME`), whether docs/conformance.md is
//! true of the tree (`cargo xtask conformance`), whether the tests notice what is taken out of the
//! code (`cargo xtask removals`), what fuzzing finds (`cargo xtask fuzz`), whether the crates can be published
//! (`cargo xtask publish`), whether another build prints
//! the same documents (`cargo xtask contract`); and man pages, completions and packages (`cargo xtask dist`).
//!
//! Benchmarks run in network namespaces of their own. Each figure is shown beside a limit measured in
//! the same run, by the smallest program that does the same with plain sockets
//! (`twinpath_bench`). Linux, root (namespaces, captures), `ip`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for a terminal"
)]

#[cfg(target_os = "linux")]
mod bench;
mod burst;
mod conformance;
#[cfg(target_os = "linux")]
mod contract;
mod dist;
mod fuzz;
#[cfg(target_os = "linux")]
mod interrupt;
#[cfg(target_os = "linux")]
mod machine;
#[cfg(target_os = "linux")]
mod measured;
#[cfg(target_os = "linux")]
mod namespaces;
#[cfg(target_os = "linux")]
mod outcome;
#[cfg(target_os = "linux")]
mod process;
mod publish;
mod removals;
#[cfg(target_os = "linux")]
mod role;
mod session;
#[cfg(target_os = "linux")]
mod statistics;
#[cfg(target_os = "linux")]
mod tool;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Benchmarks and checks of twinpath's repository"
)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Measure twinpath beside the limits of this machine
    #[cfg(target_os = "linux")]
    Bench(bench::Arguments),
    /// Check docs/conformance.md against the tree: a line for each fault, exit status 1 if there is one
    Conformance,
    /// Compare the documents of two builds over runs of every kind: JSON is a contract
    #[cfg(target_os = "linux")]
    Contract(contract::Arguments),
    /// Make man pages, completions and packages in target/dist
    Dist(dist::Arguments),
    /// Run every fuzz target for a while and say what it found
    Fuzz(fuzz::Arguments),
    /// Say in which order crates are published, what they lack for it, and which licences are not allowed
    Publish,
    /// Take effects out of the code one by one and look for the test that fails
    Removals(removals::Arguments),
    /// Play one part of a benchmark (benchmarks start it themselves)
    #[cfg(target_os = "linux")]
    #[command(hide = true)]
    Role { json: String },
}

fn main() -> ExitCode {
    let done: anyhow::Result<()> = match Arguments::parse().task {
        #[cfg(target_os = "linux")]
        Task::Bench(arguments) => bench::run(&arguments),
        Task::Removals(arguments) => removals::run(&root(), &arguments),
        #[cfg(target_os = "linux")]
        Task::Role { json } => serde_json::from_str(&json)
            .map_err(Into::into)
            .and_then(role::Role::play),
        Task::Dist(arguments) => dist::run(&root(), &arguments),
        Task::Fuzz(arguments) => fuzz::run(&root(), &arguments),
        Task::Publish => publish::run(&root()),
        Task::Conformance => conformance::run(&root()),
        #[cfg(target_os = "linux")]
        Task::Contract(arguments) => contract::run(&root(), &arguments),
    };
    if let Err(error) = done {
        eprintln!("error: {error:#}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// The repository that this program was built from.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
