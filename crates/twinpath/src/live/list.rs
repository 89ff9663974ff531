//! Many sessions as a list: their order, the search, the row that is selected.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use twinpath_metrics::Series;
use twinpath_report::{FailedTarget, Identity};
use twinpath_runtime::measure::Progress;
use twinpath_wire::Wall;

use super::rows::{self, Row, RowFigures, Rows, is_incomplete};
use crate::output::ends::named;
use crate::output::names::Differing;
use crate::output::progress::together;
use crate::output::summary;
use crate::output::targets::{self, SoFar};

/// How often the sessions are put in order.
const RANK_EVERY: Duration = Duration::from_secs(1);
/// How old the figures of a row get on the screen, and elsewhere.
const SEEN_EVERY: Duration = Duration::from_secs(1);
const UNSEEN_EVERY: Duration = Duration::from_secs(10);
/// Figures that are asked for in one look, beside those on the screen: a snapshot takes some
/// microseconds of the threads that measure.
const SNAPSHOTS: usize = 100;
/// Characters of a search.
const MOST_SOUGHT: usize = 100;

/// What the list is ordered by, worst first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    /// Losses now, then those of the whole run, then delay.
    #[default]
    Worst,
    Loss,
    P99,
    Median,
    Jitter,
    Name,
}

impl Sort {
    /// In the order of the columns, each with its key and name.
    const ALL: [(Self, char, &str); 6] = [
        (Self::Worst, 'w', "worst first"),
        (Self::Loss, 'l', "by loss"),
        (Self::Median, 'm', "by median"),
        (Self::P99, 'd', "by p99"),
        (Self::Jitter, 'j', "by jitter"),
        (Self::Name, 'n', "by name"),
    ];

    pub(super) fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(sort, ..)| *sort == self);
        found.map_or("", |(_, _, name)| name)
    }

    fn of_key(key: char) -> Option<Self> {
        let found = Self::ALL.iter().find(|(_, its, _)| *its == key);
        found.map(|(sort, ..)| *sort)
    }

    fn next(self) -> Self {
        let following = Self::ALL.iter().skip_while(|(sort, ..)| *sort != self);
        following.map(|(sort, ..)| *sort).nth(1).unwrap_or_default()
    }
}

/// What is known of a session off the screen.
#[derive(Clone, Debug, Default)]
struct State {
    /// Lost, and lost or answered: of the latest packets, and of all.
    now: (u64, u64),
    whole: (u64, u64),
    is_unknown: bool,
    is_unawaited: bool,
    last_round_trip_ns: Option<i64>,
    silent_since: Option<(Wall, String)>,
    figures: Option<RowFigures>,
    asked: Option<Instant>,
}

impl State {
    /// The greater, the worse.
    fn rank(&self, sort: Sort) -> [Option<i64>; 4] {
        let share = |(lost, all): (u64, u64)| {
            let billionths = u128::from(lost) * 1_000_000_000;
            let share = billionths.checked_div(all.into());
            share.and_then(|share| i64::try_from(share).ok())
        };
        let of = |pick: fn(&RowFigures) -> Option<i64>| self.figures.as_ref().and_then(pick);
        let delay = of(|it| it.p99_ns).or(self.last_round_trip_ns);
        match sort {
            Sort::Worst => [
                share(self.now),
                self.is_unknown.then_some(1),
                share(self.whole),
                delay,
            ],
            Sort::Loss => [
                share(self.whole),
                self.is_unknown.then_some(1),
                share(self.now),
                delay,
            ],
            Sort::P99 => [of(|it| it.p99_ns), delay, None, None],
            Sort::Median => [of(|it| it.median_ns), delay, None, None],
            Sort::Jitter => [of(|it| it.jitter_ns), delay, None, None],
            Sort::Name => [None; 4],
        }
    }
}

/// What a key asks of the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// Nothing beside another list.
    List,
    /// The charts of this session.
    Open(usize),
    /// The key has another meaning, or none.
    None,
}

pub(super) struct List {
    identities: Arc<[Identity]>,
    failed: Box<[FailedTarget]>,
    differing: Differing,
    states: Vec<State>,
    progress: Progress,
    /// Sessions that match the search, in their order.
    order: Vec<usize>,
    sort: Sort,
    search: String,
    is_typing: bool,
    /// `None`: the first of the list, whichever that is.
    selected: Option<usize>,
    /// The first row on the screen.
    first: usize,
    rank_due: Instant,
    next_asked: usize,
    words: String,
}

impl List {
    pub(super) fn new(identities: &Arc<[Identity]>, failed: Box<[FailedTarget]>) -> Self {
        let mut list = Self {
            differing: Differing::default(),
            states: Vec::new(),
            progress: Progress::default(),
            order: Vec::new(),
            identities: Arc::default(),
            failed,
            sort: Sort::default(),
            search: String::new(),
            is_typing: false,
            selected: None,
            first: 0,
            rank_due: Instant::now(),
            next_asked: 0,
            words: String::new(),
        };
        list.grow(identities);
        list
    }

    /// The run has these sessions now: those of before, and others.
    pub(super) fn grow(&mut self, identities: &Arc<[Identity]>) {
        self.differing = Differing::of(identities.iter());
        self.states.resize_with(identities.len(), State::default);
        self.identities = Arc::clone(identities);
        self.find();
    }

    pub(super) fn name(&self, session: usize) -> String {
        let identity = self.identities.get(session);
        identity.map_or_else(String::new, |identity| self.differing.name(identity))
    }

    /// A session with its far end.
    pub(super) fn title(&self, session: usize) -> String {
        let name = self.name(session);
        let far = self.identities.get(session).map(|it| named(it.reflector));
        let far = far.filter(|far| !name.contains(&**far));
        far.map_or(name.clone(), |far| format!("{name}   {far}"))
    }

    /// The figures of a session, as they were a moment ago.
    pub(super) fn take_figures(&mut self, session: usize, series: &Series) {
        if let Some(state) = self.states.get_mut(session) {
            state.figures = Some(RowFigures::of(&series.metrics().figures()));
        }
    }

    /// Puts the sessions in order, where that is due. `at`: the same time by the clock.
    pub(super) fn look(&mut self, now: Instant, at: Wall, told: impl Iterator<Item = Progress>) {
        if now < self.rank_due {
            return;
        }
        self.rank_due = now + RANK_EVERY;
        let states = &mut self.states;
        let told = states.iter_mut().zip(told).map(|(state, progress)| {
            state.now = progress.recent.now();
            state.whole = (progress.lost, progress.lost + progress.received);
            state.is_unawaited = progress.unawaited > 0;
            state.is_unknown = is_incomplete(&progress, state.figures.as_ref());
            state.last_round_trip_ns = progress.last_round_trip_ns;
            state.silent_since = summary::silent_so_far(&progress, at);
            progress
        });
        self.progress = Progress {
            // It would be that of any of them.
            last_round_trip_ns: None,
            ..together(told)
        };
        self.rank();
        self.words = self.in_words();
    }

    /// The rows on a screen of this size. `has_fact`: it has a line for something else. `told`: the
    /// progress of a session.
    pub(super) fn rows(
        &mut self,
        (width, height): (u16, u16),
        has_fact: bool,
        told: impl Fn(usize) -> Option<Progress>,
    ) -> Rows {
        let mut rows = Rows {
            head: if self.differing.has_targets() {
                "Target"
            } else if self.differing.is_mesh() {
                "Path"
            } else {
                "Class"
            },
            words: self.words.clone(),
            has_fact,
            now: self.states.iter().fold((0, 0), |(lost, all), state| {
                (lost + state.now.0, all + state.now.1)
            }),
            is_unknown: self.states.iter().any(|state| state.is_unknown),
            matching: self.order.len(),
            all: self.states.len(),
            sort: self.sort,
            search: self.search.clone(),
            is_typing: self.is_typing,
            ..Rows::default()
        };
        let room = rows::room(&rows, width, height).max(1);
        let selected = self.place();
        let most = self.order.len().saturating_sub(room);
        let least = (selected + 1).saturating_sub(room);
        self.first = self.first.clamp(least, selected.max(least)).min(most);
        rows.first = self.first;
        rows.selected = selected - self.first.min(selected);
        // More than fit: the screen may have grown when they are drawn.
        let shown = self.order.iter().skip(self.first).take(height.into());
        rows.shown = shown
            .filter_map(|session| {
                let state = self.states.get(*session)?;
                Some(Row {
                    name: self.name(*session),
                    progress: told(*session)?,
                    figures: state.figures,
                    is_unknown: state.is_unknown,
                    silent_since: state.silent_since.as_ref().map(|(_, since)| since.clone()),
                })
            })
            .collect();
        rows
    }

    pub(super) fn progress(&self) -> Progress {
        self.progress
    }

    /// The sessions whose figures are missing or old: those on a screen of this height, and some others. They
    /// are asked for.
    pub(super) fn due_for_figures(&mut self, now: Instant, height: u16) -> Vec<usize> {
        let mut due = Vec::new();
        let states = &mut self.states;
        let mut look = |session: usize, every: Duration| {
            let state = states.get_mut(session);
            let old = state.filter(|it| it.asked.is_none_or(|asked| now >= asked + every));
            if let Some(state) = old {
                state.asked = Some(now);
                due.push(session);
            }
            due.len()
        };
        let shown = self.order.iter().skip(self.first).take(height.into());
        let most = shown.fold(0, |_, session| look(*session, SEEN_EVERY)) + SNAPSHOTS;
        for _ in 0..self.identities.len() {
            if look(self.next_asked, UNSEEN_EVERY) >= most {
                break;
            }
            self.next_asked = (self.next_asked + 1) % self.identities.len();
        }
        due
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most keys mean nothing, whatever keys there will be"
    )]
    pub(super) fn key(&mut self, key: KeyEvent, height: u16) -> Wish {
        let page = i64::from(height / 2);
        match key.code {
            KeyCode::Up => self.step(-1),
            KeyCode::Down => self.step(1),
            KeyCode::PageUp => self.step(-page),
            KeyCode::PageDown => self.step(page),
            KeyCode::Home => (self.selected, self.first) = (None, 0),
            KeyCode::End => self.step(i64::MAX),
            KeyCode::Esc => {
                self.is_typing = false;
                self.seek(String::new());
            }
            KeyCode::Enter if self.is_typing => self.is_typing = false,
            KeyCode::Enter => {
                return self.at(self.place()).map_or(Wish::List, Wish::Open);
            }
            KeyCode::Backspace if self.is_typing => {
                let mut search = self.search.clone();
                search.pop();
                self.seek(search);
            }
            KeyCode::Char(_) if key.modifiers.contains(KeyModifiers::CONTROL) => {
                return Wish::None;
            }
            KeyCode::Char(c) if self.is_typing => {
                if self.search.len() < MOST_SOUGHT && !c.is_control() {
                    self.seek(format!("{}{c}", self.search));
                }
            }
            KeyCode::Char('/') => self.is_typing = true,
            KeyCode::Char('s') => self.sort_by(self.sort.next()),
            KeyCode::Char(c) => match Sort::of_key(c) {
                Some(sort) => self.sort_by(sort),
                None => return Wish::None,
            },
            _ => return Wish::None,
        }
        Wish::List
    }

    /// Selects another row, so many below; the session that it has.
    pub(super) fn step(&mut self, by: i64) {
        let place = i64::try_from(self.place()).unwrap_or(0).saturating_add(by);
        let last = self.order.len().saturating_sub(1);
        let place = usize::try_from(place.max(0)).unwrap_or(last).min(last);
        self.selected = self.at(place).filter(|_| place > 0);
    }

    /// The session that is selected.
    pub(super) fn selected(&self) -> Option<usize> {
        self.at(self.place())
    }

    fn at(&self, place: usize) -> Option<usize> {
        self.order.get(place).copied()
    }

    /// The row that is selected: the first, where it is not in the list.
    fn place(&self) -> usize {
        let selected = self.selected;
        let found = self.order.iter().position(|it| Some(*it) == selected);
        found.unwrap_or(0)
    }

    fn sort_by(&mut self, sort: Sort) {
        self.sort = sort;
        (self.selected, self.first) = (None, 0);
        self.rank();
    }

    fn seek(&mut self, search: String) {
        if search == self.search {
            return;
        }
        self.search = search;
        self.find();
    }

    /// The sessions that match the search.
    fn find(&mut self) {
        let words: Vec<String> = self
            .search
            .split_whitespace()
            .map(str::to_lowercase)
            .collect();
        let matches = |(session, identity): (usize, &Identity)| {
            let text = self.text(identity);
            let found = words.iter().all(|word| text.contains(&**word));
            found.then_some(session)
        };
        self.order = self
            .identities
            .iter()
            .enumerate()
            .filter_map(matches)
            .collect();
        self.rank();
    }

    /// All that a search looks at.
    fn text(&self, identity: &Identity) -> String {
        let labels = identity.target.iter().flat_map(|target| &target.labels);
        let labels: Vec<String> = labels
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let name = self.differing.name(identity);
        let class = identity.tos.dscp();
        let far = named(identity.reflector);
        format!("{name} {far} {class} {}", labels.join(" ")).to_lowercase()
    }

    fn rank(&mut self) {
        let mut order = std::mem::take(&mut self.order);
        order.sort_unstable();
        if self.sort == Sort::Name {
            order.sort_by_cached_key(|session| self.name(*session));
        } else {
            let rank = |session: &usize| self.states.get(*session).map(|it| it.rank(self.sort));
            // Stable: sessions that are equally bad stay in their order.
            order.sort_by_cached_key(|session| Reverse(rank(session)));
        }
        self.order = order;
    }

    /// What is remarkable, in words.
    fn in_words(&self) -> String {
        let sessions = self.identities.iter().zip(&self.states);
        let so_far = sessions.map(|(identity, state)| {
            let (lost, all) = state.whole;
            let figures = state.figures.unwrap_or_default();
            SoFar {
                identity,
                received: all - lost,
                lost,
                is_unknown: state.is_unknown,
                is_unawaited: state.is_unawaited,
                silent_since: state.silent_since.clone(),
                direction: figures.direction,
                median_ns: figures.median_ns,
                p99_ns: figures.p99_ns,
            }
        });
        targets::so_far(so_far, self.differing, &self.failed)
    }
}

#[cfg(test)]
mod tests;
