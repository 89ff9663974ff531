//! Statements of a YANG text (RFC 7950 section 6): keyword, argument, substatements.

use std::str::Chars;

/// Octets of a module's text, at most.
pub const MAX_TEXT: usize = 1 << 20;
/// Statements within statements, at most.
pub const MAX_DEPTH: usize = 64;
/// Columns of a tab (RFC 7950 section 6.1.3).
const TAB: usize = 8;

/// A statement with its substatements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Prefix of the module that defines the keyword; `None` for keywords of YANG.
    pub prefix: Option<Box<str>>,
    /// Keyword without its prefix.
    pub keyword: Box<str>,
    /// Argument, with quotes removed and parts joined.
    pub argument: Option<Box<str>>,
    /// Line of the keyword, from 1.
    pub line: usize,
    /// Substatements, in order.
    pub children: Vec<Statement>,
}

impl Statement {
    /// The argument; empty if the statement has no argument.
    pub fn arg(&self) -> &str {
        self.argument.as_deref().unwrap_or_default()
    }

    /// Whether this is the statement of YANG with this keyword.
    pub fn is(&self, keyword: &str) -> bool {
        self.prefix.is_none() && &*self.keyword == keyword
    }

    /// The first substatement with a keyword of YANG.
    pub fn find(&self, keyword: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.is(keyword))
    }

    /// All substatements with a keyword of YANG.
    pub fn all<'a>(&'a self, keyword: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.is(keyword))
    }

    /// The argument of the first substatement with a keyword of YANG.
    pub fn text(&self, keyword: &str) -> Option<&str> {
        self.find(keyword).map(Self::arg)
    }
}

/// Why a text is not YANG, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct SyntaxError {
    /// From 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

/// The one statement of a text: a module (RFC 7950 section 14).
///
/// # Errors
///
/// The first place that is not YANG, or exceeds [`MAX_TEXT`] or [`MAX_DEPTH`].
pub fn parse(text: &str) -> Result<Statement, SyntaxError> {
    let mut parser = Parser::of(text);
    if text.len() > MAX_TEXT {
        return Err(parser.fail("the text is longer than 1 MiB"));
    }
    parser.check_characters(text)?;
    parser.skip_blanks()?;
    let statement = parser.statement(0)?;
    parser.skip_blanks()?;
    if parser.peek().is_some() {
        return Err(parser.fail("text after the end of the module"));
    }
    if let Some((line, escape)) = parser.odd_escape
        && statement.text("yang-version") == Some("1.1")
    {
        let what = format!("\\{escape} in a double-quoted string: use \\n, \\t, \\\" or \\\\");
        return Err(SyntaxError { line, what });
    }
    Ok(statement)
}

struct Parser<'a> {
    left: Chars<'a>,
    line: usize,
    /// Of the next character, from 0.
    column: usize,
    /// The first escape that YANG 1.1 does not have: YANG 1 takes it as it is.
    odd_escape: Option<(usize, char)>,
}

impl<'a> Parser<'a> {
    fn of(text: &'a str) -> Self {
        Self {
            left: text.strip_prefix('\u{feff}').unwrap_or(text).chars(),
            line: 1,
            column: 0,
            odd_escape: None,
        }
    }

    fn fail(&self, what: impl Into<String>) -> SyntaxError {
        SyntaxError {
            line: self.line,
            what: what.into(),
        }
    }

    /// Characters that no YANG text has (`yang-char` in RFC 7950 section 14).
    fn check_characters(&self, text: &str) -> Result<(), SyntaxError> {
        let allowed = |c: char| {
            matches!(c, '\t' | '\n' | '\r' | ' '..)
                && u32::from(c) & 0xfffe != 0xfffe
                && c != '\u{7f}'
        };
        for (at, line) in text.split('\n').enumerate() {
            if let Some(c) = line.chars().find(|c| !allowed(*c)) {
                let what = format!("the character U+{:04X}", u32::from(c));
                return Err(SyntaxError {
                    line: self.line + at,
                    what,
                });
            }
        }
        Ok(())
    }

    fn peek(&self) -> Option<char> {
        self.left.clone().next()
    }

    fn comes(&self, text: &str) -> bool {
        self.left.as_str().starts_with(text)
    }

    fn take(&mut self) -> Option<char> {
        let c = self.left.next()?;
        match c {
            '\n' => {
                self.line += 1;
                self.column = 0;
            }
            '\t' => self.column += TAB,
            _ => self.column += 1,
        }
        Some(c)
    }

    /// White space and comments.
    fn skip_blanks(&mut self) -> Result<(), SyntaxError> {
        loop {
            if self.comes("//") {
                while self.peek().is_some_and(|c| c != '\n') {
                    self.take();
                }
            } else if self.comes("/*") {
                let opened = self.fail("a comment without its end: write */");
                self.take();
                self.take();
                while !self.comes("*/") {
                    self.take().ok_or_else(|| opened.clone())?;
                }
                self.take();
                self.take();
            } else if self.peek().is_some_and(is_blank) {
                self.take();
            } else {
                return Ok(());
            }
        }
    }

    fn statement(&mut self, depth: usize) -> Result<Statement, SyntaxError> {
        if depth >= MAX_DEPTH {
            return Err(self.fail(format!(
                "more than {MAX_DEPTH} statements within each other"
            )));
        }
        let line = self.line;
        let word = self.word()?;
        let (prefix, keyword) = match word.split_once(':') {
            Some((prefix, keyword)) => (Some(prefix), keyword),
            None => (None, word.as_str()),
        };
        if !is_identifier(keyword) || !prefix.is_none_or(is_identifier) {
            return Err(SyntaxError {
                line,
                what: format!("{word}: not a keyword"),
            });
        }
        self.skip_blanks()?;
        let argument = match self.peek() {
            Some(';' | '{') | None => None,
            Some(_) => Some(self.argument()?.into()),
        };
        Ok(Statement {
            prefix: prefix.map(Into::into),
            keyword: keyword.into(),
            argument,
            line,
            children: self.children(&word, depth)?,
        })
    }

    fn children(&mut self, of: &str, depth: usize) -> Result<Vec<Statement>, SyntaxError> {
        self.skip_blanks()?;
        let mut children = Vec::new();
        match self.take() {
            Some(';') => Ok(children),
            Some('{') => loop {
                self.skip_blanks()?;
                match self.peek() {
                    Some('}') => {
                        self.take();
                        return Ok(children);
                    }
                    Some(_) => children.push(self.statement(depth + 1)?),
                    None => return Err(self.fail(format!("{of} without its end: write }}"))),
                }
            },
            _ => Err(self.fail(format!("{of}: write ; or {{ after its argument"))),
        }
    }

    /// An unquoted string.
    fn word(&mut self) -> Result<String, SyntaxError> {
        let mut word = String::new();
        while let Some(c) = self.peek() {
            match c {
                ';' | '{' | '}' => break,
                '"' | '\'' => return Err(self.fail(format!("{word}{c}: a quote in a word"))),
                c if is_blank(c) || self.comes("//") || self.comes("/*") => break,
                c => word.push(c),
            }
            self.take();
        }
        if word.is_empty() {
            return Err(self.fail(match self.peek() {
                Some(c) => format!("{c}: write a keyword"),
                None => "the text ends where a keyword is expected".to_owned(),
            }));
        }
        Ok(word)
    }

    fn argument(&mut self) -> Result<String, SyntaxError> {
        if !matches!(self.peek(), Some('"' | '\'')) {
            return self.word();
        }
        let mut whole = String::new();
        loop {
            self.quoted(&mut whole)?;
            self.skip_blanks()?;
            if self.peek() != Some('+') {
                return Ok(whole);
            }
            self.take();
            self.skip_blanks()?;
        }
    }

    fn quoted(&mut self, whole: &mut String) -> Result<(), SyntaxError> {
        let opened = self.fail("a string without its closing quote");
        let quote = self.take();
        let indent = self.column;
        let mut raw = String::new();
        match quote {
            Some('\'') => loop {
                match self.take() {
                    Some('\'') => break,
                    Some(c) => raw.push(c),
                    None => return Err(opened),
                }
            },
            Some('"') => loop {
                match self.take() {
                    Some('"') => {
                        raw = self.unescape(&without_indent(&raw, indent), opened.line);
                        break;
                    }
                    Some('\\') => {
                        raw.push('\\');
                        raw.extend(self.take());
                    }
                    Some(c) => raw.push(c),
                    None => return Err(opened),
                }
            },
            _ => return Err(self.fail("write a quoted string after +")),
        }
        whole.push_str(&raw);
        Ok(())
    }

    fn unescape(&mut self, text: &str, line: usize) -> String {
        let mut plain = String::with_capacity(text.len());
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c != '\\' {
                plain.push(c);
                continue;
            }
            match chars.next() {
                Some('n') => plain.push('\n'),
                Some('t') => plain.push('\t'),
                Some(c @ ('"' | '\\')) => plain.push(c),
                Some(c) => {
                    self.odd_escape.get_or_insert((line, c));
                    plain.extend(['\\', c]);
                }
                None => plain.push('\\'),
            }
        }
        plain
    }
}

/// A double-quoted string without the blanks that only lay it out (RFC 7950 section 6.1.3): those before a line's end, and
/// those that begin a line, up to the column after the quote.
fn without_indent(raw: &str, indent: usize) -> String {
    let mut plain = String::with_capacity(raw.len());
    let mut lines = raw.split('\n').enumerate().peekable();
    while let Some((at, mut line)) = lines.next() {
        let mut stripped = 0;
        while at > 0 && stripped < indent {
            let columns = match line.chars().next() {
                Some(' ') => 1,
                Some('\t') => TAB,
                _ => break,
            };
            line = line.get(1..).unwrap_or_default();
            stripped += columns;
        }
        if at > 0 && stripped > indent {
            plain.push_str(&" ".repeat(stripped - indent));
        }
        if lines.peek().is_some() {
            plain.push_str(line.trim_end_matches([' ', '\t', '\r']));
            plain.push('\n');
        } else {
            plain.push_str(line);
        }
    }
    plain
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// Whether a text is an identifier (RFC 7950 section 6.2).
pub(crate) fn is_identifier(text: &str) -> bool {
    let mut chars = text.chars();
    let first = chars.next();
    first.is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

#[cfg(test)]
mod tests;
