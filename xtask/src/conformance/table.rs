//! The document as rows, and what can be said of it without the tree.

use std::collections::{BTreeMap, BTreeSet};

use super::Fault;

const STATUSES: [&str; 4] = ["held", "partly", "not yet", "not planned"];
/// Crates by the names that tests have here: `twinpath-` left out.
const CRATES: [&str; 9] = [
    "fuzz", "metrics", "net", "proto", "report", "runtime", "twinpath", "wire", "yang",
];

/// How many rows have each status, in the order of [`STATUSES`].
type Counts = [usize; 4];

/// A requirement.
pub(super) struct Row {
    line: usize,
    id: String,
    status: String,
    /// The tests that hold it.
    tests: Vec<String>,
    /// What else the last column says.
    words: Vec<String>,
}

/// A line of the summary.
struct Sum {
    line: usize,
    part: String,
    /// What is in brackets behind the part's name, with which its IDs begin.
    prefix: Option<String>,
    counts: Counts,
}

/// The whole document.
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
    /// Tests and modules that the heading names.
    pub(super) mentioned: Vec<(usize, String)>,
    sums: Vec<Sum>,
}

impl Table {
    /// Reads the document; what cannot be read is a fault.
    pub(super) fn parse(text: &str) -> (Self, Vec<Fault>) {
        let (mut rows, mut mentioned, mut sums) = (Vec::new(), Vec::new(), Vec::new());
        let mut faults = Vec::new();
        let mut section = None;
        for (line, text) in (1..).zip(text.lines()) {
            if let Some(title) = text.strip_prefix("## ") {
                section = Some(in_brackets(title));
            }
            let Some(cells) = cells(text) else {
                let quoted = text.split('`').skip(1).step_by(2);
                let names = quoted.filter(|name| is_name(name) && !name.ends_with("::NAME"));
                mentioned.extend(names.map(|name| (line, name.to_owned())));
                continue;
            };
            let fault = |what: String| Fault { line, what };
            match (cells.as_slice(), &section) {
                ([first, ..], _) if is_rule(first) || ["ID", "part", "status"].contains(first) => {}
                ([part, counts @ ..], None) if counts.len() == STATUSES.len() => {
                    match sum(line, part, counts) {
                        Some(sum) => sums.push(sum),
                        None => faults.push(fault(format!("{part}: a count is not a number"))),
                    }
                }
                ([_status, _meaning], None) => {}
                ([id, _requirement, status, holds], Some(prefix)) => {
                    let row = row(line, id, status, holds);
                    if prefix.is_none() || prefix.as_deref() != prefix_of(id) {
                        faults.push(fault(format!("{id}: not an ID of its section")));
                    }
                    rows.push(row);
                }
                (cells, _) => faults.push(fault(format!(
                    "a row of {} columns, which no table here has",
                    cells.len()
                ))),
            }
        }
        let table = Self {
            rows,
            mentioned,
            sums,
        };
        (table, faults)
    }

    /// What is wrong with it in itself.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut seen = BTreeSet::new();
        for row in &self.rows {
            let mut fault = |what: &str| {
                faults.push(Fault {
                    line: row.line,
                    what: format!("{}: {what}", row.id),
                });
            };
            if !seen.insert(&row.id) {
                fault("the ID is used twice");
            }
            let words = !row.words.is_empty();
            match row.status.as_str() {
                "held" if row.tests.is_empty() => fault("held, but names no test"),
                "held" if row.words.iter().any(|words| words.contains("no test")) => {
                    fault("held, but says \"no test\"");
                }
                "partly" if !words => fault("partly, but does not say what is missing"),
                "not yet" | "not planned" if !words => fault("does not say why"),
                status if !STATUSES.contains(&status) => {
                    fault(&format!("\"{status}\" is not a status"));
                }
                _ => {}
            }
            let distinct: BTreeSet<_> = row.tests.iter().collect();
            if distinct.len() < row.tests.len() {
                fault("names a test twice");
            }
        }
        faults.extend(self.sum_faults());
        faults
    }

    fn sum_faults(&self) -> Vec<Fault> {
        let mut counted: BTreeMap<&str, Counts> = BTreeMap::new();
        let mut all = Counts::default();
        for row in &self.rows {
            let counts = counted.entry(prefix_of(&row.id).unwrap_or("")).or_default();
            let status = STATUSES.iter().position(|status| *status == row.status);
            let cells = counts.iter_mut().zip(&mut all).enumerate();
            for (_, (part, all)) in cells.filter(|(at, _)| Some(*at) == status) {
                *part += 1;
                *all += 1;
            }
        }
        let mut faults = Vec::new();
        let mut total = false;
        for sum in &self.sums {
            let right = if let Some(prefix) = &sum.prefix {
                counted.remove(prefix.as_str()).unwrap_or_default()
            } else {
                total = true;
                all
            };
            if sum.counts != right {
                faults.push(Fault {
                    line: sum.line,
                    what: format!(
                        "{}: {} in the summary, {} in the rows",
                        sum.part,
                        join(&sum.counts),
                        join(&right)
                    ),
                });
            }
        }
        let missing = counted.keys().map(|prefix| format!("no line for {prefix}"));
        let missing = missing.chain((!total).then(|| "no line for all".to_owned()));
        faults.extend(missing.map(|what| Fault {
            line: 1,
            what: format!("the summary has {what}"),
        }));
        faults
    }

    /// The tests that rows name, each with its line.
    pub(super) fn names(&self) -> impl Iterator<Item = (usize, &str)> {
        self.rows.iter().flat_map(|row| {
            let tests = row.tests.iter();
            tests.map(|test| (row.line, test.as_str()))
        })
    }

    /// How many different tests rows name.
    pub(super) fn tests(&self) -> usize {
        self.names()
            .map(|(_, name)| name)
            .collect::<BTreeSet<_>>()
            .len()
    }
}

fn row(line: usize, id: &str, status: &str, holds: &str) -> Row {
    let parts = holds.split("<br>").map(str::trim);
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    let test = |part: &str| {
        let name = part.strip_prefix('`')?.strip_suffix('`')?;
        is_name(name).then(|| name.to_owned())
    };
    Row {
        line,
        id: id.to_owned(),
        status: status.to_owned(),
        tests: parts.iter().filter_map(|part| test(part)).collect(),
        words: parts
            .iter()
            .filter(|part| test(part).is_none())
            .map(|part| (*part).to_owned())
            .collect(),
    }
}

fn sum(line: usize, part: &str, cells: &[&str]) -> Option<Sum> {
    let mut counts = Counts::default();
    for (count, cell) in counts.iter_mut().zip(cells) {
        *count = cell.parse().ok()?;
    }
    Some(Sum {
        line,
        part: part.to_owned(),
        prefix: in_brackets(part),
        counts,
    })
}

/// The cells of a row; `None` where the line is not one.
fn cells(text: &str) -> Option<Vec<&str>> {
    let inner = text.strip_prefix('|')?.trim_end().strip_suffix('|')?;
    Some(inner.split('|').map(str::trim).collect())
}

fn is_rule(cell: &str) -> bool {
    cell.starts_with("---")
}

/// Whether these are a crate's name and a path in it.
fn is_name(text: &str) -> bool {
    let known = |(first, _): (&str, &str)| CRATES.contains(&first);
    text.split_once("::").is_some_and(known)
}

fn in_brackets(title: &str) -> Option<String> {
    let (_, prefix) = title.trim_end().strip_suffix(')')?.rsplit_once('(')?;
    Some(prefix.to_owned())
}

fn prefix_of(id: &str) -> Option<&str> {
    let (prefix, number) = id.split_once('-')?;
    number.parse::<u32>().is_ok().then_some(prefix)
}

fn join(counts: &Counts) -> String {
    counts.map(|count| count.to_string()).join(", ")
}
