//! `cargo xtask fuzz`: every fuzz target in turn, for a while each, and what it found.
//!
//! Needs `cargo-fuzz` (`cargo install cargo-fuzz --locked`) and a C++ compiler for libFuzzer; the
//! stable toolchain will do. What is found on the way goes to `target/fuzz`; the committed corpus in
//! `fuzz/corpus` changes with `--keep` alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

/// Memory that a target may take, in MiB: more is a finding.
const MOST_MIB: u32 = 2_048;
/// Seconds that one input may take: more is a finding.
const MOST_SECONDS: u32 = 10;
/// Octets of an input at most.
const MOST_OCTETS: u32 = 16 * 1024;
/// Octets that a target's committed corpus may have.
const CORPUS_OCTETS: u64 = 64 * 1024;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Seconds for each target
    #[arg(long, default_value = "600")]
    seconds: u32,
    /// These targets alone
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// Put the smallest inputs that reach all that was reached into the committed corpus
    #[arg(long)]
    keep: bool,
}

/// What one target came to.
struct Outcome {
    runs: u64,
    reached: u64,
    peak_mib: u64,
    findings: Vec<PathBuf>,
}

/// Builds and runs the targets of the repository at `root`, and prints a line for each.
///
/// # Errors
/// When something was found, or a target cannot be built or run.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    let root = fs::canonicalize(root).context("the repository is gone")?;
    let all = targets(&root)?;
    let wanted = if arguments.targets.is_empty() {
        all.clone()
    } else {
        arguments.targets.clone()
    };
    if let Some(unknown) = wanted.iter().find(|target| !all.contains(target)) {
        bail!(
            "there is no target {unknown}: write one of {}",
            all.join(", ")
        );
    }
    let work = root.join("target/fuzz");
    build(&root)?;
    println!(
        "{:<16}{:>12}{:>10}{:>10}  findings",
        "target", "runs", "reached", "peak MiB"
    );
    let mut found = 0;
    for target in &wanted {
        let outcome = fuzz(&root, &work, target, arguments.seconds)?;
        println!(
            "{target:<16}{:>12}{:>10}{:>10}  {}",
            outcome.runs,
            outcome.reached,
            outcome.peak_mib,
            outcome.findings.len()
        );
        for finding in &outcome.findings {
            println!("  {}", finding.display());
        }
        found += outcome.findings.len();
        if arguments.keep {
            keep(&root, &work, target)?;
        }
    }
    ensure!(found == 0, "{found} findings");
    Ok(())
}

/// A binary for each, in `fuzz/fuzz_targets`.
fn targets(root: &Path) -> Result<Vec<String>> {
    let directory = root.join("fuzz/fuzz_targets");
    let mut names = Vec::new();
    for entry in fs::read_dir(&directory).context("there is no fuzz/fuzz_targets")? {
        let path = entry?.path();
        names.extend(
            path.file_stem()
                .and_then(|name| Some(name.to_str()?.to_owned())),
        );
    }
    names.sort();
    Ok(names)
}

fn build(root: &Path) -> Result<()> {
    let mut command = Command::new("cargo");
    command
        .args(["fuzz", "build", "--sanitizer", "none"])
        .current_dir(root);
    succeed(&mut command).context("is there cargo-fuzz? (cargo install cargo-fuzz --locked)")
}

fn succeed(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}

/// The binary that `cargo fuzz build` made: it is under the host's triple.
fn binary(root: &Path, target: &str) -> Result<PathBuf> {
    let built = root.join("fuzz/target");
    for entry in fs::read_dir(&built).context("nothing was built")? {
        let path = entry?.path().join("release").join(target);
        if path.is_file() {
            return Ok(path);
        }
    }
    bail!("{target} was not built")
}

fn fuzz(root: &Path, work: &Path, target: &str, seconds: u32) -> Result<Outcome> {
    let corpus = work.join("corpus").join(target);
    let findings = work.join("findings").join(target);
    let committed = root.join("fuzz/corpus").join(target);
    for directory in [&corpus, &findings, &committed] {
        fs::create_dir_all(directory)?;
    }
    let done = Command::new(binary(root, target)?)
        .arg(&corpus)
        .arg(&committed)
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-rss_limit_mb={MOST_MIB}"))
        .arg(format!("-timeout={MOST_SECONDS}"))
        .arg(format!("-max_len={MOST_OCTETS}"))
        .arg(format!("-artifact_prefix={}/", findings.display()))
        .arg("-print_final_stats=1")
        .output()
        .with_context(|| format!("cannot run {target}"))?;
    let told = String::from_utf8_lossy(&done.stderr);
    let number = |label: &str| {
        let (_, rest) = told.rsplit_once(label)?;
        rest.split_whitespace().next()?.parse().ok()
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(&findings)? {
        found.push(entry?.path());
    }
    ensure!(
        done.status.success() || !found.is_empty(),
        "{target} ended with {}: {told}",
        done.status
    );
    Ok(Outcome {
        runs: number("stat::number_of_executed_units:").unwrap_or(0),
        reached: number(" cov: ").unwrap_or(0),
        peak_mib: number("stat::peak_rss_mb:").unwrap_or(0),
        findings: found,
    })
}

/// What is left of all inputs when each has to reach something that none before it did, the smallest
/// first; and of that as much as the repository is to hold.
fn keep(root: &Path, work: &Path, target: &str) -> Result<()> {
    let committed = root.join("fuzz/corpus").join(target);
    let merged = work.join("merged").join(target);
    if merged.exists() {
        fs::remove_dir_all(&merged)?;
    }
    for directory in [&merged, &committed] {
        fs::create_dir_all(directory)?;
    }
    let done = Command::new(binary(root, target)?)
        .arg("-merge=1")
        .arg(format!("-max_len={MOST_OCTETS}"))
        .arg(&merged)
        .arg(&committed)
        .arg(work.join("corpus").join(target))
        .output()?;
    ensure!(
        done.status.success(),
        "{target}: merging ended with {}",
        done.status
    );
    let mut inputs = Vec::new();
    for entry in fs::read_dir(&merged)? {
        let entry = entry?;
        inputs.push((entry.metadata()?.len(), entry.path()));
    }
    inputs.sort();
    fs::remove_dir_all(&committed)?;
    fs::create_dir_all(&committed)?;
    let mut octets = 0;
    for (length, path) in inputs {
        octets += length;
        if octets > CORPUS_OCTETS {
            break;
        }
        let name = path.file_name().context("an input without a name")?;
        fs::copy(&path, committed.join(name))?;
    }
    Ok(())
}
