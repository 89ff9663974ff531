//! The page of a mesh in a real browser.

use super::{Document, FULL, cell, mesh_when};
use crate::daemon::Daemon;
use crate::daemon::browser::{self, SCHEMES, Scheme};
use crate::daemon::pages::get;
use crate::program::free_port;

const NODES: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

/// Whether the page fits and what of it is wider; each cell with its nodes and class, if it is seen and within its
/// matrix as it is scrolled; colours of a good cell and of one of a node that is gone.
const EXAMINE: &str = "
const root = page.documentElement;
const [matrix] = page.querySelectorAll('.matrix');
const columns = [...matrix.querySelectorAll('thead th')].map((head) => head.textContent);
const cells = [...matrix.querySelectorAll('tbody tr')].flatMap((row) => [...row.children].map((it, place) => {
  const from = row.children[0].textContent;
  const link = it.querySelector('a');
  const box = it.getBoundingClientRect();
  const seen = link && box.width > 10 && box.height > 10 && link.getBoundingClientRect().width > 10;
  return seen ? `${from}${columns[place]} ${it.className} ${link.textContent.trim() ? 'text' : 'blank'}` : null;
})).filter((it) => it);
const colour = (kind) => view.getComputedStyle(matrix.querySelector(`td.${kind}`)).backgroundColor;
return [
  `fits ${root.scrollWidth <= root.clientWidth}`,
  `scrolls ${matrix.scrollWidth > matrix.clientWidth}`,
  `gone ${[...page.querySelectorAll('.note b')].map((it) => it.textContent).join('')}`,
  cells.join(','),
  colour('g'),
  colour('u'),
].join('|');
";

/// The cells of all pairs, row by row: those of `a` and `b` are good, all others are those of nodes that are gone.
fn cells() -> String {
    let pairs = NODES.iter().flat_map(|from| NODES.map(|to| (from, to)));
    let pairs = pairs.filter(|(from, to)| *from != to);
    let cells = pairs.map(|(from, to)| {
        let is_good = ["ab", "ba"].contains(&&*format!("{from}{to}"));
        let form = if is_good { "g text" } else { "u blank" };
        format!("{from}{to} {form}")
    });
    cells.collect::<Vec<String>>().join(",")
}

#[test]
fn a_browser_shows_a_cell_for_each_pair_in_light_and_dark_and_on_a_phone() {
    if !browser::is_there() {
        return;
    }
    let both = FULL.replace("[responder]", "both-ends = true\n[responder]");
    let document = Document::of(&NODES, both.leak());
    document.write(1);
    let page = free_port();
    let listen = format!("[api]\nlisten = \"127.0.0.1:{page}\"\n");
    let a = Daemon::start(&document.configuration("a", &listen));
    let b = Daemon::start(&document.configuration("b", ""));
    let c = Daemon::start(&document.configuration("c", ""));
    let is_good = |it: &serde_json::Value, to: &str| {
        cell(it, "a", to) == "good" && cell(it, to, "a") == "good"
    };
    mesh_when(page, |it| is_good(it, "b") && is_good(it, "c"));
    drop(c);
    // Those that never ran, and the one that was killed.
    mesh_when(page, |it| {
        let gone = it["gone"].as_array().map_or(0, Vec::len);
        gone == NODES.len() - 2 && is_good(it, "b")
    });
    let html = get(page, "/mesh").body;
    assert_eq!((a.stop().status, b.stop().status), (0, 0));
    for scheme in SCHEMES {
        let colours = match scheme {
            Scheme::Light => "rgb(191, 227, 200)|rgb(201, 206, 212)",
            Scheme::Dark => "rgb(31, 92, 56)|rgb(74, 82, 91)",
        };
        let rest = format!("gone cdefghijkl|{}|{colours}", cells());
        let found = browser::examine(&html, scheme, EXAMINE);
        assert_eq!(
            found[0],
            format!("fits true|scrolls false|{rest}"),
            "{scheme:?}"
        );
        assert_eq!(
            found[1],
            format!("fits true|scrolls true|{rest}"),
            "{scheme:?}"
        );
    }
}
