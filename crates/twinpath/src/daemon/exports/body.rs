//! What batches consist of. A row is encoded once, as a record; a batch is made of records.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::sink::Kind;
use super::{ExportRow, otlp, remote_write};
use crate::store::StoredRow;

/// A row as JSON: its host and labels, then the columns of the store.
#[derive(Serialize)]
struct JsonRow<'a> {
    host: &'a str,
    labels: BTreeMap<&'a str, &'a str>,
    #[serde(flatten)]
    row: StoredRow,
}

/// The document of a batch, up to its rows.
#[derive(Serialize)]
struct Head<'a> {
    schema: &'static str,
    export: &'a str,
    host: &'a str,
    batch: &'a str,
}

/// How the rows of an export are written.
#[derive(Debug)]
pub(super) struct Encoding {
    kind: Kind,
    export: String,
    /// What this host is called.
    host: Arc<str>,
}

impl Encoding {
    pub(super) fn new(kind: Kind, export: &str, host: Arc<str>) -> Self {
        Self {
            kind,
            export: export.to_owned(),
            host,
        }
    }

    /// A row.
    pub(super) fn record(&self, row: &ExportRow) -> Vec<u8> {
        let labels = &row.session.target.labels;
        let stored = StoredRow::of(&row.interval);
        match self.kind {
            Kind::RemoteWrite => remote_write::record(&stored, &self.host, labels),
            Kind::Otlp => otlp::record(&stored, &self.host, labels),
            Kind::ClickHouse | Kind::Webhook | Kind::Exec => {
                let pairs = labels.iter();
                let row = JsonRow {
                    host: &self.host,
                    labels: pairs.map(|it| (&*it.key, &*it.value)).collect(),
                    row: stored,
                };
                // Memory takes it, and all keys are strings.
                serde_json::to_vec(&row).unwrap_or_default()
            }
        }
    }

    /// Adds a record to the content of a batch.
    pub(super) fn add(&self, content: &mut Vec<u8>, record: &[u8]) {
        match self.kind {
            Kind::RemoteWrite | Kind::Otlp => content.extend_from_slice(record),
            Kind::ClickHouse => {
                content.extend_from_slice(record);
                content.push(b'\n');
            }
            Kind::Webhook | Kind::Exec => {
                if !content.is_empty() {
                    content.extend_from_slice(b",\n");
                }
                content.extend_from_slice(record);
            }
        }
    }

    /// What is sent of a batch with this id.
    pub(super) fn body(&self, content: &[u8], id: &str) -> Vec<u8> {
        match self.kind {
            Kind::ClickHouse | Kind::Otlp => content.to_vec(),
            Kind::RemoteWrite => remote_write::body(content),
            Kind::Webhook | Kind::Exec => {
                let head = Head {
                    schema: "twinpath-rows-1",
                    export: &self.export,
                    host: &self.host,
                    batch: id,
                };
                let mut body = serde_json::to_vec(&head).unwrap_or_default();
                body.pop();
                body.extend_from_slice(b",\"rows\":[\n");
                body.extend_from_slice(content);
                body.extend_from_slice(b"]}\n");
                body
            }
        }
    }
}
