//! The view of a run in progress (`--live`): drawn from the series that are kept anyway, by the
//! thread that keeps them, at most five times a second. The sender's thread is not involved.

mod chart;
mod columns;
mod draw;
mod recent;
mod scene;
mod screen;
mod table;
#[cfg(test)]
mod tests;
mod theme;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use signal_hook::consts::SIGINT;
use signal_hook::low_level::{exit, raise};
use twinpath_metrics::{Record, Series};
use twinpath_runtime::measure::Progress;
use twinpath_runtime::measure::SessionHandle;
use twinpath_wire::Wall;

use crate::logs;
use crate::output::progress::together;
use recent::Recent;
use scene::Scene;
use screen::Screen;

pub(crate) use recent::About;

/// Time between frames.
const FRAME: Duration = Duration::from_millis(200);
/// Columns of a timeline that a screen is content with.
const COLUMNS: usize = 240;

/// The screen, while it is up.
pub(crate) struct View {
    screen: Screen,
    scene: Scene,
    sessions: Vec<Recent>,
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

impl View {
    /// Takes the terminal.
    ///
    /// # Errors
    /// It cannot be used.
    pub(crate) fn open(colour: bool, about: &About) -> io::Result<Self> {
        let screen = Screen::take(colour)?;
        let sessions = about
            .sessions
            .iter()
            .map(|name| Recent::new(about, name.as_deref()));
        let sessions: Vec<Recent> = sessions.collect();
        Ok(Self {
            screen,
            scene: Scene {
                command: about.command,
                far: about.far.clone(),
                what: about.what.clone(),
                all: sessions.len(),
                ..Scene::default()
            },
            sessions,
            next_clocks: 0,
            due: Instant::now(),
            interrupted: false,
        })
    }

    /// the columns that it wants series to have.
    pub(crate) const COLUMNS: usize = COLUMNS;

    /// Records the next event of a session, numbered from 0.
    pub(crate) fn record(&mut self, session: usize, record: &Record) {
        if let Some(recent) = self.sessions.get_mut(session) {
            recent.record(record);
        }
    }

    /// Records that the timeout of a packet passed without a record of it.
    pub(crate) fn overdue(&mut self, session: usize, seq: u64, at: Wall) {
        if let Some(recent) = self.sessions.get_mut(session) {
            recent.overdue(seq, at);
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

    /// Handles keys and draws what is due. True: the user wants to end the run. An error: the view
    /// has ended.
    pub(crate) fn turn(
        &mut self,
        series: &[Arc<Series>],
        handles: &[SessionHandle],
    ) -> io::Result<bool> {
        let mut stale = false;
        let ending = self.scene.ending;
        for event in self.screen.events()? {
            stale = true;
            if let Event::Key(key) = event {
                self.key(key);
            }
        }
        let now = Instant::now();
        if now >= self.due {
            self.due = now + FRAME;
            stale = true;
            if !self.scene.paused {
                self.look(now, series, handles);
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
        let scene = &mut self.scene;
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
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
            KeyCode::Char('q' | 'Q') | KeyCode::Esc => scene.ending = true,
            KeyCode::Char('p' | ' ') => scene.paused = !scene.paused,
            KeyCode::Char('+' | '=') => {
                scene.window = scene.window.shorter(&scene.widths);
            }
            KeyCode::Char('-') => scene.window = scene.window.longer(&scene.widths),
            KeyCode::Up => scene.first = scene.first.saturating_sub(1),
            KeyCode::Down => {
                scene.first = (scene.first + 1).min(scene.all.saturating_sub(1));
            }
            _ => return,
        }
        if !scene.paused {
            self.due = Instant::now();
        }
    }

    /// A new scene; of the sessions that the screen has room for, and one estimate of clocks.
    fn look(&mut self, now: Instant, series: &[Arc<Series>], handles: &[SessionHandle]) {
        let scene = &mut self.scene;
        let fit = draw::sessions(self.screen.height());
        scene.first = scene.first.min(scene.all.saturating_sub(fit));
        if let (Some(first), Some(series)) =
            (self.sessions.get(scene.first), series.get(scene.first))
        {
            scene.widths = first.widths(series, self.screen.width());
        }
        let looked_at = scene.first..scene.first.saturating_add(fit).min(scene.all);
        if self.next_clocks < looked_at.start || self.next_clocks >= looked_at.end {
            self.next_clocks = looked_at.start;
        }
        if let (Some(session), Some(series)) = (
            self.sessions.get_mut(self.next_clocks),
            series.get(self.next_clocks),
        ) {
            session.estimate(now, series);
        }
        self.next_clocks += 1;
        scene.elapsed = self.sessions.iter().filter_map(|it| it.elapsed(now)).max();
        scene.log = logs::last_held();
        // Read once, so that all counts of a frame are from the same time.
        let told: Vec<Progress> = handles.iter().map(SessionHandle::progress).collect();
        scene.progress = together(told.iter().copied());
        scene.sessions = looked_at
            .filter_map(|session| {
                let (recent, series) = (self.sessions.get(session)?, series.get(session)?);
                let progress = told.get(session).copied();
                Some(recent.session(now, series, progress, scene.window))
            })
            .collect();
    }
}
