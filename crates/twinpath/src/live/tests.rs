//! The screen as its users see it.

use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;
use twinpath_metrics::{MetricsConfig, Record, Series, SeriesConfig, Waits};
use twinpath_proto::sender::Schedule;
use twinpath_report::Identity;
use twinpath_runtime::measure::Progress;
use twinpath_wire::{Delta, Fate, Rung, Sample, Stamp, Wall};

use super::columns::Strip;
use super::recent::Recent;
use super::scene::{Scene, Widths, Window};
use super::theme::Theme;
use super::{COLUMNS, draw};
use crate::output::fixtures;

const MS: i64 = 1_000_000;
const PACKETS: u64 = 600;
const SIZES: [(u16, u16); 3] = [(80, 24), (200, 60), (20, 5)];

/// The fate of a packet: its outbound and inbound delays, or `None`.
type Path = fn(u64) -> Option<(i64, i64)>;

/// Up to 0.2 ms, the same in every run.
fn noise(seq: u64) -> i64 {
    let mixed = seq.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    i64::try_from(mixed % 200_000).unwrap()
}

#[expect(clippy::unnecessary_wraps, reason = "a path like the others")]
fn quiet(seq: u64) -> Option<(i64, i64)> {
    Some((5 * MS + noise(seq), 4 * MS + noise(seq + 7) / 2))
}

/// Twelve of 600, in two bursts.
fn bursts(seq: u64) -> Option<(i64, i64)> {
    let burst = (200..205).contains(&seq) || (430..437).contains(&seq);
    quiet(seq).filter(|_| !burst)
}

fn rerouted(seq: u64) -> Option<(i64, i64)> {
    let (forward, backward) = quiet(seq)?;
    Some((forward + if seq < 300 { 0 } else { 8 * MS }, backward))
}

fn dying(seq: u64) -> Option<(i64, i64)> {
    quiet(seq).filter(|_| seq < 380)
}

fn jittery(seq: u64) -> Option<(i64, i64)> {
    let (forward, backward) = quiet(seq)?;
    Some((forward + noise(seq * 3) * 40, backward + noise(seq * 5) * 9))
}

/// A packet every 100 ms, to a reflector whose clock is 5 s ahead and 20 ppm fast.
fn sample(seq: u64, path: Path) -> Sample {
    let sent = 1_700_000_000_000 * MS + i64::try_from(seq).unwrap() * 100 * MS;
    let far = |at: i64| {
        Wall::from_unix_ns(at + 5_000 * MS + (at - sent) / 50_000 + seq.cast_signed() * 2_000)
    };
    let stamp = |ns| Stamp {
        at: Wall::from_unix_ns(ns),
        rung: Rung::Kernel,
    };
    let ways = path(seq);
    let at_far = ways.map(|(forward, _)| sent + forward);
    Sample {
        seq,
        fate: if ways.is_some() {
            Fate::Received
        } else {
            Fate::Lost
        },
        t1: stamp(sent),
        t2: at_far.map(far),
        t3: at_far.map(|at| far(at + 20_000)),
        t4: ways.map(|(forward, backward)| stamp(sent + forward + 20_000 + backward)),
        reflector_seq: None,
        ttl_forward: Some(60),
        ttl_backward: Some(61),
        tos_forward: None,
        tos_backward: None,
        departure: Delta::from_ns(90_000),
        excluded: None,
    }
}

/// A session of such packets between two hosts.
fn identity() -> Identity {
    Identity {
        schedule: Schedule::every(Duration::from_millis(100)),
        timeout: Duration::from_secs(2),
        ..fixtures::quiet_path().identity
    }
}

/// A run of 60 s over these paths, by name where there are several.
fn scene(paths: &[(&str, Path)]) -> Scene {
    let several = paths.len() > 1;
    let mut scene = Scene {
        command: if several { "controller" } else { "sender" },
        far: "192.0.2.2:20001".to_owned(),
        what: "TWAMP Light".to_owned(),
        all: paths.len(),
        ..Scene::default()
    };
    let mut told = Vec::new();
    for (name, path) in paths {
        let mut series = Series::new(SeriesConfig {
            metrics: MetricsConfig::default(),
            waits: Waits::default(),
            interval: None,
            columns: Some((COLUMNS, Duration::from_millis(400))),
        });
        let name = several.then(|| (*name).to_owned());
        let mut recent = Recent::new(&identity(), name);
        let begun = Instant::now();
        let at = sample(0, *path).t1.at;
        for record in std::iter::once(Record::Begun { at })
            .chain((0..PACKETS).map(|seq| Record::Sample(sample(seq, *path))))
        {
            series.record(&record);
            recent.record(&record);
        }
        let received = series.metrics().figures().received;
        let progress = Progress {
            asked: Some(1_000),
            sent: PACKETS,
            received,
            lost: PACKETS - received,
            last_round_trip_ns: Some(9_412_000),
            ..Progress::default()
        };
        let now = begun + Duration::from_millis(62_400);
        recent.estimate(now, &series);
        let session = recent.session(now, &series, Some(&progress), Window::Whole);
        scene.elapsed = Some(Duration::from_millis(62_400));
        scene.sessions.push(session);
        told.push(progress);
    }
    scene.progress = super::together(told.into_iter());
    scene
}

fn drawn(scene: &Scene, (width, height): (u16, u16), colour: bool) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let theme = Theme::new(colour);
    let frame = terminal.draw(|frame| {
        let area = frame.area();
        draw::draw(scene, theme, area, frame.buffer_mut());
    });
    frame.unwrap().buffer.clone()
}

fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width.max(1));
    let rows = buffer.content.chunks(width).map(|row| {
        let row: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
        row.trim_end().to_owned() + "\n"
    });
    rows.collect()
}

fn screens(scene: &Scene) -> String {
    let screen = |size: (u16, u16)| {
        let page = text(&drawn(scene, size, true));
        format!("== {}x{}\n{page}", size.0, size.1)
    };
    SIZES.map(screen).concat()
}

#[test]
fn a_quiet_path_looks_quiet() {
    insta::assert_snapshot!(screens(&scene(&[("be", quiet)])));
}

#[test]
fn bursts_of_loss_are_seen_where_they_were() {
    insta::assert_snapshot!(screens(&scene(&[("be", bursts)])));
}

#[test]
fn a_change_of_route_is_a_step_in_its_direction_only() {
    insta::assert_snapshot!(screens(&scene(&[("be", rerouted)])));
}

#[test]
fn a_path_that_dies_is_not_silence() {
    insta::assert_snapshot!(screens(&scene(&[("be", dying)])));
}

#[test]
fn classes_are_below_each_other() {
    let paths: [(&str, Path); 3] = [("be", jittery), ("af41", bursts), ("ef", quiet)];
    insta::assert_snapshot!(screens(&scene(&paths)));
}

#[test]
fn before_the_first_packet_the_screen_says_what_it_waits_for() {
    let waiting = Scene {
        command: "controller",
        far: "192.0.2.2:862".to_owned(),
        what: "TWAMP".to_owned(),
        event: Some("connected".to_owned()),
        all: 1,
        ..Scene::default()
    };
    insta::assert_snapshot!(screens(&waiting));
}

#[test]
fn loss_has_its_own_colour_and_without_colours_its_own_glyph() {
    let scene = scene(&[("be", dying)]);
    let colours = |colour| {
        let buffer = drawn(&scene, (80, 24), colour);
        let dead = buffer.content.iter().filter(|cell| cell.symbol() == "×");
        dead.map(|cell| cell.fg).collect::<Vec<_>>()
    };
    assert!(colours(true).len() > 100);
    assert!(
        colours(true)
            .iter()
            .all(|colour| *colour == Color::LightRed)
    );
    let buffer = drawn(&scene, (80, 24), false);
    assert!(buffer.content.iter().all(|cell| cell.fg == Color::Reset));
    assert_eq!(text(&buffer), text(&drawn(&scene, (80, 24), true)));
}

#[test]
fn silence_is_drawn_and_the_future_is_not() {
    let mut scene = scene(&[("be", quiet)]);
    let strip = &mut scene.sessions[0].strip;
    strip.settled = strip.reach + 10 * strip.width;
    let buffer = drawn(&scene, (200, 60), true);
    let silent = buffer.content.iter().filter(|cell| cell.symbol() == "·");
    // In three charts.
    assert_eq!(silent.count(), 30);
}

#[test]
fn any_size_of_terminal_is_drawn_on() {
    let paths: [(&str, Path); 3] = [("be", dying), ("af41", bursts), ("ef", quiet)];
    let scenes = [Scene::default(), scene(&paths[..1]), scene(&paths)];
    for scene in &scenes {
        for width in (0..100).step_by(3).chain([101, 253]) {
            for height in (0..40).chain([101]) {
                let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
                draw::draw(scene, Theme::new(true), buffer.area, &mut buffer);
                // A screen that shrinks while it is drawn on.
                let larger = Rect::new(0, 0, width + 9, height + 9);
                draw::draw(scene, Theme::new(true), larger, &mut buffer);
            }
        }
    }
}

#[test]
fn no_window_has_wider_columns_than_the_whole_run() {
    let seconds = |whole, near, far| Widths {
        whole: Duration::from_secs(whole),
        near: Duration::from_secs(near),
        far: Duration::from_secs(far),
    };
    for (widths, shorter, shortest, longer) in [
        (seconds(20, 1, 10), Window::Far, Window::Near, Window::Far),
        (seconds(4, 1, 10), Window::Near, Window::Near, Window::Whole),
        (
            seconds(1, 1, 10),
            Window::Whole,
            Window::Whole,
            Window::Whole,
        ),
    ] {
        let first = Window::Whole.shorter(&widths);
        assert_eq!((first, first.shorter(&widths)), (shorter, shortest));
        assert_eq!(Window::Near.longer(&widths), longer);
        assert_eq!(longer.longer(&widths), Window::Whole);
    }
}

/// The path died after 30 s, and the timeout of `overdue` packets has passed: no more is known.
fn just_died(overdue: u64) -> Scene {
    let mut scene = scene(&[("be", quiet)]);
    let mut recent = Recent::new(&identity(), None);
    let mut series = Series::new(SeriesConfig {
        metrics: MetricsConfig::default(),
        waits: Waits::default(),
        interval: None,
        columns: Some((COLUMNS, Duration::from_millis(400))),
    });
    let at = sample(0, quiet).t1.at;
    let answered = (0..300).map(|seq| Record::Sample(sample(seq, quiet)));
    let begun = Instant::now();
    for record in std::iter::once(Record::Begun { at }).chain(answered) {
        series.record(&record);
        recent.record(&record);
    }
    for seq in 300..300 + overdue {
        recent.overdue(seq, sample(seq, quiet).t1.at);
    }
    let progress = Progress {
        sent: 300 + overdue + 20,
        received: 300,
        lost: overdue,
        ..Progress::default()
    };
    let now = begun + Duration::from_millis(32_450 + 100 * overdue);
    let session = |recent: &Recent, series: &Series, window| {
        recent.session(now, series, Some(&progress), window)
    };
    for window in [Window::Near, Window::Far] {
        let columns = session(&recent, &series, window).strip.columns;
        assert_eq!(
            columns.iter().map(|column| column.lost).sum::<u64>(),
            overdue
        );
    }
    scene.progress = progress;
    scene.sessions = vec![session(&recent, &series, Window::Whole)];
    // They can no longer become late: the same picture, from their records.
    for seq in 300..300 + overdue {
        let record = Record::Sample(sample(seq, |_| None));
        series.record(&record);
        recent.record(&record);
    }
    let known = session(&recent, &series, Window::Whole);
    assert_eq!(known.strip.columns, scene.sessions[0].strip.columns);
    assert_eq!(known.now, scene.sessions[0].now);
    scene
}

#[test]
fn a_path_that_just_died_is_seen_as_soon_as_timeouts_pass() {
    let page = text(&drawn(&just_died(8), (80, 24), false));
    assert!(page.contains('×'), "{page}");
    assert!(page.contains(" 8 lost: 2.60%, now 8.00%"), "{page}");
    assert!(!text(&drawn(&just_died(0), (80, 24), false)).contains('×'));
}

#[test]
fn a_path_that_never_answered_is_seen_too() {
    let mut strip = Strip {
        origin: Some(sample(0, quiet).t1.at),
        width: Duration::from_millis(400),
        ..Strip::default()
    };
    for seq in 0..10 {
        strip.lose(sample(seq, quiet).t1.at);
    }
    let lost: Vec<u64> = strip.columns.iter().map(|column| column.lost).collect();
    assert_eq!(lost, [4, 4, 2]);
    assert_eq!(strip.reach, Duration::from_millis(1_200));
    // A jump of the clock does not fill the memory.
    strip.lose(Wall::from_unix_ns(i64::MAX));
    assert!(strip.columns.len() <= 1_000);
}

#[test]
fn the_total_of_losses_is_the_sum_of_those_of_the_classes() {
    let paths: [(&str, Path); 3] = [("be", bursts), ("af41", bursts), ("ef", quiet)];
    let mut scene = scene(&paths);
    // What the sender counts is ahead of what has a record.
    for session in &mut scene.sessions {
        session.counted = (session.counted.0 + 5, session.counted.1 + 5);
    }
    scene.progress.lost += 15;
    let page = text(&drawn(&scene, (80, 24), false));
    assert!(page.contains(" 39 lost: 2.15%"), "{page}");
    assert_eq!(page.matches(" 17 lost: 2.81%").count(), 2, "{page}");
    assert_eq!(page.matches(" 5 lost: 0.83%").count(), 1, "{page}");
}

#[test]
fn both_ends_on_one_host_have_one_clock() {
    let mut scene = scene(&[("be", quiet)]);
    let offset = text(&drawn(&scene, (80, 24), false));
    assert!(offset.contains("Clocks   reflector 500"), "{offset}");
    assert!(offset.contains(" ahead within "), "{offset}");
    scene.sessions[0].one_clock = true;
    let one = text(&drawn(&scene, (80, 24), false));
    assert!(
        one.contains(" Clocks   both ends on one host: one clock\n"),
        "{one}"
    );
}
