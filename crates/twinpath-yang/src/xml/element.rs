//! XML as elements, with namespaces resolved.

use std::sync::Arc;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;

use super::XML;
use super::names::{is_blank, is_char, is_name, trim};
use super::scope::{MAX_DECLARATIONS, Scope};
use crate::fault::{Fault, FaultKind};
use crate::tree::Path;
use crate::value::shorten;

/// Elements within each other, at most.
pub const MAX_DEPTH: usize = 96;
/// Attributes of an element, at most.
const MAX_ATTRIBUTES: usize = 64;

/// How much is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of the text, at most.
    pub max_octets: usize,
    /// Elements, at most.
    pub max_elements: usize,
}

impl Default for Limits {
    /// 16 MiB, 1,000,000 elements.
    fn default() -> Self {
        Self {
            max_octets: 16 << 20,
            max_elements: 1_000_000,
        }
    }
}

/// An element with all that is in it.
#[derive(Clone, Debug)]
pub struct Element {
    /// Name without prefix.
    pub name: Box<str>,
    /// Namespace.
    pub namespace: Option<Arc<str>>,
    /// Attributes, without declarations of namespaces.
    pub attributes: Vec<Attribute>,
    /// Elements directly in it.
    pub children: Vec<Element>,
    /// All text directly in it.
    pub text: String,
    pub(crate) scope: Scope,
}

/// An attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Name without prefix.
    pub name: Box<str>,
    /// Namespace; `None` for names without prefix.
    pub namespace: Option<Arc<str>>,
    /// Value.
    pub value: Box<str>,
}

impl Element {
    /// The root element of a text in UTF-8.
    ///
    /// # Errors
    ///
    /// The text is not well-formed, has what is not read (document types, other entities and encodings), or is too large.
    pub fn parse(text: &[u8], limits: &Limits) -> Result<Self, Fault> {
        if text.len() > limits.max_octets {
            let what = format!("more than {} octets", limits.max_octets);
            return Err(Fault::new(&Path::root(), FaultKind::TooLarge, what));
        }
        let text = std::str::from_utf8(text).map_err(|_| {
            let what = "not XML in UTF-8";
            Fault::new(&Path::root(), FaultKind::NotReadable, what)
        })?;
        let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
        let mut parser = Parser {
            reader: Reader::from_str(text),
            limits,
            open: Vec::new(),
            root: None,
            elements: 0,
        };
        parser.reader.config_mut().check_comments = true;
        let parsed = parser.run();
        parsed.map_err(|wrong| {
            let end = usize::try_from(parser.reader.buffer_position()).unwrap_or(usize::MAX);
            let before = text.as_bytes().iter().take(end);
            let line = 1 + before.filter(|octet| **octet == b'\n').count();
            match wrong {
                Wrong::TooLarge(what) => Fault::new(&Path::root(), FaultKind::TooLarge, what),
                Wrong::Form(what) => {
                    let what = format!("not XML: line {line}: {what}");
                    Fault::new(&Path::root(), FaultKind::NotReadable, what)
                }
            }
        })
    }

    /// Whether it has this name in this namespace.
    pub fn is(&self, namespace: &str, name: &str) -> bool {
        &*self.name == name && self.namespace.as_deref() == Some(namespace)
    }

    /// The first element in it with this name in this namespace.
    pub fn child(&self, namespace: &str, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.is(namespace, name))
    }

    /// The value of an attribute; those without prefix are in no namespace.
    pub fn attribute(&self, namespace: Option<&str>, name: &str) -> Option<&str> {
        let mut all = self.attributes.iter();
        all.find(|it| &*it.name == name && it.namespace.as_deref() == namespace)
            .map(|it| &*it.value)
    }

    /// Its text without blanks around it.
    pub fn word(&self) -> &str {
        trim(&self.text)
    }

    /// The namespace that a prefix has here, or the default one.
    pub fn namespace_of(&self, prefix: Option<&str>) -> Option<&str> {
        self.scope.namespace(prefix).map(|namespace| &**namespace)
    }
}

/// Why a text is not read.
enum Wrong {
    Form(String),
    TooLarge(String),
}

fn form<T>(what: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong::Form(what.into()))
}

struct Parser<'a> {
    reader: Reader<&'a [u8]>,
    limits: &'a Limits,
    open: Vec<Element>,
    root: Option<Element>,
    elements: usize,
}

impl Parser<'_> {
    fn run(&mut self) -> Result<Element, Wrong> {
        let mut is_first = true;
        loop {
            let event = self.reader.read_event();
            let event = event.map_err(|error| Wrong::Form(error.to_string()))?;
            match event {
                Event::Start(start) => {
                    let element = self.element(&start)?;
                    self.open.push(element);
                }
                Event::Empty(start) => {
                    let element = self.element(&start)?;
                    self.close(element);
                }
                Event::End(_) => match self.open.pop() {
                    Some(element) => self.close(element),
                    None => return form("an end tag without its start tag"),
                },
                Event::Text(text) => {
                    let text = text.xml10_content();
                    if text.contains("]]>") {
                        return form("]]> in text: write ]]&gt;");
                    }
                    self.text(&text)?;
                }
                Event::CData(text) if !self.open.is_empty() => self.text(&text.xml10_content())?,
                Event::CData(_) => return form("text outside the root element"),
                Event::GeneralRef(reference) => self.reference(&reference)?,
                Event::Comment(text) => check_chars(&text.xml10_content())?,
                Event::PI(instruction) if !instruction.target().eq_ignore_ascii_case("xml") => {
                    if !is_name(instruction.target()) {
                        return form("an instruction without a name");
                    }
                    check_chars(instruction.content())?;
                }
                Event::Decl(declaration) if is_first => check_declaration(&declaration)?,
                Event::PI(_) | Event::Decl(_) => return form("<?xml not at the beginning"),
                Event::DocType(_) => return form("a document type, which is not read"),
                Event::Eof => break,
            }
            is_first = false;
        }
        match (self.open.last(), self.root.take()) {
            (Some(open), _) => form(format!("<{}> without its end tag", shorten(&open.name))),
            (None, Some(root)) => Ok(root),
            (None, None) => form("no element"),
        }
    }

    fn close(&mut self, element: Element) {
        match self.open.last_mut() {
            Some(around) => around.children.push(element),
            None => self.root = Some(element),
        }
    }

    fn text(&mut self, text: &str) -> Result<(), Wrong> {
        check_chars(text)?;
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.chars().all(is_blank) => {}
            None => return form("text outside the root element"),
        }
        Ok(())
    }

    fn reference(&mut self, reference: &BytesRef<'_>) -> Result<(), Wrong> {
        let name = reference.xml10_content();
        let character = match &*name {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "apos" => '\'',
            "quot" => '"',
            name => match reference.resolve_char_ref() {
                Ok(Some(character)) => character,
                Ok(None) => return form(format!("&{};: unknown entity", shorten(name))),
                Err(error) => return form(format!("&{};: {error}", shorten(name))),
            },
        };
        if self.open.is_empty() {
            return form("text outside the root element");
        }
        self.text(character.encode_utf8(&mut [0; 4]))
    }

    fn element(&mut self, start: &BytesStart<'_>) -> Result<Element, Wrong> {
        self.elements += 1;
        if self.elements > self.limits.max_elements {
            let what = format!("more than {} elements", self.limits.max_elements);
            return Err(Wrong::TooLarge(what));
        }
        if self.open.len() >= MAX_DEPTH {
            let what = format!("more than {MAX_DEPTH} elements within each other");
            return Err(Wrong::TooLarge(what));
        }
        if self.open.is_empty() && self.root.is_some() {
            return form("a second root element");
        }
        let outer = self.open.last().map(|around| around.scope.clone());
        let (scope, attributes) = attributes(start, outer.unwrap_or_default())?;
        let name = start.name();
        let (namespace, name) = resolve(&scope, name.0, true)?;
        Ok(Element {
            name: name.into(),
            namespace,
            attributes,
            children: Vec::new(),
            text: String::new(),
            scope,
        })
    }
}

fn check_chars(text: &str) -> Result<(), Wrong> {
    match text.chars().find(|c| !is_char(*c)) {
        Some(wrong) => form(format!("the character {wrong:?}")),
        None => Ok(()),
    }
}

fn check_declaration(declaration: &BytesDecl<'_>) -> Result<(), Wrong> {
    let wrong = |error: quick_xml::Error| Wrong::Form(error.to_string());
    let version = declaration.version().map_err(wrong)?;
    if version != "1.0" {
        return form(format!("version {}: use 1.0", shorten(&version)));
    }
    match declaration.encoding() {
        None => Ok(()),
        Some(Ok(encoding)) if encoding.eq_ignore_ascii_case("utf-8") => Ok(()),
        Some(Ok(encoding)) => form(format!("encoding {}: use UTF-8", shorten(&encoding))),
        Some(Err(error)) => form(error.to_string()),
    }
}

/// Whether blanks are between attributes.
fn check_gaps(attributes: &str) -> Result<(), Wrong> {
    let mut left = attributes;
    while let Some(at) = left.find(['"', '\'']) {
        let (_, quoted) = left.split_at_checked(at).unwrap_or_default();
        let mut rest = quoted.chars();
        let quote = rest.next().unwrap_or('"');
        let Some((_, after)) = rest.as_str().split_once(quote) else {
            return form("an attribute without its last quote");
        };
        if !after.is_empty() && !after.starts_with(is_blank) {
            return form("no blank between attributes");
        }
        left = after;
    }
    Ok(())
}

/// What is declared around an element, and its other attributes.
fn attributes(start: &BytesStart<'_>, outer: Scope) -> Result<(Scope, Vec<Attribute>), Wrong> {
    check_gaps(start.attributes_raw())?;
    let mut scope = outer;
    let mut plain: Vec<(String, String)> = Vec::new();
    for (at, attribute) in start.attributes().enumerate() {
        if at >= MAX_ATTRIBUTES {
            let what = format!("more than {MAX_ATTRIBUTES} attributes");
            return Err(Wrong::TooLarge(what));
        }
        let attribute = attribute.map_err(|error| Wrong::Form(error.to_string()))?;
        if attribute.value.contains('<') {
            return form("< in an attribute: write &lt;");
        }
        let value = attribute.normalized_value(XmlVersion::Implicit1_0);
        let value = value.map_err(|error| Wrong::Form(error.to_string()))?;
        check_chars(&value)?;
        let name = attribute.key.0;
        match name.split_once(':') {
            None if name == "xmlns" => scope.declare(None, &value),
            Some(("xmlns", prefix)) if !is_name(prefix) || value.is_empty() => {
                return form(format!("{}: a prefix and its namespace", shorten(name)));
            }
            Some(("xmlns", "xml" | "xmlns")) => {
                return form(format!("{name}: it is declared already"));
            }
            Some(("xmlns", prefix)) => scope.declare(Some(prefix), &value),
            _ => plain.push((name.to_owned(), value.into_owned())),
        }
        if scope.count() > MAX_DECLARATIONS {
            let what = format!("more than {MAX_DECLARATIONS} namespaces declared");
            return Err(Wrong::TooLarge(what));
        }
    }
    let mut attributes: Vec<Attribute> = Vec::with_capacity(plain.len());
    for (name, value) in plain {
        let (namespace, local) = resolve(&scope, &name, false)?;
        let is_twice = |it: &Attribute| *it.name == *local && it.namespace == namespace;
        if attributes.iter().any(is_twice) {
            return form(format!("the attribute {} twice", shorten(&name)));
        }
        attributes.push(Attribute {
            name: local.into(),
            namespace,
            value: value.into(),
        });
    }
    Ok((scope, attributes))
}

/// Namespace and local name; names of attributes without prefix have no namespace.
fn resolve<'n>(
    scope: &Scope,
    name: &'n str,
    is_element: bool,
) -> Result<(Option<Arc<str>>, &'n str), Wrong> {
    let (prefix, local) = match name.split_once(':') {
        Some((prefix, local)) => (Some(prefix), local),
        None => (None, name),
    };
    if !is_name(local) || prefix.is_some_and(|prefix| !is_name(prefix)) {
        return form(format!("{}: not a name", shorten(name)));
    }
    let namespace = match prefix {
        Some("xml") => Some(Arc::from(XML)),
        None if !is_element => None,
        prefix => scope.namespace(prefix).cloned(),
    };
    match (prefix, &namespace) {
        (Some(prefix), None) => form(format!("{}: the prefix is not declared", shorten(prefix))),
        (Some(_), Some(_)) | (None, _) => Ok((namespace, local)),
    }
}
