//! Many sessions, each drawn small: on a page and in a picture.

use roxmltree::Document;
use sha2::{Digest as _, Sha256};

use super::labels;
use super::runs::{Fortune, Random, Run};
use crate::picture::many::{SCRIPT, SCRIPT_HASH};
use crate::picture::{
    KeyFigure, MOST_TILES, ManyPage, Overview, PictureNote, PictureSession, Theme, Tile, TimeAxis,
    svg_of_many,
};

/// A mesh whose session of rank 0 loses every fourth packet in its second half, and that of rank 1 all.
pub(super) fn mesh(count: usize) -> (Overview, Vec<Tile>) {
    let run = Run {
        count: 60,
        interval_ns: 1_000_000_000,
        offset_ns: 0,
        ppm: 0.0,
    };
    let mut random = Random(9);
    let tiles: Vec<Tile> = (0..count)
        .map(|rank| {
            let session =
                run.session(
                    &format!("fra-core{rank} ef path {}", rank % 16),
                    |seq| match rank {
                        0 if seq > 30 && seq % 4 == 0 => Fortune::Lost,
                        1 => Fortune::Lost,
                        _ => Fortune::Took(2_000_000 + random.queue(90_000.0), 2_000_000),
                    },
                );
            tile(rank, session)
        })
        .collect();
    let axes = tiles.iter().filter_map(|tile| tile.session.time());
    let overview = Overview {
        title: format!("{count} sessions"),
        subtitle: "every 1 s; 41-octet packets".to_owned(),
        summary: vec!["2 of 3 targets lose packets; worst: fra-core0 <b>".to_owned()],
        notes: vec![PictureNote {
            line: "the wait of one (3 sessions)".to_owned(),
            warning: true,
        }],
        failed: vec!["bad & gone: cannot resolve it".to_owned()],
        sessions: count,
        time: axes.reduce(TimeAxis::and),
    };
    (overview, tiles)
}

fn tile(rank: usize, session: PictureSession) -> Tile {
    Tile {
        rank,
        number: rank + 1,
        ends: format!("192.0.2.1:{} to 198.51.100.7:862", 20_000 + rank),
        loss: if session.lost > 0 {
            "25.00% lost"
        } else {
            "no loss"
        }
        .to_owned(),
        delay: "4.040ms median, 4.200ms p99".to_owned(),
        delay_ns: i64::try_from(rank).ok().map(|rank| rank * 10),
        notes: Vec::new(),
        range: session.range(),
        session,
    }
}

pub(super) fn page((overview, tiles): &(Overview, Vec<Tile>)) -> String {
    let mut page = ManyPage::new(overview);
    // In another order than that of their ranks.
    tiles.iter().rev().for_each(|tile| page.add(tile));
    page.finish(Theme::Auto, "twinpath 0")
}

/// What is in the elements of this class.
fn of_class<'a>(page: &'a str, class: &str) -> Vec<&'a str> {
    let begin = format!("<span class=\"{class}\">");
    let parts = page.split(&begin).skip(1);
    parts
        .map(|part| part.split('<').next().unwrap_or_default())
        .collect()
}

#[test]
fn sessions_are_in_the_order_of_their_ranks_and_only_the_worst_have_all_charts() {
    let page = page(&mesh(40));
    let names = of_class(&page, "n");
    let expected: Vec<String> = (0..40)
        .map(|rank| format!("fra-core{rank} ef path {}", rank % 16))
        .collect();
    assert_eq!(names, expected);
    assert_eq!(page.matches("<svg class=\"tp small\"").count(), 40);
    assert_eq!(page.matches("class=\"card full\"").count(), 16);
    assert_eq!(page.matches("<h2>Pictures</h2>").count(), 16);
    let full = page.rfind("<h2>Pictures</h2>").unwrap();
    assert!(full < page.find("fra-core16 ").unwrap());
    // The others have their figures in a line.
    assert_eq!(page.matches("Packets 60; Lost 0; ").count(), 24);
}

#[test]
fn what_is_remarkable_is_on_top_and_what_was_not_measured_is_listed() {
    let page = page(&mesh(20));
    let places = [
        "<h1>20 sessions</h1>",
        "<p class=\"lead\">2 of 3 targets lose packets; worst: fra-core0 &lt;b&gt;</p>",
        "the wait of one (3 sessions)",
        "1 target not measured",
        "<p>bad &amp; gone: cannot resolve it</p>",
        "<div id=\"sessions\">",
        "<span class=\"l bad\">25.00% lost</span>",
    ]
    .map(|part| page.find(part).unwrap_or_else(|| panic!("{part}")));
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn ids_are_unique_and_every_reference_has_its_target() {
    let page = page(&mesh(20));
    let ids = page.split(" id=\"").skip(1);
    let mut ids: Vec<&str> = ids.map(|part| part.split('"').next().unwrap()).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
    for part in page.split("url(#").skip(1) {
        let name = part.split(')').next().unwrap();
        assert!(ids.binary_search(&name).is_ok(), "{name}");
    }
}

#[test]
fn the_page_runs_its_own_script_and_no_other_and_needs_none() {
    let page = page(&mesh(20));
    let hash = Sha256::digest(SCRIPT);
    assert_eq!(SCRIPT_HASH, base64(&hash), "the script has changed");
    assert!(page.contains(&format!("script-src 'sha256-{SCRIPT_HASH}';")));
    assert_eq!(page.matches("<script>").count(), 1);
    assert!(page.contains(&format!("<script>{SCRIPT}</script>")));
    // What only the script can use is not shown without it.
    assert!(page.contains("<div id=\"controls\" hidden>"));
    for part in ["http://", "https://", "src=", "@import", "onclick"] {
        let named = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!named.contains(part), "{part}");
    }
}

fn base64(octets: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in octets.chunks(3) {
        let bits = three
            .iter()
            .chain(&[0, 0])
            .take(3)
            .fold(0, |bits: usize, octet| bits << 8 | usize::from(*octet));
        for digit in 0..=three.len() {
            text.push(DIGITS[bits >> (18 - 6 * digit) & 63].into());
        }
    }
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

#[test]
fn a_session_among_many_takes_little_of_the_page() {
    let size = |count| page(&mesh(count)).len();
    let each = (size(120) - size(20)) / 100;
    assert!(each < 2_000, "{each} octets");
}

#[test]
fn nothing_from_outside_is_markup_among_many() {
    let odd = "<script>alert(1)</script>&\"'\u{0}\u{1b}\u{202e}";
    let (mut overview, mut tiles) = mesh(12);
    overview.title = odd.to_owned();
    overview.summary = vec![odd.to_owned()];
    overview.failed = vec![odd.to_owned()];
    for tile in &mut tiles {
        for text in [&mut tile.ends, &mut tile.loss, &mut tile.session.name] {
            *text = odd.to_owned();
        }
        tile.session.figures = vec![KeyFigure {
            name: "Packets",
            value: odd.to_owned(),
        }];
    }
    let svg = svg_of_many(&overview, &tiles, Theme::Auto);
    Document::parse(&svg).unwrap();
    for text in [svg, page(&(overview, tiles))] {
        for part in ["<script>alert", "\u{0}", "\u{1b}", "\u{202e}"] {
            assert!(!text.contains(part), "{part:?}");
        }
    }
}

#[test]
fn a_picture_has_the_worst_and_says_how_many_there_are() {
    let (mut overview, tiles) = mesh(60);
    let worst = &tiles[..MOST_TILES];
    let svg = svg_of_many(&overview, worst, Theme::Light);
    labels::check("many", &svg);
    let document = Document::parse(&svg).unwrap();
    let words = labels::words(&document);
    let said = |text: &str| words.iter().any(|it| it.text.starts_with(text));
    assert!(said("The worst 48 of 60 sessions, by loss"), "{words:?}");
    assert!(said("fra-core0 ") && said("fra-core47 ") && !said("fra-core48 "));
    overview.sessions = 12;
    let svg = svg_of_many(&overview, &tiles[..12], Theme::Dark);
    labels::check("12", &svg);
    assert!(svg.contains(">12 sessions, worst first"), "{svg}");
}

#[test]
fn sessions_without_any_packet_are_shown_by_their_names() {
    let (mut overview, mut tiles) = mesh(12);
    overview.time = None;
    for tile in &mut tiles {
        tile.session.columns.clear();
        tile.range = None;
    }
    let svg = svg_of_many(&overview, &tiles, Theme::Light);
    labels::check("none", &svg);
    let page = page(&(overview, tiles));
    assert_eq!(of_class(&page, "n").len(), 12);
    assert_eq!(page.matches("class=\"tp small\"").count(), 0);
}

#[test]
fn losses_are_drawn_in_a_small_chart_in_colours_and_patterns() {
    let page = page(&mesh(12));
    let cards: Vec<&str> = page.split("<details class=\"card").skip(1).collect();
    let small = |card: &str| card.split("</svg>").next().unwrap().to_owned();
    let [lossy, silent, good] = [0, 1, 2].map(|rank| small(cards[rank]));
    assert!(lossy.contains("class=\"loss-4\"") && !lossy.contains("g-silence"));
    assert!(silent.contains("url(#g-silence)") && !silent.contains("class=\"median\""));
    assert!(good.contains("class=\"median\"") && !good.contains("loss-"));
    // In whole units, which take fewer octets.
    assert!(!good.split("d=\"").skip(1).any(|path| {
        let path = path.split('"').next().unwrap();
        path.contains('.') && !path.contains(".2")
    }));
}
