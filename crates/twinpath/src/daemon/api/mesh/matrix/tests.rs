use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::*;
use crate::daemon::mesh::MeshState;
use twinpath_report::ClockState;

/// Nodes n0, n1, ... in a full mesh; those with an odd number are at site b.
fn mesh(nodes: usize) -> MeshState {
    let mut text = "name = \"<prod>\"\nserial = 7\n".to_owned();
    for node in 0..nodes {
        let site = if node % 2 == 0 { "a" } else { "b" };
        writeln!(
            text,
            "[[node]]\nname = \"n{node:03}\"\naddress = \"192.0.2.{}:{}\"\nlabels = {{ site = \"{site}\" }}",
            node % 256,
            20_000 + node
        )
        .unwrap();
    }
    text.push_str("[[mesh]]\nname = \"core & edge\"\ntopology = \"full\"\n");
    MeshState::of_text(&text)
}

fn state(mesh: &MeshState) -> State {
    State {
        name: "probe".to_owned(),
        entries: Vec::new(),
        alarms: Vec::new(),
        alerts: BTreeMap::new(),
        started: Wall::from_unix_ns(0),
        uptime: Duration::ZERO,
        clock: ClockState {
            synchronized: false,
            error_ns: None,
        },
        store: None,
        exports: Vec::new(),
        mesh: Some(mesh.clone()),
        events_dropped: 0,
        twamp: crate::daemon::twamp::TwampState::default(),
        needs_restart: Vec::new(),
    }
}

fn cell(from: &str, to: &str, state: CellState) -> Cell {
    Cell {
        mesh: "core & edge".to_owned(),
        from: from.to_owned(),
        to: to.to_owned(),
        by: "n000".to_owned(),
        state,
        loss_ratio: Some(0.0),
        is_two_way_loss: false,
        median_ns: Some(1_500_000),
        is_round_trip: true,
        answered_ns: Some(1_700_000_000_000_000_000),
        fresh_until_ns: i64::MAX,
    }
}

fn shown_page(nodes: usize, cells: Vec<Cell>, asked: &str) -> String {
    let mesh = mesh(nodes);
    let mut report = MeshReport {
        schema: String::new(),
        name: String::new(),
        serial: 7,
        node: Some("n000".to_owned()),
        at_ns: 0,
        gone: Vec::new(),
        cells,
    };
    report.judge();
    let uri = format!("/mesh{asked}").parse().unwrap();
    page(&state(&mesh), &mesh, Some(&report), &Query::of(&uri))
}

/// The classes and texts of the cells, row by row.
fn cells(page: &str) -> Vec<Vec<(String, String)>> {
    let body = &page[page.find("<h2>").unwrap()..];
    let table = &body[body.find("<table").unwrap()..body.find("</table>").unwrap() + 8];
    let document = roxmltree::Document::parse(table).unwrap();
    let rows = document
        .descendants()
        .filter(|it| it.has_tag_name("tr"))
        .skip(1);
    let rows = rows.map(|row| {
        let cells = row.children().filter(|it| it.has_tag_name("td"));
        let cells = cells.map(|cell| {
            let text: String = cell
                .descendants()
                .filter_map(|it| it.text())
                .take(1)
                .collect();
            let class = cell.attribute("class").unwrap_or_default().to_owned();
            (class, text.trim().to_owned())
        });
        cells.collect()
    });
    rows.collect()
}

#[test]
fn a_cell_is_green_only_by_a_fresh_row() {
    use CellState::{Alarm, Good, Lossy, Silent};
    let mut old = cell("n000", "n004", Good);
    old.fresh_until_ns = -1;
    let mut lossy = cell("n000", "n002", Lossy);
    lossy.loss_ratio = Some(0.015);
    let all = vec![
        cell("n000", "n001", Good),
        lossy,
        cell("n000", "n003", Alarm),
        old,
        cell("n005", "n001", Silent),
        cell("n000", "n005", Good),
    ];
    let page = shown_page(7, all, "");
    let cells = cells(&page);
    let first: Vec<(&str, &str)> = cells[0]
        .iter()
        .map(|(class, text)| (class.as_str(), text.as_str()))
        .collect();
    assert_eq!(
        first,
        [
            ("", ""),
            ("g", "1.500ms"),
            ("l", "1.500 %"),
            ("a", "1.500ms"),
            ("u", ""),
            ("g", "1.500ms"),
            // Measured, and nothing is known of it.
            ("u", ""),
        ]
    );
    assert_eq!(cells[5][1], ("s".to_owned(), "no replies".to_owned()));
    assert!(
        page.contains("&lt;prod&gt;")
            && page.contains("core &amp; edge")
            && !page.contains("<script")
    );
    assert!(page.contains("<a href=\"/mesh/0/0/1\">"));
}

#[test]
fn a_node_that_is_gone_is_grey_with_its_last_answer() {
    let silent = |from: &str, to: &str| cell(from, to, CellState::Silent);
    let all = vec![
        silent("n000", "n001"),
        silent("n001", "n000"),
        cell("n000", "n002", CellState::Good),
        cell("n002", "n000", CellState::Good),
    ];
    let page = shown_page(3, all, "");
    let cells = cells(&page);
    for (row, column) in [(0, 1), (1, 0), (1, 2), (2, 1)] {
        assert_eq!(cells[row][column].0, "u", "{row} {column}");
    }
    assert_eq!(cells[0][2].0, "g");
    assert!(
        page.contains("<b>n001</b> is gone: last answer 2023-11-14T22:13:20"),
        "{page}"
    );
}

#[test]
fn labels_choose_and_group_nodes() {
    let only = shown_page(6, Vec::new(), "?site=a");
    assert_eq!(cells(&only).len(), 3);
    assert!(only.contains(">n004</th>") && !only.contains(">n003</th>"));
    let grouped = shown_page(6, Vec::new(), "?group=site");
    let order: Vec<usize> = ["n000", "n002", "n004", "n001", "n003", "n005"]
        .map(|node| grouped.find(&format!("{node}</th>")).unwrap())
        .to_vec();
    assert!(order.is_sorted(), "{order:?}");
    assert_eq!(grouped.matches("<tr class=\"n\">").count(), 1);
    assert!(
        grouped.contains("<b>group by site</b>") && grouped.contains("/mesh?group=site&amp;site=b")
    );
}

#[test]
fn a_large_mesh_has_signs_and_a_bound() {
    let page = shown_page(200, vec![cell("n000", "n001", CellState::Good)], "");
    let cells = cells(&page);
    assert_eq!((cells.len(), cells[0].len()), (200, 200));
    assert_eq!(cells[0][1], ("g".to_owned(), "·".to_owned()));
    assert!(page.len() < 4_000_000, "{}", page.len());
    let bounded = shown_page(300, Vec::new(), "");
    assert!(bounded.contains("and 50 more nodes: choose some by a label"));
}
