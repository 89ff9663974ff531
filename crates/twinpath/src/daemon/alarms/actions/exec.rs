//! Programs that are run, several at once, each for a limited time.

use std::io;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, thread};

use tracing::{debug, info, warn};
use twinpath_report::words::is_plain;

use crate::failure::Failure;

/// Programs that run at once.
const AT_ONCE: usize = 8;
/// Programs that wait; beyond that they are dropped and counted.
const WAITING: usize = 256;
/// How long one may run.
const LONGEST: Duration = Duration::from_secs(30);
/// How long programs may go on when the daemon ends.
const LONGEST_END: Duration = Duration::from_secs(2);
/// How long it takes to kill them.
const LONGEST_KILL: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Octets of its output that are logged.
#[cfg(unix)]
const MOST_OUTPUT: usize = 1_000;

/// What the daemon was given and programs do not need: a secret, and ways to the service manager.
const NOT_INHERITED: [&str; 3] = [
    "TWINPATH_PASSPHRASE",
    "NOTIFY_SOCKET",
    "CREDENTIALS_DIRECTORY",
];

/// Why a program cannot be run on this host.
pub(in crate::daemon) fn lacks(program: &str) -> Option<Failure> {
    let why = match fs::metadata(program) {
        Ok(about) if about.is_file() && is_executable(&about) => return None,
        Ok(_) => "it is not a program".to_owned(),
        Err(error) => error.to_string(),
    };
    Some(Failure::could_not(format!("exec {program}: {why}")))
}

#[cfg(unix)]
fn is_executable(about: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;

    about.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn is_executable(_about: &fs::Metadata) -> bool {
    true
}

/// A program to be run for an alert.
struct Job {
    alert: String,
    words: Vec<String>,
}

/// The programs.
pub(super) struct Programs {
    jobs: SyncSender<Job>,
    waiting: Arc<Mutex<Receiver<Job>>>,
    /// Those that run or wait.
    open: Arc<AtomicUsize>,
    /// The daemon is over: none is begun, and those that run are killed.
    is_over: Arc<AtomicBool>,
    threads: usize,
    dropped: u64,
}

impl Programs {
    pub(super) fn new() -> Self {
        let (jobs, waiting) = sync_channel(WAITING);
        Self {
            jobs,
            waiting: Arc::new(Mutex::new(waiting)),
            open: Arc::default(),
            is_over: Arc::default(),
            threads: 0,
            dropped: 0,
        }
    }

    /// Has a program run with its arguments.
    pub(super) fn run(&mut self, alert: &str, words: Vec<String>) {
        let open = self.open.fetch_add(1, Ordering::AcqRel) + 1;
        if self.threads < AT_ONCE && self.threads < open {
            self.begin_thread();
        }
        let alert = alert.to_owned();
        match self.jobs.try_send(Job { alert, words }) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.open.fetch_sub(1, Ordering::AcqRel);
                self.dropped += 1;
            }
        }
    }

    fn begin_thread(&mut self) {
        let (waiting, open) = (Arc::clone(&self.waiting), Arc::clone(&self.open));
        let is_over = Arc::clone(&self.is_over);
        let thread = thread::Builder::new().name("actions".to_owned());
        let begun = thread.spawn(move || {
            loop {
                let job = waiting
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .recv();
                let Ok(job) = job else { return };
                job.run(&|| is_over.load(Ordering::Acquire));
                open.fetch_sub(1, Ordering::AcqRel);
            }
        });
        match begun {
            Ok(_) => self.threads += 1,
            Err(error) => warn!("actions have no thread: {error}"),
        }
    }

    /// Logs what was dropped since the last time.
    pub(super) fn attend(&mut self) {
        if self.dropped > 0 {
            warn!(
                "{} programs of alerts were not run: too many wait",
                self.dropped
            );
            self.dropped = 0;
        }
    }

    /// Waits a short time for those that run, then kills them.
    pub(super) fn close(self) {
        self.wait(LONGEST_END);
        self.is_over.store(true, Ordering::Release);
        self.wait(LONGEST_KILL);
    }

    fn wait(&self, longest: Duration) {
        let by = Instant::now() + longest;
        while self.open.load(Ordering::Acquire) > 0 && Instant::now() < by {
            thread::sleep(LOOK_EVERY);
        }
    }
}

impl Job {
    fn run(&self, is_over: &dyn Fn() -> bool) {
        let program = self.words.first().map_or("", String::as_str);
        let alert = &self.alert;
        if is_over() {
            warn!("alert {alert}: {program} is not run: the daemon ends");
            return;
        }
        match run(&self.words, Stdio::null(), LONGEST, is_over) {
            Ok((Some(status), output)) if status.success() => {
                debug!("alert {alert}: {program}: done");
                for line in output.lines() {
                    info!("alert {alert}: {program}: {line}");
                }
            }
            Ok((status, output)) => {
                let end = match status {
                    Some(status) => status.to_string(),
                    None if is_over() => "killed, as the daemon ends".to_owned(),
                    None => format!("killed after {} s", LONGEST.as_secs()),
                };
                let output = output.lines().collect::<Vec<_>>().join(" | ");
                warn!("alert {alert}: {program}: {end}: {output}");
            }
            Err(error) => warn!("alert {alert}: {program} cannot be run: {error}"),
        }
    }
}

fn command(words: &[String], input: Stdio) -> io::Result<Command> {
    let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(input);
    for variable in NOT_INHERITED {
        command.env_remove(variable);
    }
    Ok(command)
}

/// Runs a program with its arguments and input, for so long at most and not longer than the daemon: how it ended,
/// `None` if it was killed, and the beginning of its output.
///
/// # Errors
/// It cannot be run.
pub(in crate::daemon) fn run(
    words: &[String],
    input: Stdio,
    longest: Duration,
    is_over: &dyn Fn() -> bool,
) -> io::Result<(Option<ExitStatus>, String)> {
    let mut command = command(words, input)?;
    let mut output = Output::of(&mut command)?;
    let mut child = command.spawn()?;
    // Its end of the pipe is the only one left.
    drop(command);
    let by = Instant::now() + longest;
    let status = loop {
        output.read();
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if Instant::now() >= by || is_over() {
            kill(&mut child);
            child.wait()?;
            break None;
        }
        thread::sleep(LOOK_EVERY);
    };
    output.read();
    Ok((status, output.text()))
}

/// The beginning of what a program writes.
struct Output {
    #[cfg(unix)]
    pipe: io::PipeReader,
    octets: Vec<u8>,
}

#[cfg(unix)]
impl Output {
    /// Both of its outputs, and a process group of its own, by which all that it begins is killed with it.
    fn of(command: &mut Command) -> io::Result<Self> {
        use std::os::unix::process::CommandExt as _;

        let (pipe, writer) = io::pipe()?;
        rustix::io::ioctl_fionbio(&pipe, true)?;
        command.stdout(writer.try_clone()?).stderr(writer);
        command.process_group(0);
        let octets = Vec::new();
        Ok(Self { pipe, octets })
    }

    /// Reads what is there now, and keeps the beginning. What it began may have the pipe for longer: then no read waits.
    fn read(&mut self) {
        use std::io::Read as _;

        /// Reads at a time: a program that never stops writing does not keep this thread.
        const MOST_READS: usize = 64;
        let mut octets = [0; 4_096];
        for _ in 0..MOST_READS {
            match self.pipe.read(&mut octets) {
                Ok(0) | Err(_) => return,
                Ok(length) => {
                    let left = MOST_OUTPUT.saturating_sub(self.octets.len());
                    let new = octets.get(..length.min(left)).unwrap_or_default();
                    self.octets.extend_from_slice(new);
                }
            }
        }
    }
}

#[cfg(not(unix))]
impl Output {
    fn of(command: &mut Command) -> io::Result<Self> {
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self { octets: Vec::new() })
    }

    fn read(&mut self) {}
}

impl Output {
    fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.octets);
        text.chars()
            .map(|c| if is_plain(c) || c == '\n' { c } else { ' ' })
            .collect()
    }
}

#[cfg(unix)]
fn kill(child: &mut Child) {
    let group = rustix::process::Pid::from_child(child);
    // It may have ended meanwhile.
    let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
}

#[cfg(not(unix))]
fn kill(child: &mut Child) {
    // It may have ended meanwhile.
    let _ = child.kill();
}

#[cfg(all(test, unix))]
mod tests {
    use std::path::Path;

    use super::*;

    fn job(words: &[&str]) -> Job {
        Job {
            alert: "slow".to_owned(),
            words: words.iter().map(|word| (*word).to_owned()).collect(),
        }
    }

    #[test]
    fn a_program_has_its_arguments_as_they_are() {
        let job = job(&["/bin/echo", "$HOME", "a  b", "`id`;"]);
        let (status, output) = run(&job.words, Stdio::null(), LONGEST, &|| false).unwrap();
        assert!(status.unwrap().success());
        assert_eq!(output, "$HOME a  b `id`;\n");
        let command = command(&job.words, Stdio::null()).unwrap();
        let variables = command
            .get_envs()
            .map(|(name, value)| (name.to_str(), value));
        let variables: Vec<_> = variables.collect();
        assert!(
            variables.contains(&(Some("TWINPATH_PASSPHRASE"), None)),
            "{variables:?}"
        );
    }

    #[test]
    fn its_output_is_bounded_and_a_failure_is_told() {
        let loud = job(&[
            "/bin/sh",
            "-c",
            "head -c 100000 /dev/zero | tr '\\0' x; echo e >&2; exit 3",
        ]);
        let (status, output) = run(&loud.words, Stdio::null(), LONGEST, &|| false).unwrap();
        assert_eq!(status.unwrap().code(), Some(3));
        assert_eq!(output, "x".repeat(MOST_OUTPUT));
        let failed = |words| run(&job(words).words, Stdio::null(), LONGEST, &|| false).is_err();
        assert!(failed(&["/nowhere/at/all"]));
        assert!(failed(&["/bin/echo", "a\0b"]));
    }

    #[test]
    fn what_takes_too_long_is_killed_with_all_that_it_began() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("pid");
        let script = format!("sleep 1000 & echo $! > {}; wait", file.display());
        let slow = job(&["/bin/sh", "-c", &script]);
        let (status, _) = run(&slow.words, Stdio::null(), Duration::from_secs(2), &|| {
            false
        })
        .unwrap();
        assert_eq!(status, None);
        let pid = fs::read_to_string(file).unwrap();
        let state = || fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        // The process that adopts it may take a moment to reap it.
        while state().is_ok_and(|stat| !stat.contains(") Z")) {
            thread::sleep(LOOK_EVERY);
        }
    }

    #[test]
    fn what_goes_on_behind_it_is_not_waited_for() {
        let job = job(&["/bin/sh", "-c", "sleep 1000 & echo $!"]);
        let (status, output) = run(&job.words, Stdio::null(), LONGEST, &|| false).unwrap();
        assert!(status.unwrap().success());
        let pid: i32 = output.trim().parse().unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }

    #[test]
    fn what_runs_when_the_daemon_ends_is_killed_a_moment_later() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("pid");
        let script = format!("trap '' TERM; echo $$ > {}; sleep 1000", file.display());
        let mut programs = Programs::new();
        programs.run(
            "slow",
            ["/bin/sh", "-c", &script].map(str::to_owned).to_vec(),
        );
        while fs::read_to_string(&file).unwrap_or_default().is_empty() {
            thread::sleep(LOOK_EVERY);
        }
        programs.close();
        let pid = fs::read_to_string(file).unwrap();
        assert!(!Path::new(&format!("/proc/{}", pid.trim())).exists());
    }

    #[test]
    fn all_programs_run_and_those_beyond_the_queue_are_counted() {
        let place = tempfile::tempdir().unwrap();
        let mut programs = Programs::new();
        for number in 0..20 {
            let file = place.path().join(number.to_string());
            let words = ["/bin/touch".to_owned(), file.display().to_string()];
            programs.run("slow", words.to_vec());
        }
        assert!(programs.threads <= AT_ONCE);
        while programs.open.load(Ordering::Acquire) > 0 {
            thread::sleep(LOOK_EVERY);
        }
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 20);
        let wait = || ["/bin/sleep", "0.2"].map(str::to_owned).to_vec();
        for _ in 0..WAITING + AT_ONCE + 5 {
            programs.run("slow", wait());
        }
        assert!(programs.dropped >= 1);
    }
}
