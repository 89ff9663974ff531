//! Exports.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use twinpath_yang::{Children, Path, Select};

use crate::args::above_zero;
use crate::daemon::exports::{ExportSpec, Sink};
use crate::store::StoreSettings;

use super::leaves::Leaves;
use super::reading::{Reading, size};

/// The directory of exports in that of the store, which programs that read it pass over.
const IN_STORE: &str = "_exports";
/// What the schema has as defaults.
const SPOOL: &str = "256MB";
const BATCH_ROWS: u64 = 1_000;
const BATCH_AGE: &str = "10s";
const TABLE: &str = "intervals";

const BY_HTTP: [&str; 4] = ["clickhouse", "remote-write", "otlp", "webhook"];

/// Leaves that not every kind has.
const OF_KINDS: [(&str, &[&str]); 8] = [
    ("url", &BY_HTTP),
    ("token", &BY_HTTP),
    ("user", &BY_HTTP),
    ("ca", &BY_HTTP),
    ("certificate", &BY_HTTP),
    ("key", &BY_HTTP),
    ("table", &["clickhouse"]),
    ("exec", &["exec"]),
];

impl Reading<'_> {
    /// All exports that are switched on.
    pub(super) fn exports(
        &mut self,
        store: Option<&StoreSettings>,
    ) -> BTreeMap<Arc<str>, ExportSpec> {
        let mut main = Path::root();
        main.push(self.model.roots.main, Select::All);
        let all = self.model.measurement(self.root);
        let exports = self.listed(&main, all, "export").into_iter();
        exports
            .filter_map(|(path, entry)| self.export(&path, entry, store))
            .collect()
    }

    fn export(
        &mut self,
        path: &Path,
        entry: &Children,
        store: Option<&StoreSettings>,
    ) -> Option<(Arc<str>, ExportSpec)> {
        let leaves = Leaves::of(&self.model.schema, entry);
        let (name, kind) = (leaves.one("name")?, leaves.one("kind")?);
        for (leaf, kinds) in OF_KINDS {
            if leaves.has(leaf) && !kinds.contains(&kind) {
                let what = format!("{leaf}: not for kind {kind}: leave it out");
                self.wrong_at(path, leaf, what);
            }
        }
        let sink = self.sink(path, kind, &leaves);
        let own = leaves.one("spool-path").map(PathBuf::from);
        let above = own.or_else(|| store.map(|store| store.path.join(IN_STORE)));
        if above.is_none() {
            let what = "rows need a directory to wait in: add spool-path, or [store]";
            self.wrong_at(path, "spool-path", what.to_owned());
        }
        let max_octets = size("spool", leaves.one("spool").unwrap_or(SPOOL));
        let max_octets = max_octets.map_err(|what| self.wrong_at(path, "spool", what));
        let age = above_zero(leaves.one("batch-age").unwrap_or(BATCH_AGE));
        let age = age.map_err(|advice| {
            self.wrong_at(path, "batch-age", format!("batch-age: {advice}"));
        });
        let rows = leaves.one("batch-rows").and_then(|text| text.parse().ok());
        let spec = ExportSpec {
            sink: sink?,
            directory: above?.join(format!("{name}.{kind}")),
            max_octets: max_octets.ok()?,
            batch_rows: rows.unwrap_or(BATCH_ROWS),
            batch_age: age.ok()?.0,
        };
        let is_on = leaves.one("enabled") != Some("false");
        is_on.then(|| (Arc::from(name), spec))
    }

    fn sink(&mut self, path: &Path, kind: &str, leaves: &Leaves) -> Option<Sink> {
        if kind == "exec" {
            let sink = Sink::exec(leaves.each("exec"));
            return sink.map_err(|what| self.wrong_at(path, "exec", what)).ok();
        }
        let Some(url) = leaves.one("url") else {
            self.wrong_at(path, "kind", format!("kind {kind}: add url"));
            return None;
        };
        let at = self.endpoint(path, "url", url, leaves)?;
        Some(match kind {
            "clickhouse" => {
                let table = leaves.one("table").unwrap_or(TABLE);
                Sink::ClickHouse(at, table.to_owned())
            }
            "remote-write" => Sink::RemoteWrite(at),
            "otlp" => Sink::Otlp(at.below("/v1/metrics")),
            _ => Sink::Webhook(at),
        })
    }
}
