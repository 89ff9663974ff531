//! DSCP names, values and ToS octets.

use std::io::{self, Write};

use serde::Serialize;
use twinpath_wire::Dscp;

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    dscp: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: &'static str,
    dscp: u8,
    tos: u8,
    tos_hex: String,
    tos_binary: String,
}

/// Every name, by value; names of one value are grouped.
fn rows() -> Vec<Row> {
    let row = |(name, dscp): (&'static str, Dscp)| {
        let tos = dscp.tos().0;
        Row {
            name,
            dscp: dscp.value(),
            tos,
            tos_hex: format!("0x{tos:02x}"),
            tos_binary: format!("{tos:08b}"),
        }
    };
    Dscp::NAMES.into_iter().map(row).collect()
}

/// For people.
///
/// # Errors
/// Errors of writing to `out`.
pub(crate) fn text(out: &mut impl Write) -> io::Result<()> {
    let line = "-".repeat(53);
    writeln!(
        out,
        "Name        DSCP   ToS binary   ToS hex   ToS decimal\n{line}"
    )?;
    for row in rows() {
        writeln!(
            out,
            "{:<11} {:>4}   {:>10}   {:>7}   {:>11}",
            row.name, row.dscp, row.tos_binary, row.tos_hex, row.tos
        )?;
    }
    out.flush()
}

/// For machines.
///
/// # Errors
/// Errors of writing to `out`.
pub(crate) fn json(out: &mut impl Write) -> io::Result<()> {
    super::json::write(
        &Document {
            schema: "twinpath-dscptable-1",
            dscp: rows(),
        },
        out,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_name_by_value() {
        let mut out = Vec::new();
        text(&mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
    }

    #[test]
    fn the_document_has_the_same_rows() {
        let mut out = Vec::new();
        json(&mut out).unwrap();
        let document: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let rows = document["dscp"].as_array().unwrap();
        let names: std::collections::BTreeSet<_> =
            rows.iter().map(|row| row["name"].as_str()).collect();
        assert_eq!(names.len(), rows.len(), "each name once");
        assert_eq!(rows.len(), Dscp::NAMES.len());
        let ef = rows.iter().find(|row| row["name"] == "ef").unwrap();
        assert_eq!(ef["dscp"], 46);
        assert_eq!(ef["tos"], 184);
        assert_eq!(ef["tos_hex"], "0xb8");
        assert_eq!(ef["tos_binary"], "10111000");
    }
}
