//! What the crate does, against texts of the RFCs and against other programs.
#![cfg(test)]

mod access;
mod access_changes;
mod access_examples;
mod access_properties;
mod defaults;
mod differences;
mod edit_properties;
mod edits;
mod filters;
mod json;
mod judges;
mod modules;
mod netconf_commits;
mod netconf_datastores;
mod netconf_events;
mod netconf_framing;
mod netconf_judges;
mod netconf_replies;
mod netconf_requests;
mod netconf_selections;
mod netconf_sessions;
mod netconf_subscriptions;
mod paths;
mod properties;
mod restconf_methods;
mod restconf_queries;
mod schema;
mod toml;
mod toml_updates;
mod validation;
mod values;
mod xml;
mod xml_edits;
mod xml_filters;
mod xml_judges;

use twinpath_yang::json::{Layout, ReadOptions, read, write};
use twinpath_yang::{Children, Fault, Path, Schema, Scope, modules as texts};

/// The modules of the daemon.
fn daemon() -> Schema {
    Schema::load(&texts::TEXTS, &texts::IMPLEMENTED).unwrap()
}

/// One module with this content.
fn schema(content: &str) -> Schema {
    let text = module("m", content);
    Schema::load(&[&text], &["m"]).unwrap()
}

fn module(name: &str, content: &str) -> String {
    format!(
        "module {name} {{ yang-version 1.1; namespace 'urn:{name}'; prefix {name}; {content} }}"
    )
}

/// What is wrong with one module with this content.
fn load_error(content: &str) -> String {
    let text = module("m", content);
    Schema::load(&[&text], &["m"]).unwrap_err().to_string()
}

fn read_all(schema: &Schema, text: &str) -> Result<Children, Vec<Fault>> {
    let options = ReadOptions {
        scope: Scope::All,
        ..ReadOptions::default()
    };
    read(schema, text.as_bytes(), &options)
}

fn data(schema: &Schema, text: &str) -> Children {
    read_all(schema, text).unwrap()
}

/// Where and what, of all faults.
fn texts_of(schema: &Schema, faults: &[Fault]) -> Vec<String> {
    let texts = faults.iter();
    texts
        .map(|it| format!("{} {}", it.path.text(schema), it.what))
        .collect()
}

fn compact(schema: &Schema, root: &Children) -> String {
    write(schema, None, root, Layout::Compact)
}

fn path(schema: &Schema, text: &str) -> Path {
    Path::parse(schema, text).unwrap_or_else(|error| panic!("{text}: {error}"))
}
