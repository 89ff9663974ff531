//! All state: that of the daemon, its modules (RFC 8525), and what its servers can do (RFC 8040 section 9).

use serde_json::{Value, json};
use twinpath_wire::Wall;
use twinpath_yang::json::{self, ReadOptions};
use twinpath_yang::schema::Module;
use twinpath_yang::{Children, Path, Scope, Select};

use crate::output::rfc3339;

use super::api::State;
use super::api::restconf::{ENCODINGS, ROOT};
use super::control::Control;
use super::model::Model;
use super::notices::STREAMS;
use super::tree;

/// Another one for each set of modules.
pub(super) const CONTENT_ID: &str = concat!("twinpath-", env!("CARGO_PKG_VERSION"));

const CAPABILITIES: [&str; 5] = [
    "urn:ietf:params:restconf:capability:defaults:1.0?basic-mode=explicit",
    "urn:ietf:params:restconf:capability:depth:1.0",
    "urn:ietf:params:restconf:capability:fields:1.0",
    "urn:ietf:params:restconf:capability:replay:1.0",
    "urn:ietf:params:restconf:capability:with-defaults:1.0",
];

/// A configuration with all state: that of the daemon, as far as `target` shows it, and that of its server.
pub(super) fn with_state(
    model: &Model,
    control: &Control,
    root: &Children,
    state: &State,
    target: &Path,
) -> Children {
    // An entry is shown at most times, and the state of thousands takes long.
    let only = target.steps().get(1).and_then(|step| match &step.select {
        Select::Key(key) => Some((&*model.schema.node(step.node).name, key.first()?.as_str()?)),
        Select::All | Select::Value(_) | Select::Position(_) => None,
    });
    let is_wanted = |list: &str, name: &str| only.is_none_or(|only| only == (list, name));
    let mut root = tree::with_state_of(model, root, state, is_wanted);
    for (node, data) in of_server(model, control.notices().since()).iter() {
        root.insert(node, data.clone());
    }
    if let Some(more) = control.more_state() {
        more(model, &mut root);
    }
    control.denied().fill(&model.schema, &mut root);
    root
}

fn of_server(model: &Model, since: Wall) -> Children {
    let streams = STREAMS.map(|(name, description)| {
        let access = ENCODINGS.map(|(encoding, _)| {
            json!({ "encoding": encoding, "location": format!("{ROOT}/streams/{name}/{encoding}") })
        });
        json!({
            "name": name, "description": description, "access": access,
            "replay-support": true, "replay-log-creation-time": rfc3339(since),
        })
    });
    let document = json!({
        "ietf-yang-library:yang-library": library(model),
        "ietf-yang-library:modules-state": modules_state(model),
        "ietf-restconf-monitoring:restconf-state": {
            "capabilities": { "capability": CAPABILITIES },
            "streams": { "stream": streams },
        },
    });
    let options = ReadOptions {
        scope: Scope::All,
        ..ReadOptions::default()
    };
    // The schema has all of it, as a test holds.
    json::read(&model.schema, document.to_string().as_bytes(), &options).unwrap_or_default()
}

/// One set of modules, of which the datastores that there are consist.
fn library(model: &Model) -> Value {
    let of = |module: &Module| {
        let revision = module.revision.as_deref().unwrap_or_default();
        json!({
            "name": &*module.name,
            "revision": revision,
            "namespace": &*module.namespace,
            "location": [format!("{ROOT}/modules/{}@{revision}.yang", module.name)],
        })
    };
    let modules = || model.schema.modules().map(|(_, module)| module);
    let implemented = modules().filter(|module| module.is_implemented);
    let implemented = implemented.map(|module| {
        let mut entry = of(module);
        let features = features(module);
        if let (false, Some(entry)) = (features.is_empty(), entry.as_object_mut()) {
            entry.insert("feature".to_owned(), json!(features));
        }
        let deviations = deviations(model, module).map(|by| json!(&*by.name));
        let deviations: Vec<Value> = deviations.collect();
        if let (false, Some(entry)) = (deviations.is_empty(), entry.as_object_mut()) {
            entry.insert("deviation".to_owned(), Value::Array(deviations));
        }
        entry
    });
    let imported = modules().filter(|module| !module.is_implemented).map(of);
    let set = json!({
        "name": "all",
        "module": implemented.collect::<Vec<_>>(),
        "import-only-module": imported.collect::<Vec<_>>(),
    });
    let datastore = |name| json!({ "name": format!("ietf-datastores:{name}"), "schema": "all" });
    json!({
        "module-set": [set],
        "schema": [{ "name": "all", "module-set": ["all"] }],
        "datastore": [datastore("running"), datastore("candidate"), datastore("operational")],
        "content-id": CONTENT_ID,
    })
}

/// The features of a module that are supported.
fn features(module: &Module) -> Vec<&str> {
    let supported = module.features.iter().filter(|it| it.is_supported);
    supported.map(|feature| &*feature.name).collect()
}

/// The modules that deviate from one.
fn deviations<'a>(model: &'a Model, module: &'a Module) -> impl Iterator<Item = &'a Module> {
    let by = module.deviated_by.iter();
    by.map(|id| model.schema.module(*id))
}

/// The same in the older form (RFC 7895), for clients that know no other.
fn modules_state(model: &Model) -> Value {
    let modules = model.schema.modules().map(|(_, module)| {
        let revision = module.revision.as_deref().unwrap_or_default();
        let kind = if module.is_implemented {
            "implement"
        } else {
            "import"
        };
        let deviations = deviations(model, module).map(|by| {
            json!({ "name": &*by.name, "revision": by.revision.as_deref().unwrap_or_default() })
        });
        json!({
            "name": &*module.name,
            "revision": revision,
            "schema": format!("{ROOT}/modules/{}@{revision}.yang", module.name),
            "namespace": &*module.namespace,
            "conformance-type": kind,
            "feature": features(module),
            "deviation": deviations.collect::<Vec<_>>(),
        })
    });
    json!({ "module-set-id": CONTENT_ID, "module": modules.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use twinpath_yang::access::Counters;
    use twinpath_yang::validate;

    use super::*;
    use crate::daemon::model::model;

    #[test]
    fn the_state_of_the_server_follows_the_schema() {
        let model = model().unwrap();
        let mut state = of_server(model, Wall::from_unix_ns(1_796_040_000_000_000_000));
        assert_eq!(state.iter().count(), 3);
        Counters::default().fill(&model.schema, &mut state);
        assert_eq!(validate(&model.schema, &state, Scope::All), []);
    }
}
