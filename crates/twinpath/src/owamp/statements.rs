//! The lines that twampd's files have in common: `#` begins a comment line, a `\` at the end of a line joins the next.

use super::{Fault, MOST_STATEMENTS, Place};

/// Something in a file that is no comment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Statement {
    /// Its first line.
    pub(super) place: Place,
    /// Without blanks around, continuation lines joined.
    pub(super) text: String,
}

/// All statements of a file.
///
/// # Errors
/// A `\` within a line, or more statements than are read.
pub(super) fn statements(file: &str, text: &str) -> Result<Vec<Statement>, Fault> {
    let place = |line| Place {
        file: file.to_owned(),
        line,
    };
    let fault = |line, what: &str| Fault {
        place: place(line),
        what: what.to_owned(),
    };
    let mut found: Vec<Statement> = Vec::new();
    let mut is_continued = false;
    for (number, line) in (1..).zip(text.lines()) {
        let is_comment = !is_continued && line.trim_start().starts_with('#');
        let (line, continues) = match line.strip_suffix('\\') {
            Some(line) if !is_comment => (line, true),
            Some(_) | None => (line, false),
        };
        if is_comment || (!is_continued && !continues && line.trim().is_empty()) {
            continue;
        }
        if line.contains('\\') {
            return Err(fault(number, "a \\ is allowed at the end of a line only"));
        }
        if !is_continued {
            if found.len() == MOST_STATEMENTS {
                let what = format!("more than {MOST_STATEMENTS} statements: split the file");
                return Err(fault(number, &what));
            }
            found.push(Statement {
                place: place(number),
                text: String::new(),
            });
        }
        if let Some(statement) = found.last_mut() {
            statement.text.push_str(line);
        }
        is_continued = continues;
    }
    for statement in &mut found {
        statement.text = statement.text.trim().to_owned();
    }
    found.retain(|statement| !statement.text.is_empty());
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(usize, String)>, String> {
        let statements = statements("f", text).map_err(|fault| fault.to_string())?;
        let pair = |it: Statement| (it.place.line, it.text);
        Ok(statements.into_iter().map(pair).collect())
    }

    #[test]
    fn lines_are_joined_and_counted_and_comments_left_out() {
        let text = "# one \\\n\n  a b\n c\\\n  d\\\n\te  \r\n#x\nf";
        let read = read(text).unwrap();
        let expected = [(3, "a b"), (4, "c  d\te"), (8, "f")];
        assert_eq!(read, expected.map(|(line, text)| (line, text.to_owned())));
    }

    #[test]
    fn a_backslash_within_a_line_and_a_flood_of_lines_are_refused() {
        assert_eq!(
            read("a\nb \\ c").unwrap_err(),
            "f:2: a \\ is allowed at the end of a line only"
        );
        assert_eq!(read(&"a\n".repeat(4_096)).unwrap().len(), 4_096);
        let error = read(&"a\n".repeat(4_097)).unwrap_err();
        assert!(error.starts_with("f:4097: more than 4096"), "{error}");
        assert_eq!(read("a\\").unwrap(), [(1, "a".to_owned())]);
        assert_eq!(read("\\\n\\\n").unwrap(), []);
    }
}
