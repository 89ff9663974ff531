//! `cargo xtask publish`: whether the crates can be published, in which order, and whether all that they are built with
//! has a licence that `deny.toml` allows.

mod licences;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

/// The part of `cargo metadata` that is read here.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
}

#[derive(Clone, Default, Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    description: Option<String>,
    license: Option<String>,
    readme: Option<PathBuf>,
    repository: Option<String>,
    #[serde(default)]
    keywords: Vec<String>,
    #[serde(default)]
    categories: Vec<String>,
    /// The registries that it may go to; an empty list: it is not published.
    publish: Option<Vec<String>>,
    #[serde(default)]
    dependencies: Vec<Dependency>,
    manifest_path: PathBuf,
}

#[derive(Clone, Deserialize)]
struct Dependency {
    name: String,
    req: String,
    kind: Option<String>,
    path: Option<PathBuf>,
}

impl Package {
    fn is_published(&self) -> bool {
        self.publish
            .as_ref()
            .is_none_or(|registries| !registries.is_empty())
    }

    /// Crates of this repository that have to be there before it.
    fn needs(&self) -> impl Iterator<Item = &Dependency> {
        let of_users = |dependency: &&Dependency| dependency.kind.as_deref() != Some("dev");
        let here = self
            .dependencies
            .iter()
            .filter(|dependency| dependency.path.is_some());
        here.filter(of_users)
    }
}

/// Prints the order of the crates, and a line for each fault.
///
/// # Errors
/// When there is a fault, or cargo cannot be asked.
pub(crate) fn run(root: &Path) -> Result<()> {
    let metadata = metadata(root)?;
    let is_member = |package: &&Package| metadata.workspace_members.contains(&package.id);
    let members: Vec<Package> = metadata
        .packages
        .iter()
        .filter(is_member)
        .cloned()
        .collect();
    let mut faults = Vec::new();
    let order = order(&members)?;
    println!("in this order:");
    for package in &order {
        println!("  cargo publish -p {}", package.name);
        faults.extend(missing(package, &members));
        faults.extend(left_out(root, package)?);
    }
    if order.iter().any(|package| package.repository.is_none()) {
        println!("note: no repository in Cargo.toml: crates.io will show none");
    }
    let allowed = licences::allowed(root)?;
    let others = metadata
        .packages
        .iter()
        .filter(|package| !is_member(package));
    let mut count = 0;
    for package in others {
        count += 1;
        let expression = package.license.as_deref().unwrap_or_default();
        if !licences::permits(expression, &allowed) {
            let Package { name, version, .. } = package;
            faults.push(format!(
                "{name} {version}: deny.toml does not allow \"{expression}\""
            ));
        }
    }
    for fault in &faults {
        println!("{fault}");
    }
    ensure!(faults.is_empty(), "{} faults", faults.len());
    println!("nothing is missing; the licences of {count} other crates are allowed");
    Ok(())
}

/// Of crates for all systems or, where some of them are neither here nor to be had, for this one.
fn metadata(root: &Path) -> Result<Metadata> {
    let all = cargo(root, &["metadata", "--locked", "--format-version", "1"]);
    let text = all.or_else(|error| {
        println!("note: only what is linked on this host is looked at: {error:#}");
        let host = cargo(
            root,
            &["rustc", "--quiet", "-p", "xtask", "--print", "host-tuple"],
        )?;
        let one = [
            "metadata",
            "--locked",
            "--offline",
            "--format-version",
            "1",
            "--filter-platform",
        ];
        cargo(root, &[&one[..], &[host.trim()]].concat())
    })?;
    serde_json::from_str(&text).context("cargo metadata")
}

fn cargo(root: &Path, arguments: &[&str]) -> Result<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(arguments)
        .current_dir(root)
        .output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().last().unwrap_or_default().trim().to_owned();
        bail!("cargo {}: {last}", arguments.first().unwrap_or(&""));
    }
    String::from_utf8(output.stdout).context("what cargo prints")
}

/// Those that are published, each after all that it needs.
fn order(members: &[Package]) -> Result<Vec<&Package>> {
    let mut left: Vec<&Package> = members
        .iter()
        .filter(|package| package.is_published())
        .collect();
    left.sort_by(|one, other| one.name.cmp(&other.name));
    let names: BTreeSet<&str> = left.iter().map(|package| package.name.as_str()).collect();
    let mut order: Vec<&Package> = Vec::new();
    while !left.is_empty() {
        let is_there = |need: &Dependency| {
            !names.contains(need.name.as_str()) || order.iter().any(|done| done.name == need.name)
        };
        let Some(next) = left
            .iter()
            .position(|package| package.needs().all(is_there))
        else {
            bail!(
                "crates need each other: {}",
                left.iter()
                    .map(|it| it.name.as_str())
                    .collect::<Vec<_>>()
                    .join(", ")
            );
        };
        order.push(left.remove(next));
    }
    Ok(order)
}

/// What crates.io requires of a crate, and what its page shows.
fn missing(package: &Package, members: &[Package]) -> Vec<String> {
    let name = &package.name;
    let has_text = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let directory = package.manifest_path.parent().unwrap_or(Path::new(""));
    let readme = package
        .readme
        .as_ref()
        .is_some_and(|readme| directory.join(readme).is_file());
    let mut faults = Vec::new();
    for (is_there, what) in [
        (has_text(&package.description), "no description"),
        (has_text(&package.license), "no license"),
        (readme, "no readme, or not the file that it names"),
        (!package.categories.is_empty(), "no categories"),
        (
            matches!(package.keywords.len(), 1..=5),
            "not one to five keywords",
        ),
        (
            package.keywords.iter().all(|word| word.len() <= 20),
            "a keyword of more than 20 characters",
        ),
    ] {
        if !is_there {
            faults.push(format!("{name}: {what}"));
        }
    }
    for need in package.needs() {
        let Some(needed) = members.iter().find(|member| member.name == need.name) else {
            faults.push(format!("{name}: {} is not in the workspace", need.name));
            continue;
        };
        if !needed.is_published() {
            faults.push(format!(
                "{name}: it needs {}, which is not published",
                need.name
            ));
        }
        if need.req != format!("^{}", needed.version) {
            let Package {
                name: other,
                version,
                ..
            } = needed;
            faults.push(format!(
                "{name}: {other} {version} is needed by \"{}\"",
                need.req
            ));
        }
    }
    faults
}

/// What its package lacks, or has and cannot use.
fn left_out(root: &Path, package: &Package) -> Result<Vec<String>> {
    let name = package.name.as_str();
    let list = cargo(
        root,
        &[
            "package",
            "--list",
            "--allow-dirty",
            "--offline",
            "-p",
            name,
        ],
    )?;
    let files: BTreeSet<&str> = list.lines().collect();
    let needed = ["Cargo.toml", "LICENSE", "README.md", "src/lib.rs"];
    let lacks = needed.into_iter().filter(|file| !files.contains(file));
    let mut faults: Vec<String> = lacks
        .map(|file| format!("{name}: no {file} in its package"))
        .collect();
    // They read captures and recipes of the repository.
    if files.iter().any(|file| file.starts_with("tests/")) {
        faults.push(format!(
            "{name}: tests in its package, which need the repository"
        ));
    }
    Ok(faults)
}
