//! The terminal while the view is up, and its way back on every path: an end, an error, a panic, a
//! second signal.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write as _};
#[cfg(unix)]
use std::os::fd::AsFd;
#[cfg(windows)]
use std::os::windows::io::AsHandle;
use std::panic;
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use ratatui::backend::{Backend as _, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{self, Event};
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::crossterm::{cursor, execute};
use ratatui::layout::{Position, Rect};

use super::draw;
use super::scene::Scene;
use super::theme::Theme;
use crate::logs;

/// Octets of a frame that are written in one go.
const FRAME: usize = 64 * 1_024;
/// The most events handled at once, so that pasted text does not delay the run.
const EVENTS: usize = 64;

/// The terminal that is to be given back; `None` where it was.
static TAKEN: Mutex<Option<File>> = Mutex::new(None);
static HOOK: Once = Once::new();

/// A terminal in use.
pub(super) struct Screen {
    /// Not ratatui's `Terminal`: that asks for the cursor's place, by stdout, and waits for it.
    backend: CrosstermBackend<BufWriter<File>>,
    /// What is on it; empty: not known.
    shown: Buffer,
    theme: Theme,
    /// Where keys come from.
    keys: Keys,
    /// Whether there are unhandled events.
    more: bool,
}

impl Screen {
    /// Takes the terminal of stderr, or that of stdout.
    ///
    /// # Errors
    /// There is no terminal, or keys cannot be read from it.
    pub(super) fn take(colour: bool) -> io::Result<Self> {
        let (stderr, stdout) = (io::stderr(), io::stdout());
        // Apart from the streams, so that no lock prevents restoring the terminal.
        let file = if stderr.is_terminal() {
            duplicate(&stderr)?
        } else {
            duplicate(&stdout)?
        };
        HOOK.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |panic| {
                give_back();
                before(panic);
            }));
        });
        enable_raw_mode()?;
        *taken() = Some(file.try_clone()?);
        logs::hold();
        let screen = Self::enter(file, colour);
        if screen.is_err() {
            give_back();
        }
        screen
    }

    fn enter(mut file: File, colour: bool) -> io::Result<Self> {
        execute!(file, EnterAlternateScreen, cursor::Hide)?;
        let backend = CrosstermBackend::new(BufWriter::with_capacity(FRAME, file));
        Ok(Self {
            backend,
            shown: Buffer::empty(Rect::ZERO),
            theme: Theme::new(colour),
            keys: Keys::open()?,
            more: false,
        })
    }

    /// # Errors
    /// The terminal's; also once it was given back.
    pub(super) fn draw(&mut self, scene: &Scene) -> io::Result<()> {
        if taken().is_none() {
            return Err(io::ErrorKind::NotConnected.into());
        }
        let area = Rect::from((Position::ORIGIN, self.backend.size()?));
        let mut next = Buffer::empty(area);
        draw::draw(scene, self.theme, area, &mut next);
        if self.shown.area != area {
            self.backend.clear()?;
            self.shown = Buffer::empty(area);
        }
        self.backend.draw(self.shown.diff(&next).into_iter())?;
        self.shown = next;
        io::Write::flush(&mut self.backend)
    }

    /// The screen again, whatever happened to it.
    pub(super) fn clear(&mut self) {
        self.shown = Buffer::empty(Rect::ZERO);
    }

    /// How many columns it has.
    pub(super) fn width(&self) -> u16 {
        self.backend.size().map_or(0, |size| size.width)
    }

    /// How many rows it has.
    pub(super) fn height(&self) -> u16 {
        self.backend.size().map_or(0, |size| size.height)
    }

    /// What the user did since the last time. Never waits.
    ///
    /// # Errors
    /// The terminal is gone.
    pub(super) fn events(&mut self) -> io::Result<Vec<Event>> {
        let mut events = Vec::new();
        self.more |= self.keys.wait()?;
        while self.more && events.len() < EVENTS {
            self.more = event::poll(Duration::ZERO)?;
            if self.more {
                events.push(event::read()?);
            }
        }
        Ok(events)
    }
}

/// The terminal of a stream, by a descriptor of its own.
#[cfg(unix)]
fn duplicate(stream: &impl AsFd) -> io::Result<File> {
    stream.as_fd().try_clone_to_owned().map(File::from)
}

#[cfg(windows)]
fn duplicate(stream: &impl AsHandle) -> io::Result<File> {
    stream.as_handle().try_clone_to_owned().map(File::from)
}

/// The terminal that crossterm reads keys from. On a terminal that has hung up it reads endlessly,
/// so it must not be called then.
#[cfg(unix)]
enum Keys {
    Stdin,
    Terminal(File),
}

#[cfg(unix)]
impl Keys {
    fn open() -> io::Result<Self> {
        if io::stdin().is_terminal() {
            Ok(Self::Stdin)
        } else {
            File::open("/dev/tty").map(Self::Terminal)
        }
    }

    /// Whether there is something to read, at once.
    fn wait(&self) -> io::Result<bool> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let stdin = io::stdin();
        let fd = match self {
            Self::Stdin => stdin.as_fd(),
            Self::Terminal(file) => file.as_fd(),
        };
        let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec::default()))?;
        let found = fds[0].revents();
        if found.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
            return Err(io::ErrorKind::NotConnected.into());
        }
        Ok(found.contains(PollFlags::IN))
    }
}

#[cfg(not(unix))]
struct Keys;

#[cfg(not(unix))]
impl Keys {
    fn open() -> io::Result<Self> {
        Ok(Self)
    }

    fn wait(&self) -> io::Result<bool> {
        Ok(true)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// The terminal as it was found, and the log lines that were held back. From any thread, any number
/// of times.
pub(super) fn give_back() {
    let Some(mut file) = taken().take() else {
        return;
    };
    // If the terminal is gone, there is nothing to restore.
    let _ = execute!(file, LeaveAlternateScreen, cursor::Show);
    let _ = file.flush();
    let _ = disable_raw_mode();
    logs::release();
}

fn taken() -> std::sync::MutexGuard<'static, Option<File>> {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}
