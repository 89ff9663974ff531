//! The two encodings of data, and which of them is asked for (RFC 8040 sections 3.2 and 5.2).

use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use twinpath_yang::json::{self, Layout, ReadOptions};
use twinpath_yang::xml::{self, Element, Limits, WriteOptions};
use twinpath_yang::{Children, Fault, NodeId, Path, Schema};

use super::refusal::Refusal;

/// Namespace of RESTCONF's own elements.
pub(super) const NAMESPACE: &str = "urn:ietf:params:xml:ns:yang:ietf-restconf";

/// The datastore's name, as the element and member around all of its data.
const WHOLE: &str = "data";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::daemon) enum Encoding {
    Json,
    Xml,
}

impl Encoding {
    pub(super) const ALL: [Self; 2] = [Self::Json, Self::Xml];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Xml => "xml",
        }
    }

    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/yang-data+json",
            Self::Xml => "application/yang-data+xml",
        }
    }

    fn of_type(media_type: &str) -> Option<Self> {
        match media_type.to_ascii_lowercase().as_str() {
            "application/yang-data+json" | "application/json" => Some(Self::Json),
            "application/yang-data+xml" | "application/xml" | "text/xml" => Some(Self::Xml),
            _ => None,
        }
    }

    /// The one that a client prefers; `None`: it takes neither. A client that says nothing takes that of its own body, or JSON.
    pub(super) fn accepted(headers: &HeaderMap) -> Option<Self> {
        let mut best: Option<(u16, Self)> = None;
        let mut is_any = false;
        for value in headers.get_all(ACCEPT) {
            let ranges = value.to_str().unwrap_or_default().split(',');
            for range in ranges.map(str::trim).filter(|range| !range.is_empty()) {
                is_any = true;
                let (media_type, quality) = preference(range);
                let encoding = match media_type {
                    "*/*" | "application/*" => Self::of_body(headers).or(Some(Self::Json)),
                    media_type => Self::of_type(media_type),
                };
                let is_better = quality > best.map_or(0, |(best, _)| best);
                best = encoding
                    .filter(|_| is_better)
                    .map(|it| (quality, it))
                    .or(best);
            }
        }
        if is_any {
            return best.map(|(_, encoding)| encoding);
        }
        Some(Self::of_body(headers).unwrap_or(Self::Json))
    }

    /// That of the request's body; `None`: another one, or none is said.
    pub(super) fn of_body(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        Self::of_type(value.split(';').next()?.trim())
    }

    /// Data below a node, or at the root.
    pub(super) fn write(self, schema: &Schema, of: Option<NodeId>, data: &Children) -> String {
        match self {
            Self::Json => json::write(schema, of, data, Layout::Indented) + "\n",
            Self::Xml => xml::write(schema, of, data, &indented(0)),
        }
    }

    /// The whole datastore.
    pub(super) fn write_whole(self, schema: &Schema, data: &Children) -> String {
        match self {
            Self::Json => {
                let inner = json::write(schema, None, data, Layout::Indented);
                format!("{{\"ietf-restconf:{WHOLE}\": {inner}}}\n")
            }
            Self::Xml => {
                let inner = xml::write(schema, None, data, &indented(1));
                format!("<{WHOLE} xmlns=\"{NAMESPACE}\">\n{inner}</{WHOLE}>\n")
            }
        }
    }

    /// Data of a body, whose members are below `at`.
    pub(super) fn read(
        self,
        schema: &Schema,
        body: &[u8],
        options: &ReadOptions,
    ) -> Result<Children, Refusal> {
        let faults = |faults: Vec<Fault>| Refusal::of_faults(faults, schema);
        match self {
            Self::Json => json::read(schema, body, options).map_err(faults),
            Self::Xml => {
                let element = parse(schema, body)?;
                read_elements(schema, &[element], options)
            }
        }
    }

    /// The whole datastore, from a body.
    pub(super) fn read_whole(self, schema: &Schema, body: &[u8]) -> Result<Children, Refusal> {
        let options = ReadOptions::default();
        match self {
            Self::Json => {
                let member = format!("ietf-restconf:{WHOLE}");
                let read = json::read_member(schema, body, &member, &options);
                read.map_err(|faults| Refusal::of_faults(faults, schema))
            }
            Self::Xml => {
                let element = parse(schema, body)?;
                if !element.is(NAMESPACE, WHOLE) {
                    let line = format!("write an element {WHOLE} of namespace {NAMESPACE}");
                    return Err(Refusal::invalid(&line));
                }
                read_elements(schema, &element.children, &options)
            }
        }
    }
}

fn indented(indent: usize) -> WriteOptions<'static> {
    WriteOptions {
        layout: Layout::Indented,
        indent,
        ..WriteOptions::default()
    }
}

fn parse(schema: &Schema, body: &[u8]) -> Result<Element, Refusal> {
    let limits = Limits::default();
    Element::parse(body, &limits).map_err(|fault| Refusal::of_faults(vec![fault], schema))
}

fn read_elements(
    schema: &Schema,
    elements: &[Element],
    options: &ReadOptions,
) -> Result<Children, Refusal> {
    xml::read(schema, elements, options).map_err(|faults| {
        let faults = faults.into_iter().map(|fault| fault.fault);
        Refusal::of_faults(faults.collect(), schema)
    })
}

/// A media range and its quality in thousandths (RFC 9110 section 12.5.1).
fn preference(range: &str) -> (&str, u16) {
    let mut parts = range.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    let quality = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
    let thousandths = |text: &str| match text.split_once('.') {
        Some(("0", digits)) if digits.len() <= 3 => format!("{digits:0<3}").parse().ok(),
        None if text == "0" => Some(0),
        Some(_) | None => Some(1_000),
    };
    let quality = quality.map_or(Some(1_000), thousandths);
    (media_type, quality.unwrap_or(0))
}

/// Options to read what is below a resource.
pub(super) fn below(at: Path) -> ReadOptions {
    ReadOptions {
        at,
        ..ReadOptions::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(accept: &[&'static str], content: Option<&'static str>) -> Option<Encoding> {
        let mut headers = HeaderMap::new();
        for accept in accept {
            headers.append(ACCEPT, accept.parse().unwrap());
        }
        if let Some(content) = content {
            headers.insert(CONTENT_TYPE, content.parse().unwrap());
        }
        Encoding::accepted(&headers)
    }

    #[test]
    fn a_client_has_what_it_prefers() {
        let [json, xml] = [Encoding::Json, Encoding::Xml].map(Some);
        assert_eq!(accepted(&[], None), json);
        assert_eq!(accepted(&[], Some("application/yang-data+xml")), xml);
        assert_eq!(
            accepted(&["*/*"], Some("application/yang-data+xml; charset=utf-8")),
            xml
        );
        assert_eq!(accepted(&["application/yang-data+xml"], None), xml);
        let both = "application/yang-data+xml;q=0.5, application/yang-data+json;q=0.25";
        assert_eq!(accepted(&[both], None), xml);
        let both = [
            "application/yang-data+xml;q=0.5",
            "application/yang-data+json;q=0.75",
        ];
        assert_eq!(accepted(&both, None), json);
        assert_eq!(accepted(&["text/html"], None), None);
        assert_eq!(accepted(&["text/html, application/*;q=0.1"], None), json);
        assert_eq!(accepted(&["application/yang-data+json;q=0"], None), None);
    }
}
