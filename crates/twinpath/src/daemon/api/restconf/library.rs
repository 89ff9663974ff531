//! State of the server itself: its modules (RFC 8525) and what its RESTCONF can do (RFC 8040 section 9).

use serde_json::{Value, json};
use twinpath_yang::json::{self, ReadOptions};
use twinpath_yang::schema::Module;
use twinpath_yang::{Children, Scope};

use super::ROOT;
use crate::daemon::api::State;
use crate::daemon::model::Model;

const CAPABILITIES: [&str; 4] = [
    "urn:ietf:params:restconf:capability:defaults:1.0?basic-mode=explicit",
    "urn:ietf:params:restconf:capability:depth:1.0",
    "urn:ietf:params:restconf:capability:fields:1.0",
    "urn:ietf:params:restconf:capability:with-defaults:1.0",
];

/// A configuration with all state: that of the daemon and that of its server.
pub(super) fn with_state(model: &Model, root: &Children, state: &State) -> Children {
    let _ = state;
    let mut root = root.clone();
    for (node, data) in of_server(model).iter() {
        root.insert(node, data.clone());
    }
    root
}

fn of_server(model: &Model) -> Children {
    let document = json!({
        "ietf-yang-library:yang-library": library(model),
        "ietf-restconf-monitoring:restconf-state": {
            "capabilities": { "capability": CAPABILITIES },
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
    let implemented = modules().filter(|module| module.is_implemented).map(of);
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
        "datastore": [datastore("running"), datastore("operational")],
        "content-id": concat!("twinpath-", env!("CARGO_PKG_VERSION")),
    })
}

#[cfg(test)]
mod tests {
    use twinpath_yang::validate;

    use super::*;
    use crate::daemon::model::model;

    #[test]
    fn the_state_of_the_server_follows_the_schema() {
        let model = model().unwrap();
        let state = of_server(model);
        assert_eq!(state.iter().count(), 2);
        assert_eq!(validate(&model.schema, &state, Scope::All), []);
    }
}
