//! The view of a run in progress (`--live`): drawn from the figures that are kept anyway, by the thread
//! that reads them, at most five times a second. Many sessions are a list, each with its charts behind it.

mod chart;
mod columns;
mod draw;
mod list;
mod recent;
mod rows;
mod scene;
mod screen;
mod table;
#[cfg(test)]
mod tests;
mod theme;

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use signal_hook::consts::SIGINT;
use signal_hook::low_level::{exit, raise};
use twinpath_metrics::{Record, Series};
use twinpath_report::{FailedTarget, Identity};
use twinpath_runtime::measure::Progress;
use twinpath_runtime::measure::SessionHandle;
use twinpath_wire::Wall;

use crate::logs;
use crate::output::names::Differing;
use crate::output::progress::together;
use list::{List, Wish};
use recent::Recent;
use scene::{Scene, Window};
use screen::Screen;

/// Time between frames.
const FRAME: Duration = Duration::from_millis(200);
/// Columns of a timeline that a screen is content with.
const COLUMNS: usize = 240;
/// More classes than this are a list, as are several targets and paths.
const MOST_CHARTS: usize = 8;
/// Of as many sessions all records are followed, and so each has its charts from the beginning.
const MOST_FOLLOWED: usize = 64;
/// As many keep the columns of their whole time; of more, charts begin when they are opened.
const MOST_TIMELINES: usize = 1_000;

/// What is known about a run in advance.
pub(crate) struct About<'a> {
    /// `sender`, `controller`.
    pub(crate) command: &'static str,
    /// Address and port, or how many targets there are.
    pub(crate) far: &'a str,
    /// Protocol.
    pub(crate) what: &'a str,
    /// The sessions.
    pub(crate) identities: &'a Arc<[Identity]>,
    /// What cannot be measured.
    pub(crate) failed: &'a [FailedTarget],
}

/// The screen, while it is up.
pub(crate) struct View {
    screen: Screen,
    scene: Scene,
    identities: Arc<[Identity]>,
    /// Of the sessions whose charts are, or may be, shown.
    recent: BTreeMap<usize, Recent>,
    list: Option<List>,
    /// The session of the list whose charts are shown, and what is counted of it.
    opened: Option<usize>,
    followed: Option<usize>,
    snapshot: Option<Arc<Series>>,
    begun: Instant,
    /// The session whose clocks are estimated next.
    next_clocks: usize,
    due: Instant,
    /// By a key.
    interrupted: bool,
}

/// Gives the terminal back, from any thread.
pub(crate) fn give_back() {
    screen::give_back();
}

/// Whether the sessions are a list.
fn is_list(identities: &[Identity]) -> bool {
    let several = identities.len() > 1;
    several && Differing::of(identities.iter()).is_mesh() || identities.len() > MOST_CHARTS
}

impl View {
    /// Takes the terminal.
    ///
    /// # Errors
    /// It cannot be used.
    pub(crate) fn open(colour: bool, about: &About<'_>) -> io::Result<Self> {
        let mut view = Self {
            screen: Screen::take(colour)?,
            scene: Scene {
                command: about.command,
                far: about.far.to_owned(),
                what: about.what.to_owned(),
                ..Scene::default()
            },
            identities: Arc::default(),
            recent: BTreeMap::new(),
            list: None,
            opened: None,
            followed: None,
            snapshot: None,
            begun: Instant::now(),
            next_clocks: 0,
            due: Instant::now(),
            interrupted: false,
        };
        view.grow(about);
        Ok(view)
    }

    /// The run has these sessions now: those of before, and others.
    pub(crate) fn grow(&mut self, about: &About<'_>) {
        let identities = about.identities;
        let differing = Differing::of(identities.iter());
        let (before, all) = (self.identities.len(), identities.len());
        self.identities = Arc::clone(identities);
        self.scene.all = all;
        if let Some(list) = &mut self.list {
            list.grow(identities);
        } else if is_list(identities) {
            self.list = Some(List::new(identities, about.failed.into()));
        }
        let has_name = all > 1 && self.list.is_none();
        let others = identities.iter().enumerate().skip(before);
        for (session, identity) in others.filter(|_| Self::follows(all)) {
            let name = has_name.then(|| differing.name(identity));
            self.recent.insert(session, Recent::new(identity, name));
        }
    }

    /// The columns that it wants the series of so many sessions to have.
    pub(crate) fn columns(sessions: usize) -> Option<usize> {
        (sessions <= MOST_TIMELINES).then_some(COLUMNS)
    }

    /// Whether it follows so many sessions record by record, rather than one that is opened.
    pub(crate) fn follows(sessions: usize) -> bool {
        sessions <= MOST_FOLLOWED
    }

    /// Records the next event of a session, numbered from 0.
    pub(crate) fn record(&mut self, session: usize, record: &Record) {
        if let Some(recent) = self.recent.get_mut(&session) {
            recent.record(record);
        }
    }

    /// Records that the timeout of a packet passed without a record of it.
    pub(crate) fn overdue(&mut self, session: usize, seq: u64, at: Wall) {
        if let Some(recent) = self.recent.get_mut(&session) {
            recent.overdue(seq, at);
        }
    }

    /// What is counted of a session so far.
    pub(crate) fn snapshot(&mut self, session: usize, series: &Arc<Series>) {
        if self.opened == Some(session) {
            self.snapshot = Some(Arc::clone(series));
        }
        if let Some(list) = &mut self.list {
            list.take_figures(session, series);
        }
    }

    /// A line of the negotiation.
    pub(crate) fn event(&mut self, line: &str) {
        self.scene.event = Some(line.to_owned());
    }

    /// The next frame comes at once.
    pub(crate) fn redraw_soon(&mut self) {
        self.due = Instant::now();
    }

    /// Handles keys and draws what is due at `at` by the sender's clock. True: the user wants to end the
    /// run. An error: the view has ended.
    pub(crate) fn turn(
        &mut self,
        series: &[Arc<Series>],
        handles: &mut [SessionHandle],
        at: Wall,
    ) -> io::Result<bool> {
        let mut stale = false;
        let ending = self.scene.ending;
        for event in self.screen.events()? {
            stale = true;
            match event {
                Event::Key(key) => self.key(key),
                Event::Resize(..) => self.redraw_soon(),
                Event::FocusGained | Event::FocusLost | Event::Mouse(_) | Event::Paste(_) => {}
            }
        }
        self.follow(handles, at);
        let now = Instant::now();
        if now >= self.due {
            self.due = now + FRAME;
            stale = true;
            if !self.scene.paused {
                self.look(now, at, series, handles);
            }
        }
        if stale {
            self.screen.draw(&self.scene)?;
        }
        Ok(self.scene.ending && !ending)
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most keys mean nothing, whatever keys there will be"
    )]
    fn key(&mut self, key: KeyEvent) {
        if key.kind == KeyEventKind::Release {
            return;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let height = self.screen.height();
        let listed = self.list.as_mut().filter(|_| self.opened.is_none());
        match listed.map_or(Wish::None, |list| list.key(key, height)) {
            Wish::List => return self.redraw_soon(),
            Wish::Open(session) => return self.open_charts(Some(session)),
            Wish::None => {}
        }
        let scene = &mut self.scene;
        match key.code {
            // As where the terminal makes a signal of it: the second one ends at once.
            KeyCode::Char('c') if control => {
                if self.interrupted {
                    screen::give_back();
                    exit(128 + SIGINT);
                }
                (self.interrupted, scene.ending) = (true, true);
                // A process that cannot signal itself ends with its report.
                let _ = raise(SIGINT);
            }
            KeyCode::Char('l') if control => self.screen.clear(),
            KeyCode::Esc if self.opened.is_some() => self.open_charts(None),
            KeyCode::Char('q' | 'Q') | KeyCode::Esc => scene.ending = true,
            KeyCode::Char('p' | ' ') => scene.paused = !scene.paused,
            KeyCode::Char('+' | '=') => {
                scene.window = scene.window.shorter(&scene.widths);
            }
            KeyCode::Char('-') => scene.window = scene.window.longer(&scene.widths),
            KeyCode::Up => self.step(-1),
            KeyCode::Down => self.step(1),
            _ => return,
        }
        if !self.scene.paused {
            self.redraw_soon();
        }
    }

    /// Another session, so many below.
    fn step(&mut self, by: i64) {
        if let (Some(list), true) = (&mut self.list, self.opened.is_some()) {
            list.step(by);
            let selected = list.selected();
            return self.open_charts(selected);
        }
        let last = self.scene.all.saturating_sub(1);
        let first = self.scene.first.saturating_add_signed(by.signum() as isize);
        self.scene.first = first.min(last);
    }

    /// Shows the charts of a session of the list, or the list.
    fn open_charts(&mut self, session: Option<usize>) {
        self.opened = session;
        self.snapshot = None;
        let list = self.list.as_ref();
        self.scene.opened = session.and_then(|session| Some(list?.title(session)));
        (self.scene.window, self.scene.sessions) = (Window::default(), Vec::new());
        self.scene.paused = false;
        self.redraw_soon();
    }

    /// Has the records of the session that is opened, and no others.
    fn follow(&mut self, handles: &mut [SessionHandle], at: Wall) {
        if self.followed == self.opened {
            return;
        }
        let all = self.identities.len();
        let left = std::mem::replace(&mut self.followed, self.opened);
        if let Some(session) = left.filter(|_| !Self::follows(all)) {
            self.recent.remove(&session);
            handles.get_mut(session).map(SessionHandle::unfollow);
        }
        if let Some(session) = self.opened
            && let (Some(handle), Some(identity)) =
                (handles.get_mut(session), self.identities.get(session))
        {
            handle.follow();
            handle.request_snapshot();
            self.recent.entry(session).or_insert_with(|| {
                let mut recent = Recent::new(identity, None);
                recent.begin_late(at);
                recent
            });
        }
    }

    /// A new scene, at this time by both clocks.
    fn look(&mut self, now: Instant, at: Wall, series: &[Arc<Series>], handles: &[SessionHandle]) {
        let (scene, height) = (&mut self.scene, self.screen.height());
        scene.log = logs::last_held();
        let Some(list) = &mut self.list else {
            let fit = draw::sessions(height);
            scene.first = scene.first.min(scene.all.saturating_sub(fit));
            let first = scene.first;
            let end = first.saturating_add(fit).min(scene.all);
            scene.elapsed = self.recent.values().filter_map(|it| it.elapsed(now)).max();
            return self.look_at_charts(first..end, now, series, handles);
        };
        list.look(now, at, handles.iter().map(SessionHandle::progress));
        scene.elapsed = Some(now.saturating_duration_since(self.begun));
        if let Some(session) = self.opened {
            scene.rows = None;
            return self.look_at_charts(session..session + 1, now, series, handles);
        }
        for session in list.due_for_figures(now, height) {
            if let Some(handle) = handles.get(session).filter(|it| !it.is_finished()) {
                handle.request_snapshot();
            }
        }
        scene.progress = list.progress();
        let told = |session: usize| handles.get(session).map(SessionHandle::progress);
        let has_fact = scene.event.is_some() || scene.log.is_some();
        scene.rows = Some(list.rows((self.screen.width(), height), has_fact, told));
    }

    /// A new scene of the charts of these sessions, and one estimate of clocks.
    fn look_at_charts(
        &mut self,
        shown: Range<usize>,
        now: Instant,
        series: &[Arc<Series>],
        handles: &[SessionHandle],
    ) {
        let scene = &mut self.scene;
        let snapshot = self.snapshot.as_ref();
        let series = |session: usize| snapshot.or(series.get(session)).map(Arc::as_ref);
        if let (Some(first), Some(series)) = (self.recent.get(&shown.start), series(shown.start)) {
            scene.widths = first.widths(series, self.screen.width());
        }
        if !shown.contains(&self.next_clocks) {
            self.next_clocks = shown.start;
        }
        if let (Some(session), Some(series)) = (
            self.recent.get_mut(&self.next_clocks),
            series(self.next_clocks),
        ) {
            session.estimate(now, series);
        }
        self.next_clocks += 1;
        // Read once, so that all counts of a frame are from the same time.
        let all = if self.opened.is_some() {
            shown.clone()
        } else {
            0..handles.len()
        };
        let told = all.filter_map(|session| Some((session, handles.get(session)?.progress())));
        let told: BTreeMap<usize, Progress> = told.collect();
        scene.progress = together(told.values().copied());
        scene.sessions = shown
            .filter_map(|session| {
                if let Some(handle) = handles.get(session) {
                    handle.request_snapshot();
                }
                let (recent, series) = (self.recent.get(&session)?, series(session)?);
                let progress = told.get(&session).copied();
                Some(recent.session(now, series, progress.as_ref(), scene.window))
            })
            .collect();
    }
}
