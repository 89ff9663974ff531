//! Whether another build prints the same documents: JSON is a contract, and its keys and their order
//! are kept.
//!
//! `--before` is a program that is known to be right. It saves runs of every kind here; then it and
//! the other read these files, and the captures of `testdata/`, in every form, and what they print is
//! compared. Keys that only the other has are additions: they come last in their object. Sentences
//! (`line`) may differ.

mod document;
mod runs;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::process::Scratch;
use crate::tool::Tool;

/// Differences that are shown of one document.
const SHOWN: usize = 5;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The program whose documents are right
    #[arg(long)]
    before: PathBuf,
    /// The program to compare, instead of this workspace's release build
    #[arg(long)]
    after: Option<PathBuf>,
    /// Keep the files of the runs in this directory, and use those that are there
    #[arg(long)]
    files: Option<PathBuf>,
}

/// How a file is read: options of `report`.
const FORMS: [&str; 9] = [
    "--json",
    "--json --voice g729a --jitter-buffer 60 --percentiles-with-loss --bins auto",
    "--json --reflector stateless --loss-noticeable 3 --unavailable 10%/2/100ms",
    "--json --reflector stateful --bins 10us,20us,50us,100us,1ms",
    "--json --report-interval 200ms",
    "--json --merge --label site=here",
    "--output csv",
    "--output jsonl",
    "--output csv --report-interval 200ms",
];

pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    crate::interrupt::watch()?;
    let before = Tool::find(Some(&arguments.before))?;
    let after = Tool::find(arguments.after.as_deref())?;
    let scratch = Scratch::create()?;
    let directory = match &arguments.files {
        Some(directory) => directory.clone(),
        None => scratch.name("files"),
    };
    std::fs::create_dir_all(&directory).with_context(|| directory.display().to_string())?;
    let mut files = runs::saved(&before, &scratch, &directory)?;
    files.extend(runs::torn(&directory, &files)?);
    files.extend(runs::kept(root)?);
    let (mut compared, mut different) = (0, 0);
    for question in questions(&files) {
        crate::interrupt::check()?;
        let answers = [&before, &after].map(|tool| ask(tool.binary(), &question));
        let [was, is] = answers;
        let differences = document::differences(&was?, &is?);
        compared += 1;
        if differences.is_empty() {
            continue;
        }
        different += 1;
        println!("{}", question.join(" "));
        for difference in differences.iter().take(SHOWN) {
            println!("  {difference}");
        }
        if let Some(more @ 1..) = differences.len().checked_sub(SHOWN) {
            println!("  and {more} more");
        }
    }
    println!(
        "{compared} documents of {} files, {different} different",
        files.len()
    );
    ensure!(different == 0, "the documents are not the same");
    Ok(())
}

/// The arguments of each reading: every file in every form, and neighbours compared.
fn questions(files: &[PathBuf]) -> Vec<Vec<String>> {
    let words = |options: &str, files: &[&PathBuf]| -> Vec<String> {
        let options = options.split_ascii_whitespace().map(str::to_owned);
        let files = files.iter().map(|file| file.display().to_string());
        std::iter::once("report".to_owned())
            .chain(options)
            .chain(files)
            .collect()
    };
    let mut questions = Vec::new();
    for file in files {
        questions.extend(FORMS.iter().map(|form| words(form, &[file])));
    }
    for (first, second) in files.iter().zip(files.iter().skip(1)) {
        questions.push(words("--compare --json", &[first, second]));
        questions.push(words("--merge --json", &[first, second]));
    }
    questions
}

/// What a program printed and its exit status.
fn ask(binary: &Path, arguments: &[String]) -> Result<(String, Option<i32>)> {
    let output = Command::new(binary)
        .args(arguments)
        .output()
        .with_context(|| binary.display().to_string())?;
    let printed = String::from_utf8(output.stdout).context("not UTF-8")?;
    Ok((printed, output.status.code()))
}
