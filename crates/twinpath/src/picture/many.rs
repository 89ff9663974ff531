//! A page of so many sessions that each is drawn small, worst first. What is open shows more: the worst
//! sessions all that a page of a few has, the others their figures and the same drawing, larger.
//!
//! It is complete without its script, which searches and sorts. The page's content security policy
//! names the script by its hash and forbids all others.

use std::fmt::Write as _;

use super::canvas::{Area, Canvas, escaped, patterns};
use super::data::{Overview, Picture, Tile};
use super::html::{Head, NARROW, WIDE, charts, closing, failed, notes, opening, table, title};
use super::{Theme, small};

/// The worst sessions, with all charts.
const MOST_CHARTS: usize = 16;
/// A small drawing in units of its own, which are stretched to the room that it has.
const SMALL: Area = Area {
    x: 0.0,
    y: 0.0,
    width: 480.0,
    height: 100.0,
};
const STRIP: f64 = 12.0;

/// What searches and sorts.
pub(super) const SCRIPT: &str = include_str!("many.js");
/// Of the script (`SHA-256`, in Base64): a test knows when it has changed.
pub(super) const SCRIPT_HASH: &str = "wbHtN2mp0X3q5zC2fLuTYgBm/nXBHZoR9Ya79WL+8+U=";

const FORMS: &str = "\
main{max-width:1240px}
#controls{display:flex;flex-wrap:wrap;gap:8px 16px;align-items:center;margin:8px 0}
#controls[hidden]{display:none}
#controls input,#controls select{font:inherit;color:inherit;background:var(--bg);border:1px solid var(--dim);border-radius:4px;padding:4px 8px;max-width:100%}
#shown{color:var(--dim)}
#sessions{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:10px}
@media (min-width:701px){#sessions{grid-template-columns:repeat(auto-fill,minmax(220px,1fr))}}
.card{border:1px solid var(--line);border-radius:4px;min-width:0;content-visibility:auto;contain-intrinsic-size:auto 150px}
.card[hidden]{display:none}
.card[open]{grid-column:1/-1;padding:0 8px 8px}
.card>summary{padding:8px;cursor:pointer;list-style:none;font-size:13px}
.card[open]>summary{padding:8px 0}
.card>summary::-webkit-details-marker{display:none}
.card span{display:block;overflow-wrap:anywhere}
.n{font-weight:700}
.l,.s,.d{font-variant-numeric:tabular-nums}
.bad{color:var(--loud);font-weight:700}
.s,.e{color:var(--dim)}
.small{display:block;width:100%;height:60px;margin:6px 0 2px;border-bottom:1px solid var(--dim)}
.small path{vector-effect:non-scaling-stroke}
.card[open] .small{height:160px}
.full td{white-space:normal}
.full[open] .small,.full[open] .s{display:none}
.defs{position:absolute;width:0;height:0}
@media print{.card{content-visibility:visible;break-inside:avoid}}
";

/// A page to which sessions are added in any order.
pub(crate) struct ManyPage<'a> {
    overview: &'a Overview,
    /// By rank.
    cards: Vec<String>,
}

impl<'a> ManyPage<'a> {
    pub(crate) fn new(overview: &'a Overview) -> Self {
        Self {
            overview,
            cards: vec![String::new(); overview.sessions],
        }
    }

    /// Adds one session.
    pub(crate) fn add(&mut self, tile: &Tile) {
        if let Some(slot) = self.cards.get_mut(tile.rank) {
            *slot = card(self.overview, tile);
        }
    }

    /// The whole page. `made_by`: the program and its version.
    pub(crate) fn finish(self, theme: Theme, made_by: &str) -> String {
        let overview = self.overview;
        let mut page = opening(&Head {
            title: &overview.title,
            theme,
            forms: FORMS,
            script: Some(SCRIPT_HASH),
            refresh_s: None,
        });
        title(&overview.title, &overview.subtitle, &mut page);
        let mut class = " class=\"lead\"";
        for sentence in &overview.summary {
            let _ = writeln!(page, "<p{class}>{}</p>", escaped(sentence));
            class = "";
        }
        notes(&overview.notes, true, &mut page);
        notes(&overview.notes, false, &mut page);
        failed(&overview.failed, &mut page);
        heading(overview, &mut page);
        let octets: usize = self.cards.iter().map(String::len).sum();
        page.reserve(octets + SCRIPT.len() + 1_000);
        page.push_str("<div id=\"sessions\">\n");
        for card in self.cards {
            page.push_str(&card);
        }
        page.push_str("</div>\n");
        closing(made_by, Some(SCRIPT), &mut page);
        page
    }
}

/// What is above the sessions: how to read them, and what the script needs.
fn heading(overview: &Overview, out: &mut String) {
    let _ = write!(
        out,
        "<h2>Sessions, worst first</h2>\n<svg class=\"tp defs\" aria-hidden=\"true\">{}</svg>\n",
        patterns("g")
    );
    if let Some(time) = overview.time {
        let _ = writeln!(
            out,
            "<p class=\"sub\">By loss, then by the p99 of the round trip. Each drawing: round trips from {}, \
             on the scale below it, and losses.</p>",
            escaped(&time.words())
        );
        out.push_str("<figure>");
        for (class, width) in [("wide", WIDE), ("narrow", NARROW)] {
            let mut canvas = Canvas::new(format!("key-{class}"), width);
            let bottom = small::key(&mut canvas, 0.0);
            let key = canvas.finish(bottom, "Key", "Colours of the drawings.", "");
            let _ = write!(out, "<div class=\"{class}\">{key}</div>");
        }
        out.push_str("</figure>\n");
    }
    out.push_str(
        "<div id=\"controls\" hidden>\n\
         <label>Search <input id=\"find\" type=\"search\" placeholder=\"name, address, class\"></label>\n\
         <label>Sort by <select id=\"sort\"><option value=\"worst\">loss, then p99</option>\
         <option value=\"delay\">round trip p99</option><option value=\"name\">name</option></select></label>\n\
         <output id=\"shown\"></output>\n</div>\n",
    );
}

/// One session.
fn card(overview: &Overview, tile: &Tile) -> String {
    let session = &tile.session;
    let full = tile.rank < MOST_CHARTS;
    let mut out = format!(
        "<details class=\"card{}\" id=\"s{}\"",
        if full { " full" } else { "" },
        tile.number
    );
    if let Some(ns) = tile.delay_ns {
        let _ = write!(out, " data-d=\"{ns}\"");
    }
    let _ = write!(
        out,
        "><summary><span class=\"n\">{}</span>",
        escaped(&session.name)
    );
    if let Some(time) = overview.time {
        let mut canvas = Canvas::new("g", SMALL.width);
        small::draw(&mut canvas, tile, time, (SMALL, STRIP));
        out.push_str(&canvas.stretched(SMALL.height));
    }
    let bad = if session.lost > 0 || session.incomplete {
        " bad"
    } else {
        ""
    };
    let _ = writeln!(
        out,
        "<span class=\"s\">{}</span><span class=\"l{bad}\">{}</span><span class=\"d\">{}</span></summary>",
        escaped(&small::scale(tile).unwrap_or_default()),
        escaped(&tile.loss),
        escaped(&tile.delay),
    );
    let _ = writeln!(
        out,
        "<p><span class=\"e\">{}</span>{}</p>",
        escaped(&tile.ends),
        escaped(&session.summary)
    );
    if full {
        details(tile, &mut out);
    } else {
        let figures = session.figures.iter();
        let figures: Vec<String> = figures
            .map(|figure| format!("{} {}", figure.name, figure.value))
            .collect();
        let _ = writeln!(out, "<p>{}</p>", escaped(&figures.join("; ")));
    }
    out.push_str("</details>\n");
    out
}

/// All that a page of one session has.
fn details(tile: &Tile, out: &mut String) {
    let picture = Picture {
        sessions: vec![tile.session.clone()],
        ..Picture::default()
    };
    notes(&tile.notes, true, out);
    notes(&tile.notes, false, out);
    table(&picture.sessions, out);
    charts(&picture, &format!("s{}-", tile.number), out);
}
