//! The parts of the text behind a command's options: examples, signals, exit status, notes.

/// What `--help` has behind the options, in parts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct AfterHelp {
    pub(crate) examples: Vec<Example>,
    /// What each exit status means, as `("0", "measured")`.
    pub(crate) exit: Vec<(String, String)>,
    pub(crate) signals: Option<String>,
    /// The lines of each other paragraph.
    pub(crate) notes: Vec<Vec<String>>,
}

/// A command line, and what it does where that is not plain.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Example {
    pub(crate) line: String,
    pub(crate) comment: Option<String>,
}

impl AfterHelp {
    pub(crate) fn of(text: &str) -> Self {
        let mut parts = Self::default();
        for paragraph in text.split("\n\n") {
            let joined = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
            if let Some(lines) = paragraph.strip_prefix("Examples:\n") {
                parts.examples = examples(lines);
            } else if let Some(statuses) = joined.strip_prefix("Exit status: ") {
                parts.exit = exit_statuses(statuses);
            } else if joined.starts_with("On SIG") {
                parts.signals = Some(joined);
            } else if !joined.is_empty() {
                parts
                    .notes
                    .push(paragraph.lines().map(str::to_owned).collect());
            }
        }
        parts
    }
}

/// Comments stand in one column, which the first line shows.
fn examples(lines: &str) -> Vec<Example> {
    let mut lines = lines.lines().map(str::trim_start).peekable();
    let column = lines.peek().and_then(|first| {
        let gap = first.find("  ")?;
        let comment = first.get(gap..)?.trim_start();
        Some(first.len() - comment.len())
    });
    let example = |line: &str| {
        let parts = column.and_then(|column| line.split_at_checked(column));
        match parts {
            Some((line, comment))
                if line.ends_with(' ') && comment.starts_with(|c: char| c.is_alphanumeric()) =>
            {
                Example {
                    line: line.trim_end().to_owned(),
                    comment: Some(comment.trim_end().to_owned()),
                }
            }
            _ => Example {
                line: line.trim_end().to_owned(),
                comment: None,
            },
        }
    };
    lines.map(example).collect()
}

/// Of `0 measured, 1 not measured, 2 bad usage`.
fn exit_statuses(text: &str) -> Vec<(String, String)> {
    let mut statuses: Vec<(String, String)> = Vec::new();
    for part in text.split(", ") {
        match (part.split_once(' '), statuses.last_mut()) {
            (Some((status, meaning)), _) if status.parse::<u8>().is_ok() => {
                statuses.push((status.to_owned(), meaning.to_owned()));
            }
            (_, Some((_, meaning))) => {
                meaning.push_str(", ");
                meaning.push_str(part);
            }
            (_, None) => {}
        }
    }
    statuses
}

#[cfg(test)]
mod tests {
    use super::{AfterHelp, Example};

    #[test]
    fn what_follows_the_options_is_taken_apart() {
        let parts = AfterHelp::of(
            "Examples:\n  twinpath a 1   what it is\n  twinpath a -22 and more\n  twinpath a --much longer\n\n\
             On SIGINT it\nends\n\nIt says:\n  this\n\nExit status: 0 good, 1 bad (by name,\nor address), 2 worse",
        );
        let example = |line: &str, comment: Option<&str>| Example {
            line: line.to_owned(),
            comment: comment.map(str::to_owned),
        };
        assert_eq!(
            parts.examples,
            [
                example("twinpath a 1", Some("what it is")),
                example("twinpath a -22", Some("and more")),
                example("twinpath a --much longer", None),
            ]
        );
        let exit = [
            ("0", "good"),
            ("1", "bad (by name, or address)"),
            ("2", "worse"),
        ];
        assert_eq!(
            parts.exit,
            exit.map(|(status, meaning)| (status.to_owned(), meaning.to_owned()))
        );
        assert_eq!(parts.signals.as_deref(), Some("On SIGINT it ends"));
        assert_eq!(parts.notes, [["It says:", "  this"]]);
    }
}
