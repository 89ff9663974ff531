//! Marks on a plane, as the elements of an SVG. All text from outside is escaped here.

use std::fmt::Write as _;

use super::num;

/// The sizes of letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// The picture's title.
    Title,
    /// A chart's or a session's name.
    Heading,
    /// All else.
    Plain,
}

impl Size {
    /// Height of a letter's box in pixels: the style sheet says the same.
    pub(super) const fn px(self) -> f64 {
        match self {
            Self::Title => 19.0,
            Self::Heading => 14.0,
            Self::Plain => 12.0,
        }
    }
}

/// Which end of a text its position is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A rectangle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Area {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Area {
    pub(super) fn right(self) -> f64 {
        self.x + self.width
    }

    pub(super) fn bottom(self) -> f64 {
        self.y + self.height
    }
}

/// A text to be placed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Label<'a> {
    pub(super) x: f64,
    /// Of its base line.
    pub(super) y: f64,
    pub(super) anchor: Anchor,
    pub(super) size: Size,
    /// Further classes of the style sheet.
    pub(super) class: &'static str,
    pub(super) text: &'a str,
}

/// What has been drawn so far.
#[derive(Debug)]
pub(super) struct Canvas {
    body: String,
    /// Prefix of the names of its elements, because a page may contain several.
    prefix: String,
    width: f64,
    margin: f64,
}

impl Canvas {
    pub(super) fn new(prefix: impl Into<String>, width: f64) -> Self {
        Self {
            body: String::new(),
            prefix: prefix.into(),
            width,
            margin: 0.0,
        }
    }

    /// With a margin around everything drawn.
    pub(super) fn framed(self, margin: f64) -> Self {
        Self { margin, ..self }
    }

    pub(super) fn width(&self) -> f64 {
        self.width
    }

    pub(super) fn rect(&mut self, area: Area, class: &str) {
        self.open_rect(area, class);
        self.body.push_str("/>\n");
    }

    /// A rectangle in one of the two patterns.
    pub(super) fn hatched(&mut self, area: Area, pattern: &str) {
        let (x, y) = (px(area.x), px(area.y));
        let (width, height) = (px(area.width.max(0.0)), px(area.height.max(0.0)));
        let prefix = &self.prefix;
        let _ = writeln!(
            self.body,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"url(#{prefix}-{pattern})\"/>"
        );
    }

    /// An invisible area with a tooltip.
    pub(super) fn hover(&mut self, area: Area, text: &str) {
        self.open_rect(area, "hit");
        let _ = writeln!(self.body, "><title>{}</title></rect>", escaped(text));
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        let _ = writeln!(
            self.body,
            "<path class=\"{class}\" d=\"M{} {}L{} {}\"/>",
            px(from.0),
            px(from.1),
            px(to.0),
            px(to.1)
        );
    }

    pub(super) fn path(&mut self, path: &Path, class: &str) {
        if !path.0.is_empty() {
            let _ = writeln!(self.body, "<path class=\"{class}\" d=\"{}\"/>", path.0);
        }
    }

    pub(super) fn dot(&mut self, x: f64, y: f64, class: &str) {
        let _ = writeln!(
            self.body,
            "<circle class=\"{class}\" cx=\"{}\" cy=\"{}\" r=\"3.5\"/>",
            px(x),
            px(y)
        );
    }

    pub(super) fn text(&mut self, label: Label<'_>) {
        let anchor = match label.anchor {
            Anchor::Start => "",
            Anchor::Middle => " tm",
            Anchor::End => " te",
        };
        let size = match label.size {
            Size::Title => "t1",
            Size::Heading => "t2",
            Size::Plain => "t3",
        };
        let space = if label.class.is_empty() { "" } else { " " };
        let _ = writeln!(
            self.body,
            "<text class=\"{size}{anchor}{space}{}\" x=\"{}\" y=\"{}\">{}</text>",
            label.class,
            px(label.x),
            px(label.y),
            escaped(label.text)
        );
    }

    /// The complete picture as an element. `style`: its own style sheet, if no surrounding page has
    /// one.
    pub(super) fn finish(self, height: f64, title: &str, about: &str, style: &str) -> String {
        let (prefix, margin) = (&self.prefix, px(self.margin));
        let width = px(self.width + 2.0 * self.margin);
        let height = px(height + 2.0 * self.margin);
        let (title, about) = (escaped(title), escaped(about));
        let style = if style.is_empty() {
            String::new()
        } else {
            format!("<style>\n{style}</style>\n")
        };
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"tp\" role=\"img\" \
             aria-labelledby=\"{prefix}-title {prefix}-desc\" width=\"{width}\" \
             height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
             <title id=\"{prefix}-title\">{title}</title>\n\
             <desc id=\"{prefix}-desc\">{about}</desc>\n\
             {style}\
             {}\
             <rect class=\"bg\" width=\"{width}\" height=\"{height}\"/>\n\
             <g transform=\"translate({margin} {margin})\">\n{}</g>\n</svg>\n",
            patterns(prefix),
            self.body
        )
    }

    /// The same as a small element that is stretched to the place it has, with the patterns of another
    /// one: see [`patterns`].
    pub(super) fn stretched(self, height: f64) -> String {
        let (width, height, body) = (px(self.width), px(height), self.body);
        format!(
            "<svg class=\"tp small\" viewBox=\"0 0 {width} {height}\" preserveAspectRatio=\"none\" \
             aria-hidden=\"true\">\n{body}</svg>\n"
        )
    }

    fn open_rect(&mut self, area: Area, class: &str) {
        let (x, y) = (px(area.x), px(area.y));
        let (width, height) = (px(area.width.max(0.0)), px(area.height.max(0.0)));
        let _ = write!(
            self.body,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\""
        );
    }
}

/// The definitions of the patterns of a canvas with this prefix.
pub(super) fn patterns(prefix: &str) -> String {
    format!(
        "<defs>\n\
         <pattern id=\"{prefix}-absent\" width=\"8\" height=\"8\" \
         patternUnits=\"userSpaceOnUse\"><rect class=\"absent\" width=\"8\" \
         height=\"8\"/><path class=\"absent-line\" d=\"M-2 2L2 -2M-2 10L10 -2M6 10L10 6\"/>\
         </pattern>\n\
         <pattern id=\"{prefix}-unknown\" width=\"6\" height=\"6\" \
         patternUnits=\"userSpaceOnUse\"><circle class=\"unknown\" cx=\"3\" \
         cy=\"3\" r=\"1\"/></pattern>\n\
         <pattern id=\"{prefix}-silence\" width=\"6\" height=\"6\" \
         patternUnits=\"userSpaceOnUse\"><rect class=\"silence\" width=\"6\" \
         height=\"6\"/><path class=\"silence-line\" d=\"M0 3H6\"/></pattern>\n\
         </defs>\n"
    )
}

/// The outline of a shape.
#[derive(Debug, Default)]
pub(super) struct Path(String);

impl Path {
    pub(super) fn move_to(&mut self, x: f64, y: f64) {
        let _ = write!(self.0, "M{} {}", px(x), px(y));
    }

    pub(super) fn line_to(&mut self, x: f64, y: f64) {
        let _ = write!(self.0, "L{} {}", px(x), px(y));
    }

    pub(super) fn across_to(&mut self, x: f64) {
        let _ = write!(self.0, "H{}", px(x));
    }

    pub(super) fn down_to(&mut self, y: f64) {
        let _ = write!(self.0, "V{}", px(y));
    }

    pub(super) fn close(&mut self) {
        self.0.push('Z');
    }
}

/// A coordinate to a tenth of a pixel. NaN would break the picture, so it becomes 0.
fn px(value: f64) -> String {
    let tenths = num::whole(value.clamp(-100_000.0, 100_000.0) * 10.0);
    let sign = if tenths < 0 { "-" } else { "" };
    let (whole, tenth) = (tenths.unsigned_abs() / 10, tenths.unsigned_abs() % 10);
    if tenth == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{tenth}")
    }
}

/// Text escaped for XML and HTML. Characters that XML forbids or that change the direction of
/// surrounding text are left out.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push(' '),
            '\u{fffe}'
            | '\u{ffff}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' => {}
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// The estimated width of a text in pixels, rather too large, because the viewer's font is unknown.
pub(super) fn text_width(text: &str, size: Size) -> f64 {
    let bold = match size {
        Size::Title | Size::Heading => 1.16,
        Size::Plain => 1.0,
    };
    text.chars().map(breadth).sum::<f64>() * size.px() * bold
}

/// As much of a text as there is room for.
pub(super) fn fitted(text: &str, size: Size, width: f64) -> String {
    if text_width(text, size) <= width {
        return text.to_owned();
    }
    let mut fitting = String::new();
    let mut left = width - text_width("…", size);
    for c in text.chars() {
        left -= text_width(c.encode_utf8(&mut [0; 4]), size);
        if left < 0.0 {
            break;
        }
        fitting.push(c);
    }
    format!("{}…", fitting.trim_end())
}

/// A text in lines of at most this width, broken at blanks.
pub(super) fn wrapped(text: &str, size: Size, width: f64, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let full = lines.len() == most;
        match lines.last_mut() {
            Some(line) if full || text_width(&format!("{line} {word}"), size) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    for line in &mut lines {
        *line = fitted(line, size, width);
    }
    lines
}

/// In heights of a letter's box.
fn breadth(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' => 0.33,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '/' | '-' => 0.41,
        'm' | 'w' | 'M' | 'W' | '%' | '@' | '…' => 0.95,
        'A'..='Z' => 0.7,
        _ if c.is_ascii() => 0.6,
        // Latin, Greek and Cyrillic; beyond them characters may be square.
        '\u{a0}'..='\u{52f}' | '\u{2010}'..='\u{2027}' => 0.7,
        _ => 1.0,
    }
}
