//! Benchmarks of twinpath in network namespaces of their own: `cargo xtask bench NAME`.
//!
//! Each figure stands beside a limit measured in the same run, by the smallest program that does
//! the same with plain sockets (`twinpath_net::bare`). Linux, root (namespaces, captures), `ip`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for a terminal"
)]

#[cfg(target_os = "linux")]
mod bench;
#[cfg(target_os = "linux")]
mod interrupt;
#[cfg(target_os = "linux")]
mod machine;
#[cfg(target_os = "linux")]
mod namespaces;
#[cfg(target_os = "linux")]
mod outcome;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod role;
mod session;
#[cfg(target_os = "linux")]
mod statistics;
#[cfg(target_os = "linux")]
mod tool;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Benchmarks of twinpath in network namespaces"
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
    /// Play one part of a benchmark (benchmarks start it themselves)
    #[cfg(target_os = "linux")]
    #[command(hide = true, subcommand)]
    Role(role::Role),
}

fn main() -> ExitCode {
    let done: anyhow::Result<()> = match Arguments::parse().task {
        #[cfg(target_os = "linux")]
        Task::Bench(arguments) => bench::run(&arguments),
        #[cfg(target_os = "linux")]
        Task::Role(role) => role.play(),
    };
    if let Err(error) = done {
        eprintln!("error: {error:#}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
