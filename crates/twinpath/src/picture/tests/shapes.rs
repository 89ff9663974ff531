//! Requirements of every picture.

use std::fs;
use std::path::Path;
use std::time::Duration;

use roxmltree::Document;
use twinpath_metrics::{Column, Marks, Smoke};
use twinpath_wire::Wall;

use super::labels;
use super::runs::{self, Fortune};
use crate::output::ShownAlarm;
use crate::picture::sheet::{Chart, chart};
use crate::picture::{Picture, PictureNote, PictureSession, Theme, page, png, svg};

/// Extreme runs.
fn extremes() -> Vec<(String, Picture)> {
    let mut all: Vec<(String, Picture)> = Vec::new();
    for count in [0, 1, 2, 3, 1_000] {
        for (name, fortune) in [
            ("lost", Fortune::Lost),
            ("quick", Fortune::Took(0, 0)),
            ("usual", Fortune::Took(5_000_000, 4_000_000)),
            ("slow", Fortune::Took(1_000_000_000, 300)),
            ("slower", Fortune::Took(500_000_000_000, 700_000_000_000)),
            ("negative", Fortune::Took(-9_000_000, 2_000_000)),
        ] {
            all.push((format!("{count} {name}"), runs::tiny(count, fortune)));
        }
    }
    all.push(("nothing".to_owned(), Picture::default()));
    let mut wild = runs::tiny(1, Fortune::Lost);
    wild.sessions = vec![PictureSession::default(), of_columns(wild_columns())];
    wild.sessions[1].alarms = vec![ShownAlarm {
        name: "<alert>".repeat(50),
        about: String::new(),
        from: Wall::from_unix_ns(i64::MIN),
        to: Some(Wall::from_unix_ns(i64::MIN)),
    }];
    all.push(("wild".to_owned(), wild));
    let mut many = runs::tiny(50, Fortune::Took(1_000_000, 1_000_000));
    let one = many.sessions[0].clone();
    many.sessions = (0..40)
        .map(|number| PictureSession {
            name: format!("class {number} with a rather long name for a class of service"),
            ..one.clone()
        })
        .collect();
    for (number, session) in (0..).zip(&mut many.sessions) {
        session.alarms = alarms(&one, number);
    }
    many.title = "A title that is far too long for its line ".repeat(20);
    many.subtitle = "words ".repeat(400);
    all.push(("many".to_owned(), many));
    all.extend(
        runs::all()
            .into_iter()
            .map(|(name, picture)| (name.to_owned(), picture)),
    );
    all
}

/// Alarms of several names, all over the time of a session and beyond it.
fn alarms(session: &PictureSession, seed: i64) -> Vec<ShownAlarm> {
    let begin = session.columns[0].start.unix_ns();
    let length = i64::try_from(session.width.as_nanos()).unwrap()
        * i64::try_from(session.columns.len()).unwrap();
    let names = ["slow", "a rather long name for an alert", "x", "lossy", "y"];
    let spans = (0..seed % 12).map(|number| {
        let from = (number * 7_919 + seed * 104_729) % 120 - 10;
        (
            from,
            (number % 3 > 0).then_some(from + (number * seed) % 40),
        )
    });
    let of_spans = spans.zip(names.iter().cycle());
    let alarms = of_spans.map(|((from, to), name)| ShownAlarm {
        name: (*name).to_owned(),
        about: format!("{name} from {from}"),
        from: Wall::from_unix_ns(begin + length / 100 * from),
        to: to.map(|to| Wall::from_unix_ns(begin + length / 100 * to)),
    });
    alarms.collect()
}

/// Columns with impossible values.
fn wild_columns() -> Vec<Column> {
    let smoke = |low: i64, high: i64| Smoke {
        count: u64::MAX,
        min_ns: low,
        p5_ns: low,
        p25_ns: low / 2,
        median_ns: 0,
        p75_ns: high / 2,
        p95_ns: high,
        max_ns: high,
    };
    let spans = [(i64::MIN, i64::MAX), (0, 0), (-1, 1), (i64::MAX, i64::MAX)];
    let columns = spans
        .into_iter()
        .zip(0..)
        .map(|((low, high), place)| Column {
            start: Wall::from_unix_ns(i64::MAX - 40 + place),
            sent: u64::MAX,
            received: 1,
            lost: u64::MAX - 1,
            late: 0,
            duplicates: 0,
            reordered: 0,
            round_trip: Some(smoke(low, high)),
            forward: Some(smoke(low, high)),
            backward: Some(smoke(low, high)),
            marks: Marks {
                clock_step: place == 1,
                suspended: place == 2,
                source_change: place == 3,
                far_step: place == 1,
                restart: place == 2,
                lower_rung: true,
                not_sent: false,
                ..Marks::default()
            },
        });
    columns.collect()
}

fn of_columns(columns: Vec<Column>) -> PictureSession {
    PictureSession {
        columns,
        width: Duration::MAX,
        sent: u64::MAX,
        lost: u64::MAX,
        ..PictureSession::default()
    }
}

#[test]
fn the_last_time_of_a_page_is_inside_wherever_its_end_is() {
    let minute: i64 = 60_000_000_000;
    let (picture, plain) = (
        runs::tiny(1, Fortune::Took(1_000_000, 1_000)),
        wild_columns(),
    );
    for end_s in 0..90 {
        let start = 1_796_040_000_000_000_000 - 10 * minute;
        let columns = (0..10).map(|place| Column {
            start: Wall::from_unix_ns(start + place * (minute + end_s * 100_000_000)),
            marks: Marks::default(),
            ..plain[1].clone()
        });
        let width = Duration::from_nanos((minute + end_s * 100_000_000).unsigned_abs());
        let session = PictureSession {
            columns: columns.collect(),
            width,
            ..picture.sessions[0].clone()
        };
        let picture = Picture {
            sessions: vec![session],
            ..picture.clone()
        };
        for width in [358.0, 920.0] {
            let chart = chart(&picture, Chart::Smoke, "a", width).unwrap();
            labels::check(&format!("{end_s} {width}"), &chart);
        }
    }
}

#[test]
fn words_never_overlap_and_are_inside_whatever_was_measured() {
    for (name, picture) in extremes() {
        labels::check(&name, &svg(&picture, Theme::Auto));
        for width in [358.0, 920.0] {
            for kind in [Chart::Smoke, Chart::Distribution, Chart::Variation] {
                if let Some(chart) = chart(&picture, kind, "a", width) {
                    labels::check(&format!("{name} {kind:?} {width}"), &chart);
                }
            }
        }
    }
}

#[test]
fn no_coordinate_is_anything_but_a_number() {
    for (name, picture) in extremes() {
        let svg = svg(&picture, Theme::Light);
        let document = Document::parse(&svg).unwrap();
        let mut numbers = 0;
        for node in document.descendants() {
            for attribute in node.attributes() {
                if matches!(
                    attribute.name(),
                    "x" | "y" | "width" | "height" | "cx" | "cy"
                ) {
                    let value: f64 = attribute.value().parse().unwrap();
                    assert!(value.is_finite(), "{name}: {attribute:?}");
                    numbers += 1;
                }
                if attribute.name() == "d" {
                    let odd = attribute
                        .value()
                        .contains(|c: char| !"MLHVZ-. 0123456789".contains(c));
                    assert!(!odd, "{name}: {attribute:?}");
                }
            }
        }
        assert!(numbers > 4, "{name}");
    }
}

/// All pairs of names and what they say.
const ODD: &str = "<script>alert(1)</script>&\"'\u{0}\u{1b}[31m\u{202e}\n]]><!--";

#[test]
fn nothing_from_outside_is_markup() {
    let mut picture = runs::tiny(30, Fortune::Took(1_000_000, 900_000));
    picture.title = ODD.to_owned();
    picture.subtitle = ODD.to_owned();
    picture.sessions.push(picture.sessions[0].clone());
    for session in &mut picture.sessions {
        session.name = ODD.to_owned();
        for figure in &mut session.figures {
            figure.value = ODD.to_owned();
        }
    }
    picture.notes = vec![PictureNote {
        line: ODD.to_owned(),
        warning: true,
    }];
    let svg = svg(&picture, Theme::Auto);
    let document = Document::parse(&svg).unwrap();
    let plain = "<script>alert(1)</script>&\"'[31m ]]><!--";
    let titles = document
        .descendants()
        .filter(|node| node.text() == Some(plain));
    assert!(titles.count() >= 3, "{svg}");
    let page = page(&picture, Theme::Auto, ODD);
    for text in [&svg, &page] {
        for part in [
            "<script",
            "<!--",
            "\u{0}",
            "\u{1b}",
            "\u{202e}",
            "alert(1)<",
        ] {
            assert!(!text.contains(part), "{part:?}");
        }
    }
    assert!(page.contains("&lt;script&gt;"));
    png(Theme::Dark, |_| svg).unwrap();
}

#[test]
fn silence_absence_and_loss_look_different() {
    let dies = svg(&runs::dies(), Theme::Light);
    for (pattern, words) in [("absent", "nothing sent"), ("silence", "no reply")] {
        let hatched = dies
            .matches(&format!("fill=\"url(#tp-{pattern})\""))
            .count();
        assert!(hatched >= 2, "{pattern}: {hatched}");
        let document = Document::parse(&dies).unwrap();
        let said = labels::words(&document)
            .into_iter()
            .any(|it| it.text == words);
        assert!(said || pattern == "absent", "{words}");
    }
    let lost = svg(&runs::tiny(100, Fortune::Lost), Theme::Light);
    assert!(lost.contains("url(#tp-silence)") && !lost.contains("url(#tp-absent)"));
    let quiet = svg(&runs::quiet(), Theme::Light);
    for part in [
        "url(#tp-silence)",
        "url(#tp-absent)",
        "class=\"loss-",
        "lossy lossy-",
    ] {
        assert!(!quiet.contains(part), "{part}");
    }
    let bursts = svg(&runs::bursts(), Theme::Light);
    assert!(bursts.contains("rect class=\"loss-3\"") && bursts.contains("lossy lossy-3"));
}

#[test]
fn steps_are_marked_by_name() {
    let svg = svg(&runs::steps(), Theme::Light);
    let document = Document::parse(&svg).unwrap();
    let words = labels::words(&document);
    for name in [
        "sender clock step",
        "reflector clock step",
        "reflector restart",
    ] {
        let named = words.iter().filter(|it| it.text == name).count();
        assert_eq!(named, 2, "{name}");
    }
}

#[test]
fn a_theme_is_the_reader_s_or_fixed() {
    let picture = runs::tiny(5, Fortune::Took(1_000_000, 900_000));
    let follows = |theme| svg(&picture, theme).contains("prefers-color-scheme");
    assert_eq!(
        [Theme::Auto, Theme::Light, Theme::Dark].map(follows),
        [true, false, false]
    );
    assert_ne!(svg(&picture, Theme::Light), svg(&picture, Theme::Dark));
}

#[test]
fn a_png_has_two_pixels_for_each_of_the_picture_and_words_in_it() {
    let picture = runs::tiny(5, Fortune::Took(1_000_000, 900_000));
    let pixels = |theme| {
        let octets = png(theme, |theme| svg(&picture, theme)).unwrap();
        assert_eq!(&octets[1..4], b"PNG");
        resvg::tiny_skia::Pixmap::decode_png(&octets).unwrap()
    };
    let (light, dark) = (pixels(Theme::Auto), pixels(Theme::Dark));
    assert_eq!((light.width(), dark.width()), (1920, 1920));
    let corner = |map: &resvg::tiny_skia::Pixmap| map.pixel(0, 0).unwrap().green();
    assert!(corner(&light) > 250 && corner(&dark) < 50);
    // The title, where it was drawn with the letters that came along.
    let inked = (40..400).flat_map(|x| (44..84).map(move |y| (x, y)));
    let inked = inked.filter(|(x, y)| light.pixel(*x, *y).unwrap().green() < 100);
    assert!(inked.count() > 200);
}

#[test]
fn a_picture_for_a_screen_reader_says_what_there_is_to_see() {
    let bursts = svg(&runs::bursts(), Theme::Auto);
    let document = Document::parse(&bursts).unwrap();
    let text = |tag: &str| {
        let found = document.descendants().find(|node| node.has_tag_name(tag));
        found.and_then(|node| node.text()).unwrap().to_owned()
    };
    assert_eq!(text("title"), "Bursts of loss");
    assert!(text("desc").contains("% lost ("), "{}", text("desc"));
    assert!(text("desc").starts_with("median 19."), "{}", text("desc"));
}

#[test]
fn a_skew_that_may_be_none_is_neither_drawn_nor_said() {
    let mut quiet = runs::quiet();
    let skew = |picture: &mut Picture, skew_bound_ppm| {
        let clocks = picture.sessions[0].clocks.as_mut().unwrap();
        (clocks.skew_ppm, clocks.skew_bound_ppm) = (Some(12.0), skew_bound_ppm);
    };
    skew(&mut quiet, 13.7);
    let unknown = svg(&quiet, Theme::Auto);
    assert!(!unknown.contains("skew +"), "{unknown}");
    // All is as in a run in which no skew was estimated at all.
    quiet.sessions[0].clocks.as_mut().unwrap().skew_ppm = None;
    let none = svg(&quiet, Theme::Auto);
    assert_eq!(unknown, none);
    assert!(none.contains("clock skew unknown"), "{none}");
    skew(&mut quiet, 1.7);
    let known = svg(&quiet, Theme::Auto);
    assert!(known.contains("skew +12.0 ppm within 1.7"), "{known}");
    // Beside a session whose drift is known, another one says of itself that it is not.
    let mut both = quiet.clone();
    both.sessions.extend(quiet.sessions.clone());
    both.sessions[1].clocks = None;
    let both = svg(&both, Theme::Auto);
    assert!(both.contains("clock skew removed where stated"), "{both}");
    assert_eq!(both.matches("clock skew unknown").count(), 1, "{both}");
}

#[test]
fn a_page_loads_nothing() {
    let page = page(&runs::classes(), Theme::Auto, "twinpath");
    for part in [
        "<script", "http://", "https://", "src=", "@import", "url(http",
    ] {
        let named = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!named.contains(part), "{part}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn a_small_picture_stays_as_it_is() {
    let mut packet = 0;
    let run = runs::Run {
        count: 24,
        interval_ns: 1_000_000_000,
        offset_ns: 0,
        ppm: 0.0,
    };
    let session = run.session("ef", |seq| {
        packet += 1;
        match seq {
            4..8 => Fortune::Unsent,
            10 | 16..20 => Fortune::Lost,
            _ => Fortune::Took(1_000_000 + packet * 10_000, 2_000_000),
        }
    });
    let mut picture = runs::tiny(0, Fortune::Lost);
    picture.sessions = vec![session];
    insta::assert_snapshot!("small_svg", svg(&picture, Theme::Auto));
    insta::assert_snapshot!("small_page", page(&picture, Theme::Light, "twinpath 0"));
}

/// Writes all pictures to the folder that `TWINPATH_PICTURES` names, to be looked at.
#[test]
fn pictures_are_written_on_request() {
    let Some(folder) = std::env::var_os("TWINPATH_PICTURES") else {
        println!("skipped: TWINPATH_PICTURES names no folder");
        return;
    };
    let folder = Path::new(&folder);
    fs::create_dir_all(folder).unwrap();
    let mut all = runs::all();
    all.push(("empty", runs::tiny(0, Fortune::Lost)));
    all.push(("one", runs::tiny(1, Fortune::Took(500_000, 400_000))));
    all.push(("lost", runs::tiny(100, Fortune::Lost)));
    all.push(("huge", runs::tiny(100, Fortune::Took(1_000_000_000, 300))));
    for (name, picture) in all {
        for (theme, suffix) in [(Theme::Auto, ""), (Theme::Dark, "-dark")] {
            let path = folder.join(format!("{name}{suffix}"));
            fs::write(path.with_extension("svg"), svg(&picture, theme)).unwrap();
            fs::write(
                path.with_extension("png"),
                png(theme, |theme| svg(&picture, theme)).unwrap(),
            )
            .unwrap();
        }
        let path = folder.join(name).with_extension("html");
        fs::write(path, page(&picture, Theme::Auto, "twinpath")).unwrap();
    }
}
