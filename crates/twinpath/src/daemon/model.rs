//! The schema of the configuration, compiled once.

use std::sync::LazyLock;

use twinpath_yang::modules::{DEVIATIONS, NETCONF_IMPLEMENTED, NETCONF_TEXTS, TEXTS};
use twinpath_yang::toml::Roots;
use twinpath_yang::{Children, Data, Key, NodeId, Path, Schema, Select, Value};

use crate::failure::Failure;

/// The module of the configuration.
pub(crate) const MODULE: &str = "twinpath-measurement";

/// Those whose data a daemon has.
const IMPLEMENTED: [&str; 7] = [
    MODULE,
    "ietf-netconf-acm",
    "ietf-twamp",
    DEVIATIONS,
    "ietf-datastores",
    "ietf-yang-library",
    "ietf-restconf-monitoring",
];

/// The schema, and the node that a configuration file is.
pub(crate) struct Model {
    pub(crate) schema: Schema,
    pub(crate) roots: Roots,
    /// The container of the model of TWAMP (RFC 8913).
    pub(super) twamp: NodeId,
}

static MODEL: LazyLock<Result<Model, String>> = LazyLock::new(|| {
    let texts = [&TEXTS[..], &NETCONF_TEXTS[..]].concat();
    let implemented = [&IMPLEMENTED[..], &NETCONF_IMPLEMENTED[..]].concat();
    let schema = Schema::load(&texts, &implemented).map_err(|error| error.to_string())?;
    let top = |module: &str, name: &str| {
        let node = schema.child(None, schema.module_named(module), name);
        node.ok_or(format!("module {module} has no container {name}"))
    };
    let main = top(MODULE, "measurement")?;
    let twamp = top("ietf-twamp", "twamp")?;
    let tables = vec![
        ("nacm".into(), top("ietf-netconf-acm", "nacm")?),
        ("twamp".into(), twamp),
    ];
    Ok(Model {
        roots: Roots { main, tables },
        twamp,
        schema,
    })
});

/// The schema of this program.
///
/// # Errors
/// It has a fault, which no configuration can mend.
pub(crate) fn model() -> Result<&'static Model, Failure> {
    MODEL
        .as_ref()
        .map_err(|why| Failure::could_not(format!("a fault in the schema: {why}")))
}

impl Model {
    /// What a configuration says.
    pub(super) fn measurement<'a>(&self, root: &'a Children) -> Option<&'a Children> {
        root.get(self.roots.main)?.container()
    }

    /// A node below another one by its name; `None`: the schema has none.
    pub(super) fn child(&self, of: NodeId, name: &str) -> Option<NodeId> {
        self.schema.child(Some(of), None, name)
    }

    /// The content of a container of the configuration.
    pub(super) fn container<'a>(&self, root: &'a Children, name: &str) -> Option<&'a Children> {
        let node = self.child(self.roots.main, name)?;
        self.measurement(root)?.get(node)?.container()
    }

    /// The entries of a list of the configuration, by their names.
    pub(super) fn entries<'a>(
        &self,
        root: &'a Children,
        list: &str,
    ) -> impl Iterator<Item = (String, &'a Children)> {
        let node = self.child(self.roots.main, list);
        let data = node.and_then(|node| self.measurement(root)?.get(node));
        let entries = data.and_then(Data::entries).into_iter().flatten();
        entries.filter_map(|(key, entry)| Some((key.first()?.as_str()?.to_owned(), entry)))
    }

    /// The path of an entry of a list of the configuration, or of a container where it has no name.
    pub(super) fn path(&self, top: &str, name: Option<&str>) -> Path {
        let mut path = Path::root();
        path.push(self.roots.main, Select::All);
        if let Some(node) = self.child(self.roots.main, top) {
            let select = name.map_or(Select::All, |name| Select::Key(key(name)));
            path.push(node, select);
        }
        path
    }

    /// The path of a leaf below it.
    pub(super) fn leaf_path(&self, above: &Path, leaf: &str) -> Option<Path> {
        let node = self.child(above.node()?, leaf)?;
        Some(above.join(node, Select::All))
    }
}

/// The key of an entry.
pub(super) fn key(name: &str) -> Key {
    Box::new([Value::String(name.into())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_of_this_program_has_no_fault() {
        assert!(model().is_ok());
    }
}
