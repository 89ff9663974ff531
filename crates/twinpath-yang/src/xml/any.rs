//! Content of `anydata` nodes as JSON.
//!
//! Without a schema, XML does not say what is a number or an array: texts are strings, and elements of one name an array if
//! there are several.

use serde_json::{Map, Value as Json};

use super::Element;
use super::names::trim;
use super::value::Modules;

/// The elements within one as an object.
pub(super) fn object(modules: &Modules<'_>, element: &Element) -> Json {
    let mut members = Map::new();
    for child in &element.children {
        let name = match &child.namespace {
            Some(namespace) if child.namespace != element.namespace => {
                match modules.module(namespace) {
                    Some(module) => {
                        format!("{}:{}", modules.schema.module(module).name, child.name)
                    }
                    None => child.name.to_string(),
                }
            }
            Some(_) | None => child.name.to_string(),
        };
        let value = value(modules, child);
        match members.get_mut(&name) {
            None => {
                members.insert(name, value);
            }
            Some(Json::Array(all)) => all.push(value),
            Some(other) => *other = Json::Array(vec![other.take(), value]),
        }
    }
    Json::Object(members)
}

fn value(modules: &Modules<'_>, element: &Element) -> Json {
    if element.children.is_empty() {
        Json::String(element.text.clone())
    } else {
        object(modules, element)
    }
}

/// Whether an element has text beside elements.
pub(super) fn is_mixed(element: &Element) -> bool {
    !element.children.is_empty() && !trim(&element.text).is_empty()
}
