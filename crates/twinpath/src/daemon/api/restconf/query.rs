//! The parameters of a request (RFC 8040 section 4.8).

use hyper::Method;
use twinpath_yang::tree::DefaultsMode;
use twinpath_yang::{Content, Fields, NodeId, Query, Schema};

use super::super::markup::decoded_path;
use super::refusal::Refusal;

/// Those that there are.
const KNOWN: [&str; 9] = [
    "content",
    "depth",
    "fields",
    "filter",
    "insert",
    "point",
    "start-time",
    "stop-time",
    "with-defaults",
];

/// The parameters of a request, each once.
#[derive(Debug)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(super) fn of(query: &str) -> Result<Self, Refusal> {
        let mut all: Vec<(String, String)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decoded_path(name);
            if !KNOWN.contains(&name.as_str()) {
                let name: String = name.chars().take(64).collect();
                let line = format!("{name}: unknown parameter: use {}", KNOWN.join(", "));
                return Err(Refusal::invalid(&line));
            }
            if all.iter().any(|(known, _)| *known == name) {
                return Err(Refusal::invalid(&format!("{name}: write it once")));
            }
            all.push((name, decoded_path(value)));
        }
        Ok(Self(all))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut all = self.0.iter();
        let found = all.find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Refuses parameters that a method has no use for.
    pub(super) fn only(&self, method: &Method, names: &[&str]) -> Result<(), Refusal> {
        let mut all = self.0.iter();
        match all.find(|(name, _)| !names.contains(&name.as_str())) {
            Some((name, _)) => {
                let line = format!("{name}: not for {method} of this resource");
                Err(Refusal::invalid(&line))
            }
            None => Ok(()),
        }
    }

    /// What is to be shown of a resource; `of`: its node, `None` for the root.
    pub(super) fn query(&self, schema: &Schema, of: Option<NodeId>) -> Result<Query, Refusal> {
        let content = match self.get("content") {
            None | Some("all") => Content::All,
            Some("config") => Content::Config,
            Some("nonconfig") => Content::NonConfig,
            Some(_) => return Err(Refusal::invalid("content: use all, config or nonconfig")),
        };
        let depth = match self.get("depth") {
            None | Some("unbounded") => None,
            Some(depth) => match depth.parse() {
                Ok(depth @ 1..) => Some(depth),
                Ok(0) | Err(_) => {
                    return Err(Refusal::invalid("depth: use unbounded or 1 to 65535"));
                }
            },
        };
        let fields = self.get("fields").map(|text| {
            let fields = Fields::parse(schema, of, text);
            fields.map_err(|error| Refusal::invalid(&format!("fields: {}", error.what)))
        });
        let defaults = match self.get("with-defaults") {
            None | Some("explicit") => DefaultsMode::Explicit,
            Some("report-all") => DefaultsMode::ReportAll,
            Some("trim") => DefaultsMode::Trim,
            Some(_) => {
                let line = "with-defaults: use explicit, report-all or trim";
                return Err(Refusal::invalid(line));
            }
        };
        Ok(Query {
            content,
            depth,
            fields: fields.transpose()?,
            defaults,
        })
    }
}
