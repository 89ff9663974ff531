//! Programs of a benchmark: started in a namespace, tied to a core, ended when dropped.
//!
//! What they print goes into files, so that no reader wakes up while they measure.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::pty;
use rustix::termios::{Winsize, tcsetwinsize};

use crate::machine::{kib, value};
use crate::namespaces::End;
use crate::{interrupt, role};

const PREFIX: &str = "twinbench-";

/// A directory for what programs print, removed when dropped.
pub(crate) struct Scratch {
    directory: PathBuf,
    files: Cell<u32>,
}

impl Scratch {
    pub(crate) fn create() -> Result<Self> {
        remove_left_over();
        let directory = std::env::temp_dir().join(format!("{PREFIX}{}", std::process::id()));
        fs::create_dir_all(&directory).context("cannot make a directory for output")?;
        Ok(Self {
            directory,
            files: Cell::new(0),
        })
    }

    /// A file that its owner alone may read, with this in it.
    pub(crate) fn secret(&self, text: &str) -> Result<PathBuf> {
        let path = self.directory.join("secret");
        let mut file = File::options();
        let mut file = file
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)?;
        file.write_all(text.as_bytes())?;
        Ok(path)
    }

    /// The name of a file that there is not yet.
    pub(crate) fn name(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn file(&self) -> Result<(PathBuf, File)> {
        let number = self.files.replace(self.files.get() + 1);
        let path = self.directory.join(number.to_string());
        let file = File::create(&path)?;
        Ok((path, file))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Directories of a benchmark that was killed: their names say whose they were.
fn remove_left_over() {
    for entry in fs::read_dir(std::env::temp_dir())
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Where to run a program.
#[derive(Clone, Copy, Default)]
pub(crate) struct Place<'a> {
    pub(crate) end: Option<&'a End>,
    pub(crate) core: Option<usize>,
    /// Where keys come from and what is no result goes; not into a file.
    pub(crate) terminal: Option<&'a Terminal>,
}

impl<'a> Place<'a> {
    pub(crate) fn at(end: &'a End) -> Self {
        Self {
            end: Some(end),
            core: None,
            terminal: None,
        }
    }

    pub(crate) fn on_terminal(self, terminal: &'a Terminal) -> Self {
        Self {
            terminal: Some(terminal),
            ..self
        }
    }

    pub(crate) fn on_core(self, core: usize) -> Self {
        Self {
            core: Some(core),
            ..self
        }
    }
}

/// A terminal for programs that draw on one: somebody reads it, and forgets it.
pub(crate) struct Terminal {
    end: OwnedFd,
}

impl Terminal {
    /// Of 200 columns and 60 rows.
    pub(crate) fn open() -> Result<Self> {
        let flags = pty::OpenptFlags::RDWR | pty::OpenptFlags::NOCTTY;
        let reader = pty::openpt(flags).context("cannot make a terminal")?;
        pty::unlockpt(&reader)?;
        let end = pty::ioctl_tiocgptpeer(&reader, flags)?;
        let size = Winsize {
            ws_row: 60,
            ws_col: 200,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&end, size)?;
        let mut reader = File::from(reader);
        // Ends with the last program on it and this one's own end.
        thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
        Ok(Self { end })
    }

    fn end(&self) -> Result<OwnedFd> {
        Ok(self.end.try_clone()?)
    }
}

/// A running program.
pub(crate) struct Process {
    name: String,
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
    cpu: Duration,
}

/// What a program left when it ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// User and system time of its whole life.
    pub(crate) cpu: Duration,
}

impl Process {
    /// Starts `program`; `ip netns exec` and this process's settings become it by `exec`, so the
    /// child's id is the program's own.
    pub(crate) fn start(
        scratch: &Scratch,
        place: Place<'_>,
        program: &Path,
        arguments: &[String],
    ) -> Result<Self> {
        interrupt::check()?;
        let mut command = match place.end {
            Some(end) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", &end.name]).arg(program);
                command
            }
            None => Command::new(program),
        };
        let (stdout, out) = scratch.file()?;
        let (stderr, err) = scratch.file()?;
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err);
        if let Some(terminal) = place.terminal {
            command.stdin(terminal.end()?).stderr(terminal.end()?);
        }
        twinpath_bench::bind_child(&mut command, place.core)?;
        let name = format!("{} {}", program.display(), arguments.join(" "));
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self {
            name,
            child,
            stdout,
            stderr,
            cpu: Duration::ZERO,
        })
    }

    /// Starts this program again in another role.
    pub(crate) fn role(scratch: &Scratch, place: Place<'_>, role: &role::Role) -> Result<Self> {
        let own = std::env::current_exe().context("cannot find this program")?;
        let role = serde_json::to_string(role)?;
        Self::start(scratch, place, &own, &["role".to_owned(), role])
    }

    /// Waits until it printed `words`, on either stream.
    pub(crate) fn wait_for(&mut self, words: &str) -> Result<()> {
        let name = self.name.clone();
        interrupt::wait(
            &format!("{name}: \"{words}\""),
            Duration::from_secs(10),
            || {
                let printed = self.printed();
                if printed.contains(words) {
                    return Ok(Some(()));
                }
                if let Some(status) = self.reap()? {
                    bail!("{name}: {status}: {printed}");
                }
                Ok(None)
            },
        )
    }

    fn printed(&self) -> String {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        read(&self.stdout) + &read(&self.stderr)
    }

    /// Whether it has ended.
    pub(crate) fn is_over(&mut self) -> Result<bool> {
        Ok(self.reap()?.is_some())
    }

    /// Its status once it has ended. One program is waited for at a time, so what the processor
    /// time of ended children grows by is its own.
    fn reap(&mut self) -> Result<Option<ExitStatus>> {
        let before = twinpath_bench::children_cpu()?;
        let status = self.child.try_wait()?;
        self.cpu += twinpath_bench::children_cpu()?.saturating_sub(before);
        Ok(status)
    }

    /// The largest resident memory of its life so far, in octets; `None` once it has ended.
    pub(crate) fn peak_memory_octets(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        Some(kib(value(&status, "VmHWM")?) * 1024)
    }

    /// Time that its threads ran so far, in nanoseconds.
    pub(crate) fn ran_ns(&self) -> u64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let ran = |task: fs::DirEntry| {
            let schedule = fs::read_to_string(task.path().join("schedstat")).ok()?;
            schedule.split(' ').next()?.parse::<u64>().ok()
        };
        tasks.into_iter().flatten().flatten().filter_map(ran).sum()
    }

    /// Waits for its end, at most `limit`.
    pub(crate) fn finish(mut self, limit: Duration) -> Result<Ended> {
        let status = interrupt::wait(&self.name.clone(), limit, || self.reap())?;
        Ok(Ended {
            status,
            stdout: fs::read_to_string(&self.stdout)?,
            stderr: fs::read_to_string(&self.stderr)?,
            cpu: self.cpu,
        })
    }

    /// Like [`finish`](Self::finish), and an error unless it ended well.
    pub(crate) fn succeed(self, limit: Duration) -> Result<Ended> {
        let name = self.name.clone();
        let ended = self.finish(limit)?;
        if !ended.status.success() {
            bail!("{name}: {}: {}", ended.status, ended.stderr.trim_end());
        }
        Ok(ended)
    }

    /// Asks it to end (SIGINT) and waits for it.
    pub(crate) fn stop(self) -> Result<Ended> {
        twinpath_bench::interrupt(&self.child).with_context(|| self.name.clone())?;
        self.finish(Duration::from_secs(10))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
