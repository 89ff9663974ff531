//! Proves the tests: takes one effect at a time out of the code and looks for a test that fails.
//!
//! `xtask/removals.toml` has the list. Each entry names a piece of code, what takes its place, and
//! the tests that must notice. The work is done in a copy of the tree under `target/`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde::Deserialize;

const LIST: &str = "xtask/removals.toml";
const DOCUMENT: &str = "docs/testing.md";
const BEGIN: &str = "<!-- removals: written by `cargo xtask removals --write` -->";
const END: &str = "<!-- removals: end -->";
/// Tests named for one removal.
const SHOWN: usize = 2;
/// For one build and its tests.
const LIMIT: Duration = Duration::from_mins(15);

#[derive(Args)]
pub(crate) struct Arguments {
    /// Only the removals whose name contains one of these
    names: Vec<String>,
    /// Only check that each removal applies to the code as it is
    #[arg(long)]
    check: bool,
    /// Write the results into docs/testing.md, where those of removals that were not chosen stay
    #[arg(long)]
    write: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    removal: Vec<Removal>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Removal {
    name: String,
    /// What the program no longer does.
    what: String,
    file: PathBuf,
    /// Appears once in `file`.
    find: String,
    replace: String,
    /// `CRATE::PATH` (a part of the path is enough), the crate without `twinpath-`.
    tests: Vec<String>,
    /// Why no test can notice it, where none can.
    survives: Option<String>,
}

/// What came of one removal.
enum Outcome {
    /// The tests that failed.
    Noticed(Vec<String>),
    Survived,
    DoesNotBuild,
    TimedOut,
}

/// A copy of the tree in which code may be broken.
struct Copy {
    root: PathBuf,
    target: PathBuf,
}

pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    let list = read(root)?;
    for removal in &list {
        removal.applied(root)?;
    }
    println!("{} removals apply", list.len());
    if arguments.check {
        return Ok(());
    }
    let wanted = |removal: &&Removal| {
        arguments.names.is_empty()
            || arguments
                .names
                .iter()
                .any(|part| removal.name.contains(part))
    };
    let chosen: Vec<&Removal> = list.iter().filter(wanted).collect();
    ensure!(!chosen.is_empty(), "no removal has such a name");
    let copy = Copy::of(root)?;
    copy.must_pass(&chosen)?;
    let mut results = Vec::new();
    for removal in chosen {
        let outcome = copy.without(removal)?;
        println!("{:28} {}", removal.name, outcome.line());
        results.push((removal, outcome));
    }
    if arguments.write {
        write(root, &list, &results)?;
    }
    let unexplained: Vec<&str> = results
        .iter()
        .filter(|(removal, outcome)| {
            !matches!(outcome, Outcome::Noticed(_)) && removal.survives.is_none()
        })
        .map(|(removal, _)| removal.name.as_str())
        .collect();
    let noticed = results
        .iter()
        .filter(|(_, outcome)| matches!(outcome, Outcome::Noticed(_)))
        .count();
    println!("{noticed} of {} noticed", results.len());
    ensure!(
        unexplained.is_empty(),
        "no test noticed: {}",
        unexplained.join(", ")
    );
    Ok(())
}

fn read(root: &Path) -> Result<Vec<Removal>> {
    let text = fs::read_to_string(root.join(LIST)).context(LIST)?;
    let list: List = toml::from_str(&text).context(LIST)?;
    for (index, removal) in list.removal.iter().enumerate() {
        let again = list.removal.iter().take(index);
        ensure!(
            again.into_iter().all(|other| other.name != removal.name),
            "{}: the name is used twice",
            removal.name
        );
    }
    Ok(list.removal)
}

impl Removal {
    /// The file's text before and after.
    fn applied(&self, root: &Path) -> Result<(String, String)> {
        let text = fs::read_to_string(root.join(&self.file))
            .with_context(|| format!("{}: {}", self.name, self.file.display()))?;
        let times = text.matches(&self.find).count();
        ensure!(
            times == 1,
            "{}: its text stands {times} times in {}, not once",
            self.name,
            self.file.display()
        );
        let broken = text.replace(&self.find, &self.replace);
        ensure!(broken != text, "{}: it changes nothing", self.name);
        Ok((text, broken))
    }

    /// Its row of the table in the document.
    fn row(&self, outcome: &Outcome) -> String {
        match (outcome, &self.survives) {
            (Outcome::Noticed(tests), _) => {
                let named: Vec<String> = tests.iter().map(|test| format!("`{test}`")).collect();
                self.row_saying(&some(&named, "<br>"))
            }
            (_, Some(why)) => self.row_saying(&format!("no test: {why}")),
            (outcome, None) => self.row_saying(&outcome.line()),
        }
    }

    fn row_saying(&self, seen: &str) -> String {
        format!("| {} | {} | {seen} |", self.name, self.what)
    }
}

impl Outcome {
    fn line(&self) -> String {
        match self {
            Self::Noticed(tests) => format!("noticed by {}", some(tests, ", ")),
            Self::Survived => "NOT NOTICED".to_owned(),
            Self::DoesNotBuild => "DOES NOT BUILD".to_owned(),
            Self::TimedOut => "TIMED OUT".to_owned(),
        }
    }
}

impl Copy {
    /// All files that git knows, as they are in the working tree now.
    fn of(root: &Path) -> Result<Self> {
        let scratch = root.join("target/removals");
        let copy = Self {
            root: scratch.join("tree"),
            target: scratch.join("target"),
        };
        let listed = Command::new("git")
            .current_dir(root)
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ])
            .output()
            .context("git ls-files")?;
        ensure!(listed.status.success(), "git ls-files failed");
        let mut names = BTreeSet::new();
        for name in listed.stdout.split(|octet| *octet == 0) {
            let name = std::str::from_utf8(name)?;
            let from = root.join(name);
            if name.is_empty() || !from.is_file() {
                continue;
            }
            let to = copy.root.join(name);
            names.insert(to.clone());
            let octets = fs::read(&from)?;
            // What is the same keeps its time, so that little is built again.
            if fs::read(&to).is_ok_and(|there| there == octets) {
                continue;
            }
            fs::create_dir_all(to.parent().context("no directory")?)?;
            fs::write(&to, octets)?;
        }
        remove_others(&copy.root, &names)?;
        Ok(copy)
    }

    /// Every named test exists and passes in the unbroken tree.
    fn must_pass(&self, removals: &[&Removal]) -> Result<()> {
        let mut names: Vec<&str> = removals
            .iter()
            .flat_map(|removal| removal.tests.iter().map(String::as_str))
            .collect();
        names.sort_unstable();
        names.dedup();
        for (package, filters) in by_package(&names)? {
            let run = self.test(&package, &filters)?;
            let Some(run) = run else {
                bail!("{package}: the tests do not end in the unbroken tree")
            };
            ensure!(
                run.passes,
                "{package}: not green before anything is removed: {}",
                run.failed.join(", ")
            );
            for filter in filters {
                ensure!(
                    run.printed
                        .lines()
                        .any(|line| line.starts_with("test ") && line.contains(filter)),
                    "{package}: no test is named {filter}"
                );
            }
        }
        Ok(())
    }

    fn without(&self, removal: &Removal) -> Result<Outcome> {
        let (whole, broken) = removal.applied(&self.root)?;
        let path = self.root.join(&removal.file);
        fs::write(&path, broken)?;
        let outcome = self.outcome(removal);
        fs::write(&path, whole)?;
        outcome
    }

    fn outcome(&self, removal: &Removal) -> Result<Outcome> {
        let names: Vec<&str> = removal.tests.iter().map(String::as_str).collect();
        let mut failed = Vec::new();
        for (package, filters) in by_package(&names)? {
            let Some(run) = self.test(&package, &filters)? else {
                return Ok(Outcome::TimedOut);
            };
            if !run.passes && run.failed.is_empty() {
                return Ok(Outcome::DoesNotBuild);
            }
            let short = package.trim_start_matches("twinpath-").to_owned();
            failed.extend(run.failed.iter().map(|test| format!("{short}::{test}")));
        }
        Ok(if failed.is_empty() {
            Outcome::Survived
        } else {
            Outcome::Noticed(failed)
        })
    }

    /// Which test programs of a package have tests of these names, so that no others are linked.
    fn programs(&self, package: &str, filters: &[&str]) -> Vec<&'static str> {
        let package = self.root.join("crates").join(package);
        let has = |directory: &str, filter: &str| {
            let module = filter.split("::").next().unwrap_or(filter);
            let path = package.join(directory).join(module);
            path.is_dir() || path.with_extension("rs").is_file()
        };
        let (mut unit, mut integration) = (false, false);
        for filter in filters {
            let (in_src, in_it) = (has("src", filter), has("tests/it", filter));
            if !in_src && !in_it {
                return vec!["--tests"];
            }
            unit |= in_src;
            integration |= in_it;
        }
        let mut programs = Vec::new();
        if unit {
            programs.push("--lib");
        }
        if integration {
            programs.extend(["--test", "it"]);
        }
        programs
    }

    /// Runs tests of a package by parts of their names; `None` when they do not end in time.
    fn test(&self, package: &str, filters: &[&str]) -> Result<Option<Run>> {
        let output = self.target.join("output");
        fs::create_dir_all(&self.target)?;
        let mut child = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .current_dir(&self.root)
            .args(["test", "--locked", "--no-fail-fast", "--package", package])
            .args(self.programs(package, filters))
            .arg("--target-dir")
            .arg(&self.target)
            .arg("--")
            .args(filters)
            .stdin(Stdio::null())
            .stdout(fs::File::create(&output)?)
            .stderr(Stdio::null())
            .spawn()
            .context("cannot run cargo")?;
        let until = Instant::now() + LIMIT;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if Instant::now() > until {
                child.kill()?;
                child.wait()?;
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(100));
        };
        let printed = String::from_utf8_lossy(&fs::read(&output)?).into_owned();
        let failed = printed
            .lines()
            .filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"))
            .map(str::to_owned)
            .collect();
        Ok(Some(Run {
            passes: status.success(),
            failed,
            printed,
        }))
    }
}

/// Removes what an earlier copy had in this directory and the tree has no more: a module that moved would
/// be there twice.
fn remove_others(directory: &Path, names: &BTreeSet<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            remove_others(&path, names)?;
        } else if !names.contains(&path) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// The first few of them, and how many more.
fn some(tests: &[String], between: &str) -> String {
    let shown = tests.get(..SHOWN.min(tests.len())).unwrap_or_default();
    let more = tests.len() - shown.len();
    let rest = if more == 0 {
        String::new()
    } else {
        format!("{between}and {more} more")
    };
    format!("{}{rest}", shown.join(between))
}

/// One run of tests.
struct Run {
    passes: bool,
    failed: Vec<String>,
    printed: String,
}

/// The packages that these tests are in, each with its filters.
fn by_package<'a>(names: &[&'a str]) -> Result<Vec<(String, Vec<&'a str>)>> {
    let mut packages: Vec<(String, Vec<&str>)> = Vec::new();
    for name in names {
        let (start, filter) = name
            .split_once("::")
            .with_context(|| format!("{name}: not CRATE::PATH"))?;
        let package = match start {
            "twinpath" | "xtask" => start.to_owned(),
            short => format!("twinpath-{short}"),
        };
        match packages.iter_mut().find(|(known, _)| *known == package) {
            Some((_, filters)) => filters.push(filter),
            None => packages.push((package, vec![filter])),
        }
    }
    Ok(packages)
}

/// Puts the results into the table; removals that were not chosen keep their rows.
fn write(root: &Path, list: &[Removal], results: &[(&Removal, Outcome)]) -> Result<()> {
    let path = root.join(DOCUMENT);
    let text = fs::read_to_string(&path).context(DOCUMENT)?;
    let (before, rest) = text
        .split_once(BEGIN)
        .context("docs/testing.md has no place for it")?;
    let (earlier, after) = rest
        .split_once(END)
        .context("docs/testing.md has no place for it")?;
    let mut table = String::from("| removal | what it takes away | noticed by |\n|---|---|---|\n");
    for removal in list {
        let result = results
            .iter()
            .find(|(chosen, _)| chosen.name == removal.name);
        let row = match result {
            Some((_, outcome)) => removal.row(outcome),
            None => earlier
                .lines()
                .find(|line| line.starts_with(&format!("| {} | ", removal.name)))
                .map_or_else(|| removal.row_saying("not tried yet"), str::to_owned),
        };
        writeln!(table, "{row}")?;
    }
    fs::write(&path, format!("{before}{BEGIN}\n\n{table}\n{END}{after}"))?;
    Ok(())
}
