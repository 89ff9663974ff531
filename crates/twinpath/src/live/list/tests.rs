//! The list as its users see it.

use std::collections::BTreeMap;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};
use twinpath_metrics::{ReplyStatus, SessionState};
use twinpath_report::Target;
use twinpath_runtime::measure::RecentPackets;
use twinpath_wire::Dscp;

use super::*;
use crate::live::draw;
use crate::live::scene::Scene;
use crate::live::theme::Theme;
use crate::output::fixtures;

const MS: i64 = 1_000_000;
const PACKETS: u64 = 60;
/// 10:00:00 UTC.
const BEGUN: i64 = 1_795_428_000_000_000_000;

/// What becomes of a packet of a session: its round trip, or `None`.
type Path = fn(u64, u64) -> Option<i64>;

fn identity(number: u64, class: &str) -> Identity {
    let [.., high, low] = number.to_be_bytes();
    Identity {
        tos: class.parse::<Dscp>().unwrap().tos(),
        reflector: format!("10.64.{high}.{low}:862").parse().unwrap(),
        target: Some(Target {
            name: format!("fra-core{number}"),
            labels: BTreeMap::from([("site".to_owned(), format!("s{}", number % 3))]),
            has_moved: false,
            is_listed: false,
        }),
        ..fixtures::quiet_path().identity
    }
}

/// A minute of a packet a second, of which one every eleven seconds is lost by the third session; the fifth
/// died, and has not been heard of for ten seconds.
fn usual(session: u64, seq: u64) -> Option<i64> {
    let is_lost = session == 3 && seq % 11 == 10 || session == 5 && seq >= 50;
    let noise = seq.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44;
    let delay = 5 * MS + i64::try_from(session % 7).unwrap() * MS;
    (!is_lost).then_some(delay + i64::try_from(noise).unwrap())
}

fn progress(session: u64, path: Path) -> Progress {
    let mut progress = Progress {
        sent: PACKETS,
        recent: RecentPackets::every(Duration::from_secs(1), Duration::from_secs(2)),
        ..Progress::default()
    };
    for seq in 0..PACKETS {
        if let Some(ns) = path(session, seq) {
            progress.received += 1;
            progress.last_round_trip_ns = Some(ns);
            let sent = i64::try_from(seq).unwrap() * 1_000 * MS;
            progress.reply_status = ReplyStatus {
                answered_until: Some(Wall::from_unix_ns(BEGUN + sent)),
                lost_since: 0,
                state: SessionState::Active,
            };
            progress.recent.receive(seq, Some(ns));
        } else {
            progress.lost += 1;
            progress.reply_status.lost_since += 1;
            if progress.reply_status.lost_since >= ReplyStatus::FAILED_AFTER {
                progress.reply_status.state = SessionState::Failed;
            }
            progress.recent.lose(seq);
        }
    }
    progress.recent.settle(PACKETS);
    progress
}

struct Run {
    list: List,
    told: Vec<Progress>,
    size: (u16, u16),
    log: Option<String>,
}

impl Run {
    /// Of so many targets, each with these classes.
    fn of(targets: u64, classes: &[&str]) -> Self {
        let sessions = (1..=targets).flat_map(|number| {
            let each = classes.iter().map(move |class| identity(number, class));
            each.map(move |identity| (number, identity))
        });
        let (numbers, identities): (Vec<u64>, Vec<Identity>) = sessions.unzip();
        let mut run = Self {
            list: List::new(&identities.into(), Box::default()),
            told: numbers
                .iter()
                .map(|number| progress(*number, usual))
                .collect(),
            size: (80, 24),
            log: None,
        };
        for (state, number) in run.list.states.iter_mut().zip(numbers) {
            let mut figures = fixtures::quiet_path().figures;
            let delay = figures.round_trip.as_mut().unwrap();
            delay.p99_ns = 6 * MS + i64::try_from(number % 7).unwrap() * MS;
            state.figures = Some(RowFigures::of(&figures));
        }
        run.look();
        run
    }

    fn look(&mut self) {
        let at = Wall::from_unix_ns(BEGUN + 60 * 1_000 * MS);
        self.list
            .look(Instant::now(), at, self.told.iter().copied());
    }

    fn scene(&mut self) -> Scene {
        let told = |session: usize| self.told.get(session).copied();
        let rows = self.list.rows(self.size, self.log.is_some(), told);
        Scene {
            command: "sender",
            far: format!("{} targets", self.told.len()),
            what: "STAMP".to_owned(),
            elapsed: Some(Duration::from_secs(62)),
            progress: self.list.progress(),
            rows: Some(rows),
            log: self.log.clone(),
            ..Scene::default()
        }
    }

    fn buffer(&mut self, colour: bool) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, self.size.0, self.size.1));
        draw::draw(&self.scene(), Theme::new(colour), buffer.area, &mut buffer);
        buffer
    }

    fn page(&mut self, width: u16, height: u16) -> String {
        self.size = (width, height);
        let buffer = self.buffer(false);
        let rows = buffer.content.chunks(usize::from(width)).map(|row| {
            let row: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
            row.trim_end().to_owned() + "\n"
        });
        rows.collect()
    }

    fn press(&mut self, code: KeyCode) -> Wish {
        let key = KeyEvent::new(code, KeyModifiers::NONE);
        self.list.key(key, self.size.1)
    }

    fn typed(&mut self, text: &str) {
        for c in text.chars() {
            assert_eq!(self.press(KeyCode::Char(c)), Wish::List, "{c}");
        }
    }

    /// The numbers of the sessions in their order, from 1.
    fn order(&self) -> Vec<usize> {
        self.list.order.iter().map(|session| session + 1).collect()
    }
}

fn pages(run: &mut Run) -> String {
    let sizes = [(80, 24), (140, 12), (40, 10), (20, 5)];
    let page = |(width, height)| format!("== {width}x{height}\n{}", run.page(width, height));
    sizes.map(page).concat()
}

#[test]
fn three_sessions_are_three_rows() {
    insta::assert_snapshot!(pages(&mut Run::of(3, &["be"])));
}

#[test]
fn fifty_sessions_have_the_worst_first() {
    insta::assert_snapshot!(pages(&mut Run::of(25, &["be", "ef"])));
}

#[test]
fn ten_thousand_sessions_are_a_list_of_those_that_fit() {
    insta::assert_snapshot!(pages(&mut Run::of(10_000, &["be"])));
}

#[test]
fn one_session_and_none_are_lists_too() {
    for targets in [0, 1] {
        let mut run = Run::of(targets, &["be"]);
        run.press(KeyCode::Down);
        run.press(KeyCode::End);
        let opened = (targets == 1).then_some(0).map_or(Wish::List, Wish::Open);
        assert_eq!(run.press(KeyCode::Enter), opened);
        let page = run.page(80, 24);
        assert!(
            page.contains(&format!("-{targets} of 1")) == (targets == 1),
            "{page}"
        );
    }
}

#[test]
fn what_is_lost_now_comes_first_then_what_was_lost_then_what_is_slow() {
    let mut run = Run::of(9, &["be"]);
    // The fifth is dead, the third lost a packet lately, and the sixth has the greatest delay.
    assert_eq!(run.order(), [5, 3, 6, 4, 2, 9, 1, 8, 7]);
    // It is answered again, but lost more on the whole.
    run.told[4] = progress(5, |_, seq| (seq > 30).then_some(MS));
    run.list.rank_due = Instant::now();
    run.look();
    assert_eq!(run.order()[..2], [3, 5]);
    run.typed("l");
    assert_eq!(run.order()[..2], [5, 3]);
    // Nothing of the seventh was sent for a time: its loss is unknown, and not none.
    run.told[6].unsent = 30;
    run.list.rank_due = Instant::now();
    run.look();
    assert_eq!(run.order()[..3], [5, 3, 7]);
    let page = run.page(80, 24);
    assert!(page.contains(" fra-core7         0    unknown "), "{page}");
}

#[test]
fn each_key_of_an_order_has_its_column_and_s_goes_through_them() {
    let mut run = Run::of(12, &["be"]);
    let sorts = [
        ('l', Sort::Loss),
        ('m', Sort::Median),
        ('d', Sort::P99),
        ('j', Sort::Jitter),
        ('n', Sort::Name),
        ('w', Sort::Worst),
    ];
    for (key, sort) in sorts {
        run.typed("s");
        assert_eq!(run.list.sort, sort);
        run.list.sort = Sort::default();
        run.press(KeyCode::Char(key));
        assert_eq!(run.list.sort, sort);
        run.size = (140, 24);
        let buffer = run.buffer(false);
        let underlined = buffer
            .content
            .iter()
            .filter(|it| it.modifier.contains(Modifier::UNDERLINED));
        let head: String = underlined.map(ratatui::buffer::Cell::symbol).collect();
        let expected = match sort {
            Sort::Worst => "Now",
            Sort::Loss => "Loss",
            Sort::P99 => "p99",
            Sort::Median => "Median",
            Sort::Jitter => "Jitter",
            Sort::Name => "Target",
        };
        assert_eq!(head, expected);
    }
    run.typed("n");
    assert_eq!(run.order()[..4], [1, 10, 11, 12]);
    run.typed("d");
    assert_eq!(run.order()[..3], [6, 5, 12]);
}

#[test]
fn a_search_finds_names_addresses_classes_and_labels() {
    let mut run = Run::of(300, &["be", "ef"]);
    for (search, found) in [
        ("core299", 2),
        ("CORE299 ef", 1),
        ("10.64.1.43:862", 2),
        ("site=s1 ef core3", 3),
        ("nothing", 0),
    ] {
        run.typed("/");
        run.typed(search);
        let typing = run.page(80, 24);
        assert!(
            typing.contains(&format!(" /{search}_   {found} of 600 sessions")),
            "{typing}"
        );
        // It is text, not keys.
        assert_eq!(run.list.sort, Sort::Worst);
        assert_eq!(run.press(KeyCode::Enter), Wish::List);
        let page = run.page(80, 24);
        assert!(
            page.contains(&format!("/{search}: {found} of 600")),
            "{page}"
        );
        assert_eq!(
            page.contains("no session has all of that"),
            found == 0,
            "{page}"
        );
        let rows = page
            .lines()
            .filter(|line| line.starts_with(" fra-core"))
            .count();
        assert_eq!(rows, found.min(rows), "{page}");
        run.press(KeyCode::Esc);
        assert_eq!(run.list.order.len(), 600);
    }
    run.typed("/ax");
    run.press(KeyCode::Backspace);
    assert_eq!(run.list.search, "a");
    run.typed(&"y".repeat(1_000));
    assert!(run.list.search.len() <= 100);
    let _any = run.page(30, 8);
}

#[test]
fn the_selected_session_stays_selected_and_in_sight() {
    let mut run = Run::of(200, &["be"]);
    let selected = |run: &mut Run| {
        run.size = (80, 24);
        let rows = run.scene().rows.unwrap();
        (rows.shown[rows.selected].name.clone(), rows.first)
    };
    assert_eq!(selected(&mut run), ("fra-core5".to_owned(), 0));
    for _ in 0..2 {
        run.press(KeyCode::Down);
    }
    assert_eq!(selected(&mut run), ("fra-core6".to_owned(), 0));
    assert_eq!(run.press(KeyCode::Enter), Wish::Open(5));
    // Others become worse: the row moves, and is still selected.
    for session in 100..140 {
        run.told[session] = progress(1, |_, seq| (seq < 55).then_some(MS));
    }
    run.list.rank_due = Instant::now();
    run.look();
    let (name, first) = selected(&mut run);
    assert_eq!(name, "fra-core6");
    assert!(first > 0);
    run.press(KeyCode::End);
    assert_eq!(selected(&mut run).0, "fra-core196");
    // Also beside a line of the log.
    run.log = Some("something".to_owned());
    let page = run.page(80, 24);
    assert!(page.contains("fra-core196 "), "{page}");
    assert!(page.contains("\n ! log: something\n"), "{page}");
    run.log = None;
    run.press(KeyCode::Home);
    assert_eq!(selected(&mut run), ("fra-core5".to_owned(), 0));
    run.press(KeyCode::PageDown);
    assert_eq!(run.list.place(), 12);
    run.press(KeyCode::PageUp);
    run.press(KeyCode::Up);
    assert_eq!(run.list.place(), 0);
    // The one that was worst by name is another in the order of losses.
    run.typed("n");
    assert_eq!(selected(&mut run), ("fra-core1".to_owned(), 0));
    // Keys of the whole view are not the list's.
    for code in [KeyCode::Char('q'), KeyCode::Char('p'), KeyCode::Tab] {
        assert_eq!(run.press(code), Wish::None);
    }
}

#[test]
fn losses_are_marked_in_the_history_with_colours_and_without() {
    let mut run = Run::of(9, &["be"]);
    let page = run.page(80, 24);
    let dead = page
        .lines()
        .find(|line| line.starts_with(" fra-core5 "))
        .unwrap();
    assert!(dead.ends_with("×".repeat(8).as_str()), "{page}");
    assert!(dead.contains(" 100% "), "{page}");
    let buffer = run.buffer(true);
    let marks = buffer.content.iter().filter(|cell| cell.symbol() == "×");
    assert!(marks.clone().count() >= 9);
    assert!(marks.into_iter().all(|cell| cell.fg == Color::LightRed));
    let plain = run.buffer(false);
    assert!(plain.content.iter().all(|cell| cell.fg == Color::Reset));
    // Some packets of a second.
    run.told[0].recent = RecentPackets::every(Duration::from_millis(100), Duration::from_secs(2));
    for seq in 0..200 {
        run.told[0].recent.receive(seq, Some(MS));
    }
    run.told[0].recent.lose(195);
    let page = run.page(140, 24);
    let lossy = page
        .lines()
        .find(|line| line.contains("fra-core1 "))
        .unwrap();
    assert!(lossy.ends_with('!'), "{page}");
}

#[test]
fn any_size_of_terminal_has_a_list() {
    let mut runs = [0, 1, 40].map(|targets| Run::of(targets, &["be", "ef"]));
    for run in &mut runs {
        for width in (0..100).step_by(3).chain([101, 253]) {
            for height in (0..40).chain([101]) {
                run.size = (width, height);
                let _drawn = run.buffer(true);
            }
        }
    }
}

#[test]
fn figures_are_asked_for_now_and_then_and_those_on_the_screen_more_often() {
    let mut run = Run::of(400, &["be"]);
    let asked = |run: &Run| {
        run.list
            .states
            .iter()
            .filter(|it| it.asked.is_some())
            .count()
    };
    let now = Instant::now();
    run.list.due_for_figures(now, 24);
    let first = asked(&run);
    assert!((100..=124).contains(&first), "{first}");
    for _ in 0..3 {
        run.list.due_for_figures(now, 24);
    }
    assert_eq!(asked(&run), 400);
    assert!(run.list.due_for_figures(now, 24).is_empty());
    let shown = run.list.due_for_figures(now + SEEN_EVERY, 24);
    assert_eq!(shown, run.list.order[..24]);
    assert_eq!(run.list.due_for_figures(now + UNSEEN_EVERY, 24).len(), 124);
}
