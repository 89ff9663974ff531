//! Commands on the pages for users are commands of this program.
#![cfg(all(
    feature = "control",
    feature = "live",
    feature = "pictures",
    feature = "report"
))]

use std::path::{Path, PathBuf};

use super::Cli;

/// README.md and the pages of docs/.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let docs = std::fs::read_dir(root.join("docs")).unwrap();
    let docs = docs.map(|entry| entry.unwrap().path());
    let docs = docs.filter(|path| path.extension().is_some_and(|end| end == "md"));
    std::iter::once(root.join("README.md"))
        .chain(docs)
        .collect()
}

/// The words of a line as a shell reads them: up to a comment, a pipe or a redirection, without quotes.
fn words(line: &str) -> Vec<String> {
    let words = line.split_whitespace();
    let words = words.take_while(|word| !word.starts_with(['#', '|', '>', '&', '<']));
    words.map(|word| word.replace(['\'', '"'], "")).collect()
}

#[test]
fn every_command_on_a_page_is_one() {
    let mut count = 0;
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        let blocks = text.split("```").skip(1).step_by(2);
        for line in blocks.flat_map(str::lines) {
            let line = line.strip_prefix("$ ").unwrap_or(line);
            let words = words(line);
            if words.first().is_none_or(|word| word != "twinpath") {
                continue;
            }
            count += 1;
            if let Err(error) = Cli::read(words) {
                panic!("{}: {line}: {error}", page.display());
            }
        }
    }
    assert!(count > 60, "{count}");
}
