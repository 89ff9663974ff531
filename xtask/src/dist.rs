//! What is installed, made in `target/dist/`: man pages, completions, packages. Two programs of `packaging/`
//! do it, so that what they need is not built with every task.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What to make [default: all]
    parts: Vec<Part>,

    /// Build packages for this target of rustc [default: this host's]
    #[arg(long, value_name = "TRIPLE")]
    target: Option<String>,

    /// Who answers for the packages, as in "Name <name@example.org>" [default: DEBFULLNAME and
    /// DEBEMAIL, or the author of the commit]
    #[arg(long, value_name = "NAME <MAIL>")]
    maintainer: Option<String>,

    /// Build the program of this commit in another directory too, and compare
    #[arg(long)]
    check: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Man pages, one for each command
    Man,
    /// Completions for bash, zsh and fish
    Completions,
    /// A Debian package
    Deb,
    /// An RPM package
    Rpm,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Man => "man",
            Self::Completions => "completions",
            Self::Deb => "deb",
            Self::Rpm => "rpm",
        }
    }

    fn is_package(self) -> bool {
        match self {
            Self::Man | Self::Completions => false,
            Self::Deb | Self::Rpm => true,
        }
    }
}

/// Makes what is asked for.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    let root = root.canonicalize()?;
    let out = root.join("target/dist");
    let parts: &[Part] = match &arguments.parts[..] {
        [] => Part::value_variants(),
        parts => parts,
    };
    let packages: Vec<&str> = parts
        .iter()
        .filter(|it| it.is_package())
        .map(|it| it.name())
        .collect();
    let mut manual: Vec<&str> = parts
        .iter()
        .filter(|it| !it.is_package())
        .map(|it| it.name())
        .collect();
    if !packages.is_empty() {
        // They are part of packages.
        manual = vec!["man", "completions"];
    }
    let epoch = epoch(&root)?;
    let binary = (!packages.is_empty() || arguments.check)
        .then(|| build(&root, arguments.target.as_deref()))
        .transpose()?;

    let mut command = tool(&root, "twinpath-manual", &[]);
    command
        .env("SOURCE_DATE_EPOCH", &epoch)
        .arg(&out)
        .args(manual);
    succeed(command)?;

    if let (Some(binary), false) = (&binary, packages.is_empty()) {
        let features = ["--no-default-features", "--features", "packages"];
        let mut command = tool(&root, "twinpath-packages", &features);
        command.arg("--binary").arg(binary).arg("--dist").arg(&out);
        command.args([
            "--epoch",
            &epoch,
            "--maintainer",
            &maintainer(&root, arguments)?,
        ]);
        command.args(packages);
        succeed(command)?;
    }
    if let (Some(binary), true) = (&binary, arguments.check) {
        check(&root, binary, arguments.target.as_deref())?;
    }
    Ok(())
}

/// A program of `packaging/`.
fn tool(root: &Path, name: &str, features: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root);
    command.args([
        "run",
        "--quiet",
        "--locked",
        "--package",
        "twinpath-packaging",
    ]);
    command.args(features).args(["--bin", name, "--"]);
    command
}

/// The program as packages have it: without symbols, and without the paths of this machine.
fn build(root: &Path, target: Option<&str>) -> Result<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let home = home.context("there is no home directory")?;
    let mut flags: Vec<String> = std::env::var("RUSTFLAGS")
        .unwrap_or_default()
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    for (from, to) in [(home.as_path(), "/cargo"), (root, "/twinpath")] {
        flags.push(format!("--remap-path-prefix={}={to}", from.display()));
    }
    let mut command = Command::new("cargo");
    command.current_dir(root);
    // Octet 31 is between the flags: a path may have blanks.
    command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    // Where it is built is known below.
    command.env("CARGO_TARGET_DIR", root.join("target"));
    let profile = ["--locked", "--profile", "packaged"];
    command.arg("rustc").args(profile);
    command.args(["--package", "twinpath", "--bin", "twinpath"]);
    let mut directory = root.join("target");
    if let Some(target) = target {
        command.args(["--target", target]);
        directory.push(target);
    }
    // `strip` of a profile has no effect where the profile says something of the package by itself.
    command.args(["--", "-Cstrip=symbols"]);
    succeed(command)?;
    Ok(directory.join("packaged/twinpath"))
}

/// Builds a clone of the commit elsewhere, and compares the programs.
fn check(root: &Path, binary: &Path, target: Option<&str>) -> Result<()> {
    let changed = git(root, &["status", "--porcelain", "--untracked-files=no"])?;
    ensure!(
        changed.is_empty(),
        "--check is of a commit: commit what has changed\n{changed}"
    );
    let clone = root.join("target/reproduced");
    if clone.exists() {
        std::fs::remove_dir_all(&clone).with_context(|| clone.display().to_string())?;
    }
    let mut command = Command::new("git");
    command.args(["clone", "--quiet"]).arg(root).arg(&clone);
    succeed(command)?;
    let other = build(&clone, target)?;
    let [one, other] = [binary, &other]
        .map(|path| std::fs::read(path).with_context(|| path.display().to_string()));
    let (one, other) = (one?, other?);
    if let Some(at) = one.iter().zip(&other).position(|(one, other)| one != other) {
        bail!(
            "the programs differ, first at octet {at}; the other one is in {}",
            clone.display()
        );
    }
    ensure!(
        one.len() == other.len(),
        "one program is longer than the other"
    );
    println!(
        "reproduced: {} octets, the same in another directory",
        one.len()
    );
    std::fs::remove_dir_all(&clone).with_context(|| clone.display().to_string())
}

/// The time of all that is made, in seconds since 1970: that of the commit, unless it is given.
fn epoch(root: &Path) -> Result<String> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(epoch) => Ok(epoch),
        Err(_) => {
            git(root, &["log", "-1", "--format=%ct"]).context("without git, set SOURCE_DATE_EPOCH")
        }
    }
}

fn maintainer(root: &Path, arguments: &Arguments) -> Result<String> {
    if let Some(maintainer) = &arguments.maintainer {
        return Ok(maintainer.clone());
    }
    if let (Ok(name), Ok(mail)) = (std::env::var("DEBFULLNAME"), std::env::var("DEBEMAIL")) {
        return Ok(format!("{name} <{mail}>"));
    }
    git(root, &["log", "-1", "--format=%an <%ae>"]).context("without git, give --maintainer")
}

/// What git prints.
fn git(root: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new("git")
        .current_dir(root)
        .args(arguments)
        .output();
    let output = output.context("cannot run git")?;
    ensure!(
        output.status.success(),
        "git: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn succeed(mut command: Command) -> Result<()> {
    let program = command.get_program().display().to_string();
    let status = command
        .status()
        .with_context(|| format!("cannot run {program}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}
