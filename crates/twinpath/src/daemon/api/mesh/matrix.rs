//! The matrix as a page. It needs no script: cells are links, headings stay in place as it is scrolled.

use std::collections::HashSet;
use std::fmt::Write as _;

use twinpath_wire::Wall;

use crate::daemon::mesh::{Cell, CellState, MeshDocument, MeshReport, MeshState, measured_pairs};
use crate::output::rfc3339;
use crate::output::units::{self, count};
use crate::picture::{Head, closing, escaped, opening};

use super::super::labels::{self, GROUP};
use super::super::{MADE_BY, Query, State};

/// Nodes of a page at most: others are counted.
const MOST_NODES: usize = 250;
/// Cells have figures where there are no more nodes than these.
const MOST_WITH_FIGURES: usize = 30;
/// Nodes that are gone and named, at most.
const MOST_GONE: usize = 60;
/// How often the page is loaded again, in seconds.
const REFRESH_S: u32 = 15;

const FORMS: &str = "\
:root{--good:#bfe3c8;--lossy:#ffd98a;--alarm:#e5533d;--silent:#e5533d;--grey:#c9ced4;--on:#10151a;--over:#fff}
@media (prefers-color-scheme:dark){:root{--good:#1f5c38;--lossy:#8a6410;--alarm:#b8331f;--silent:#b8331f;--grey:#4a525b;--on:#f2f5f7;--over:#fff}}
main{max-width:none}
a{color:inherit}
.chips a,.chips b{margin-right:10px}
.matrix{overflow:auto;max-height:86vh;max-width:100%;border:1px solid var(--line);margin-bottom:12px}
table.mesh{width:auto;border-collapse:separate;border-spacing:1px}
table.mesh th{font-weight:400;font-size:12px;padding:2px 4px;border:0;background:var(--bg);position:sticky;white-space:nowrap;min-width:0;max-width:none}
table.mesh thead th{top:0;z-index:1;writing-mode:vertical-rl;transform:rotate(180deg);text-align:left;color:var(--ink)}
table.mesh tbody th{left:0;text-align:left}
table.mesh thead th:first-child{left:0;z-index:2;writing-mode:horizontal-tb;transform:none;text-align:left;vertical-align:bottom}
table.mesh td{padding:0;border:0;min-width:14px;height:14px;text-align:center;font-size:12px;line-height:14px}
table.mesh.few td{min-width:58px;height:24px;line-height:24px}
table.mesh td a{display:block;text-decoration:none}
table.mesh .n{border-left:2px solid var(--ink)}
table.mesh thead th.n{border-left:0;border-right:2px solid var(--ink)}
table.mesh tr.n td,table.mesh tr.n th{border-top:2px solid var(--ink)}
td.g,b.g{background:var(--good);color:var(--on)}
td.l,b.l{background:var(--lossy);color:var(--on)}
td.a,b.a{background:var(--alarm);color:var(--over);font-weight:700}
td.s,b.s{background:var(--silent);color:var(--over);font-weight:700}
td.u,b.u{background:var(--grey);color:var(--on)}
.key b{display:inline-block;min-width:20px;text-align:center;margin:0 4px 0 12px;font-weight:400}
";

/// A cell as it is shown: class, sign, what that means.
type Form = (&'static str, &'static str, &'static str);

const GONE: Form = ("u", "", "unknown, or a node that is gone");

fn form(state: CellState) -> Form {
    match state {
        CellState::Good => ("g", "·", "answered without loss"),
        CellState::Lossy => ("l", "!", "losses"),
        CellState::Alarm => ("a", "A", "an alert is raised"),
        CellState::Silent => ("s", "×", "no replies"),
        CellState::Unknown => GONE,
    }
}

/// The page.
pub(super) fn page(
    state: &State,
    mesh: &MeshState,
    report: Option<&MeshReport>,
    asked: &Query,
) -> String {
    let document = mesh.document.as_deref();
    let title = match document {
        Some(document) => format!("Mesh {} on {}", document.name, state.name),
        None => format!("Mesh on {}", state.name),
    };
    let mut page = opening(&Head {
        title: &title,
        forms: FORMS,
        refresh_s: Some(REFRESH_S),
        ..Head::default()
    });
    let _ = writeln!(page, "<h1>{}</h1>", escaped(&title));
    about(mesh, report, &mut page);
    if let (Some(document), Some(report)) = (document, report) {
        key(&mut page);
        let labels = (0..document.nodes()).filter_map(|node| document.labels(node));
        labels::links("/mesh", labels.flatten(), asked, &mut page);
        let shown = shown(document, asked);
        let gone: HashSet<&str> = report.gone.iter().map(|gone| gone.node.as_str()).collect();
        for (number, name) in document.mesh_names().enumerate() {
            let matrix = Matrix {
                document,
                number,
                report,
                gone: &gone,
                group: asked.get(GROUP),
            };
            matrix.write(name, &shown, &mut page);
        }
    }
    let _ = writeln!(
        page,
        "<p class=\"sub\"><a href=\"/\">all sessions</a> · <a href=\"/mesh.json\">as JSON</a></p>"
    );
    closing(MADE_BY, None, &mut page);
    page
}

/// Which document is in force, which node this is, and who is gone.
fn about(mesh: &MeshState, report: Option<&MeshReport>, page: &mut String) {
    if let Some(document) = mesh.document.as_deref() {
        let nodes = count(document.nodes() as u64, "node", "nodes");
        let node = mesh.node_name();
        let own = node.map_or_else(
            || "this host is no node".to_owned(),
            |node| format!("this host is {node}"),
        );
        let line = format!("serial {}, {nodes}; {own}", document.serial);
        let _ = writeln!(page, "<p class=\"lead\">{}</p>", escaped(&line));
    } else {
        page.push_str("<p class=\"lead\">no document yet</p>\n");
    }
    if let Some(fault) = mesh.fault() {
        let _ = writeln!(
            page,
            "<p class=\"note warning\"><b>Document:</b> {}</p>",
            escaped(fault)
        );
    }
    let gone = report
        .map(|report| report.gone.as_slice())
        .unwrap_or_default();
    for one in gone.iter().take(MOST_GONE) {
        let since = one.answered_ns.map_or_else(
            || "no answer since this daemon was started".to_owned(),
            |ns| format!("last answer {}", rfc3339(Wall::from_unix_ns(ns))),
        );
        let _ = writeln!(
            page,
            "<p class=\"note\"><b>{}</b> is gone: {since}</p>",
            escaped(&one.node)
        );
    }
    if let more @ 1.. = gone.len().saturating_sub(MOST_GONE) {
        let more = count(more as u64, "more node is", "more nodes are");
        let _ = writeln!(page, "<p class=\"note\">{more} gone</p>");
    }
}

fn key(page: &mut String) {
    page.push_str("<p class=\"sub key\">rows: from, columns: to");
    let states = [
        CellState::Good,
        CellState::Lossy,
        CellState::Alarm,
        CellState::Silent,
        CellState::Unknown,
    ];
    for state in states {
        let (class, sign, words) = form(state);
        let _ = write!(page, "<b class=\"{class}\">{sign}\u{a0}</b>{words}");
    }
    page.push_str("</p>\n");
}

/// The places of nodes that are asked for, in the order of their groups and names.
fn shown(document: &MeshDocument, asked: &Query) -> Vec<usize> {
    let labels = |node: usize| document.labels(node);
    let nodes = (0..document.nodes()).filter(|node| {
        let mut wanted = asked.others(&[GROUP]);
        wanted.all(|(label, value)| {
            labels(*node)
                .and_then(|all| all.get(label))
                .is_some_and(|known| known == value)
        })
    });
    let mut nodes: Vec<usize> = nodes.collect();
    if let Some(label) = asked.get(GROUP) {
        // The order of names stays within a group.
        nodes.sort_by_key(|node| labels(*node).and_then(|all| all.get(label)));
    }
    nodes
}

/// A mesh.
struct Matrix<'a> {
    document: &'a MeshDocument,
    /// Its place in the document.
    number: usize,
    report: &'a MeshReport,
    gone: &'a HashSet<&'a str>,
    group: Option<&'a str>,
}

impl Matrix<'_> {
    fn write(&self, name: &str, shown: &[usize], out: &mut String) {
        let members = self.document.members(self.number);
        let members: HashSet<usize> = members.iter().copied().collect();
        let all = shown.iter().copied().filter(|node| members.contains(node));
        let mut nodes: Vec<usize> = all.collect();
        let _ = writeln!(out, "<h2>{}</h2>", escaped(name));
        let more = nodes.len().saturating_sub(MOST_NODES);
        nodes.truncate(MOST_NODES);
        let few = if nodes.len() <= MOST_WITH_FIGURES {
            " few"
        } else {
            ""
        };
        let _ = write!(
            out,
            "<div class=\"matrix\"><table class=\"mesh{few}\"><thead><tr><th scope=\"col\"></th>"
        );
        for (place, node) in nodes.iter().enumerate() {
            let class = self.first_of_group(&nodes, place);
            let _ = write!(
                out,
                "<th scope=\"col\"{class}>{}</th>",
                escaped(self.name(*node))
            );
        }
        out.push_str("</tr></thead>\n<tbody>\n");
        let cells = self.report.by_pair(name);
        let pairs = measured_pairs(self.document, self.number, &nodes);
        for (row, from) in nodes.iter().enumerate() {
            let class = self.first_of_group(&nodes, row);
            let _ = write!(
                out,
                "<tr{class}><th scope=\"row\">{}</th>",
                escaped(self.name(*from))
            );
            for (column, to) in nodes.iter().enumerate() {
                let border = if self.first_of_group(&nodes, column).is_empty() {
                    ""
                } else {
                    " n"
                };
                if !pairs.contains(&(*from, *to)) {
                    let class = if border.is_empty() {
                        ""
                    } else {
                        " class=\"n\""
                    };
                    let _ = write!(out, "<td{class}></td>");
                    continue;
                }
                let cell = cells.get(&(self.name(*from), self.name(*to))).copied();
                self.cell([*from, *to], cell, border, !few.is_empty(), out);
            }
            out.push_str("</tr>\n");
        }
        out.push_str("</tbody></table></div>\n");
        if more > 0 {
            let more = count(more as u64, "more node", "more nodes");
            let _ = writeln!(
                out,
                "<p class=\"sub\">and {more}: choose some by a label</p>"
            );
        }
    }

    fn name(&self, node: usize) -> &str {
        self.document.node_name(node).unwrap_or_default()
    }

    /// A class for the first node of a group, but the first of all.
    fn first_of_group(&self, nodes: &[usize], place: usize) -> &'static str {
        let value = |place: usize| {
            let labels = self.document.labels(*nodes.get(place)?)?;
            labels.get(self.group?)
        };
        match place.checked_sub(1) {
            Some(before) if value(before) != value(place) => " class=\"n\"",
            Some(_) | None => "",
        }
    }

    fn cell(
        &self,
        [from, to]: [usize; 2],
        cell: Option<&Cell>,
        border: &str,
        has_figures: bool,
        out: &mut String,
    ) {
        let is_gone = [from, to]
            .iter()
            .any(|node| self.gone.contains(self.name(*node)));
        let state = cell.map(|cell| form(cell.state)).filter(|_| !is_gone);
        let (class, sign, _) = state.unwrap_or(GONE);
        let text = match cell.filter(|_| has_figures && !is_gone) {
            Some(cell) => figures(cell),
            None => sign.to_owned(),
        };
        let number = self.number;
        let _ = write!(
            out,
            "<td class=\"{class}{border}\"><a href=\"/mesh/{number}/{from}/{to}\">{}\u{a0}</a></td>",
            escaped(&text)
        );
    }
}

/// Loss where there is some, else the delay.
fn figures(cell: &Cell) -> String {
    match cell.state {
        CellState::Unknown => String::new(),
        CellState::Silent => "no replies".to_owned(),
        CellState::Good | CellState::Lossy | CellState::Alarm => {
            let loss = cell.loss_ratio.filter(|loss| *loss > 0.0);
            match (loss, cell.median_ns) {
                (Some(loss), _) => format!("{:.3} %", loss * 100.0),
                (None, Some(median)) => units::delay(median),
                (None, None) => String::new(),
            }
        }
    }
}

#[cfg(test)]
mod tests;
