//! Paths of files in a configuration: whole ones, as a daemon may run in any directory, and a configuration may come
//! from another host, from a file elsewhere or from several.

use twinpath_yang::{Children, Data, NodeId, Path, Select};

use crate::args::key_path;
use crate::daemon::model::Model;

use super::reading::{Reading, wrong};

/// Leaves with the path of a file or of a directory, but for `key` of `[mesh]`.
const FILES: [&str; 14] = [
    "authorized-keys",
    "ca",
    "cache",
    "certificate",
    "client-ca",
    "hmac-key-file",
    "host-key",
    "key",
    "keys",
    "path",
    "socket",
    "spool-path",
    "token",
    "tokens",
];
/// What names a credential of a service.
const CREDENTIAL: &str = "credential:";

impl Reading<'_> {
    /// Refuses paths that depend on the directory in which the daemon runs.
    pub(super) fn check_paths(&mut self) {
        let mut relative = Vec::new();
        let main = self.model.roots.main;
        if let Some(all) = self.model.measurement(self.root) {
            let above = Path::root().join(main, Select::All);
            walk(self.model, &above, all, &mut |path, node, text| {
                if is_file(self.model, path, node) && !is_whole(text) {
                    relative.push((path.join(node, Select::All), text.to_owned()));
                }
            });
        }
        let faults = relative.into_iter().map(|(path, text)| {
            let node = path.node();
            let leaf = node.map_or("", |node| &*self.model.schema.node(node).name);
            let what = format!("{leaf} {text}: write the whole path, as in /etc/twinpath/{text}");
            wrong(path, what)
        });
        let faults: Vec<_> = faults.collect();
        self.faults.extend(faults);
    }
}

fn is_file(model: &Model, above: &Path, node: NodeId) -> bool {
    let name = &*model.schema.node(node).name;
    let of = above.node().map(|above| &*model.schema.node(above).name);
    // A public key in that place.
    let is_key_itself = name == "key" && of == Some("mesh");
    FILES.contains(&name) && !is_key_itself
}

fn is_whole(text: &str) -> bool {
    text.starts_with(CREDENTIAL) || std::path::Path::new(text).is_absolute()
}

/// The leaf below an entry that names the file which a line is about, if there is one.
pub(super) fn leaf_about(
    model: &Model,
    above: &Path,
    entry: &Children,
    line: &str,
) -> Option<Path> {
    let mut found: Option<(usize, Path)> = None;
    walk(model, above, entry, &mut |path, node, text| {
        let file = key_path(text).unwrap_or_default().display().to_string();
        let is_longer = found
            .as_ref()
            .is_none_or(|(octets, _)| file.len() > *octets);
        if file.starts_with('/') && is_longer && line.contains(&file) {
            found = Some((file.len(), path.join(node, Select::All)));
        }
    });
    found.map(|(_, path)| path)
}

/// Has each leaf, with the path of the node that it is below, and the values of leaf-lists. The schema bounds the depth.
fn walk(
    model: &Model,
    above: &Path,
    children: &Children,
    visit: &mut impl FnMut(&Path, NodeId, &str),
) {
    for (node, data) in children.iter() {
        match data {
            Data::Leaf(value) => visit(above, node, &model.schema.text(value)),
            Data::LeafList(values) => {
                for value in values {
                    visit(above, node, &model.schema.text(value));
                }
            }
            Data::Container(children) => {
                walk(model, &above.join(node, Select::All), children, visit);
            }
            Data::List(entries) => {
                for (key, entry) in entries {
                    let path = above.join(node, Select::Key(key.clone()));
                    walk(model, &path, entry, visit);
                }
            }
            Data::Keyless(_) | Data::Any(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use twinpath_yang::modules::TEXTS;

    use super::*;

    #[test]
    fn every_leaf_that_the_schema_calls_a_path_is_one() {
        let is_ours = |text: &&&str| text.contains("module twinpath-measurement {");
        let text = TEXTS.iter().find(is_ours).unwrap();
        let mut found = 0;
        let mut name = "";
        for line in text.lines().map(str::trim) {
            if let Some(rest) = line.strip_prefix("leaf ") {
                name = rest.trim_end_matches(" {");
            }
            if ["type path;", "type key-file;"].contains(&line) {
                assert!(FILES.contains(&name), "{name}");
                found += 1;
            }
        }
        assert!(found > 15, "{found}");
    }

    #[test]
    fn whole_paths_and_credentials_pass() {
        for (text, expected) in [
            ("/etc/twinpath/keys", true),
            ("credential:keys", true),
            ("keys", false),
            ("./keys", false),
            ("../keys", false),
            ("~/keys", false),
            ("", false),
        ] {
            assert_eq!(is_whole(text), expected, "{text}");
        }
    }
}
