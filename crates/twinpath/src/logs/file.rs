//! A log file that stays bounded, and that a full disk does not end in silence.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use twinpath_runtime::file;

use crate::files::{self, Unfit};
use crate::output::{Written, WrittenFile};

/// Octets after which a log file becomes FILE.1 and another is begun: what there is of both at most.
pub(super) const MOST_OCTETS: u64 = 16 << 20;
/// How often a file that took no line is tried again.
const TRY_EVERY: Duration = Duration::from_secs(1);

/// Where lines go.
pub(super) trait Sink {
    /// A whole line, or an error.
    fn line(&mut self, line: &[u8]) -> io::Result<()>;
}

/// A sink whose failures are said once, counted, and got over.
#[derive(Debug)]
pub(super) struct Log<S> {
    sink: S,
    name: String,
    broken: Option<Broken>,
    /// Lines that are missing from it, and why the last of them could not be written.
    lost: u64,
    why: Option<io::Error>,
}

#[derive(Debug)]
struct Broken {
    lost: u64,
    try_at: Instant,
}

impl<S: Sink> Log<S> {
    pub(super) fn new(sink: S, name: String) -> Self {
        Self {
            sink,
            name,
            broken: None,
            lost: 0,
            why: None,
        }
    }

    /// Writes a line, if it can be written; what stderr is to say about that.
    pub(super) fn line(&mut self, line: &[u8], now: Instant) -> Option<String> {
        let Some(broken) = &mut self.broken else {
            let error = self.sink.line(line).err()?;
            let try_at = now + TRY_EVERY;
            self.broken = Some(Broken { lost: 1, try_at });
            self.lost += 1;
            let said = format!(
                "twinpath: cannot write the log file {}: {error}; lines are lost until it can be written \
                 again",
                self.name
            );
            self.why = Some(error);
            return Some(said);
        };
        if now < broken.try_at {
            broken.lost += 1;
            self.lost += 1;
            return None;
        }
        broken.try_at = now + TRY_EVERY;
        let lost = broken.lost;
        let gap = format!("{} lost: this file could not be written\n", lines(lost));
        if let Err(error) = self.sink.line(gap.as_bytes()) {
            broken.lost += 1;
            self.lost += 1;
            self.why = Some(error);
            return None;
        }
        self.broken = None;
        let again = format!(
            "note: the log file {} can be written again; {} lost",
            self.name,
            lines(lost)
        );
        // Whether there is room for more than that.
        match self.line(line, now) {
            None => Some(again),
            Some(error) => Some(error),
        }
    }

    /// What became of it.
    pub(super) fn written(&self) -> Written {
        let error = self.why.as_ref();
        Written {
            what: WrittenFile::Log,
            path: self.name.clone(),
            complete: error.is_none(),
            records: None,
            files: None,
            records_of_run: None,
            error: error.map(|error| format!("{} lost: {error}", lines(self.lost))),
            remedy: error.map(files::remedy).unwrap_or_default(),
        }
    }
}

fn lines(count: u64) -> String {
    match count {
        1 => "1 line was".to_owned(),
        count => format!("{count} lines were"),
    }
}

/// A file that becomes FILE.1 when it is full. What is no regular file has no end.
#[derive(Debug)]
pub(super) struct Turning {
    file: File,
    /// `None`: it is never full.
    path: Option<PathBuf>,
    most: u64,
    octets: u64,
    /// Its last line is not whole.
    torn: bool,
}

impl Turning {
    /// Unlike other files it may be reached by a link and may be a device: nothing that is there is
    /// replaced.
    ///
    /// # Errors
    /// [`Unfit`].
    pub(super) fn open(path: &Path, most: u64) -> Result<Self, Unfit> {
        if let Ok(about) = fs::metadata(path) {
            match file::other_kind(about.file_type()) {
                None | Some(file::DEVICE) => {}
                Some(kind) => return Err(Unfit::Kind(kind)),
            }
        }
        let file = open(path)?;
        let metadata = file.metadata()?;
        // Not the link to it: the file is to become FILE.1.
        let path = metadata.is_file().then(|| fs::canonicalize(path));
        Ok(Self {
            file,
            path: path.transpose()?,
            most,
            octets: metadata.len(),
            torn: false,
        })
    }

    /// Begins another file. Where that cannot be (a directory that is not ours to write), this one is
    /// begun again.
    fn turn(&mut self, path: &Path) -> io::Result<()> {
        let mut before = path.as_os_str().to_owned();
        before.push(".1");
        match fs::rename(path, before) {
            Ok(()) => {
                let permissions = self.file.metadata()?.permissions();
                self.file = open(path)?;
                // A file that others may read more of is better than none.
                let _ = self.file.set_permissions(permissions);
            }
            // Somebody took it away, as programs that rotate logs do.
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.file = open(path)?,
            Err(_) => self.file.set_len(0)?,
        }
        self.octets = self.file.metadata()?.len();
        self.torn = false;
        Ok(())
    }

    fn write(&mut self, mut octets: &[u8]) -> io::Result<()> {
        while !octets.is_empty() {
            match self.file.write(octets) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.octets += u64::try_from(count).unwrap_or(0);
                    octets = octets.get(count..).unwrap_or_default();
                    self.torn = !octets.is_empty();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Sink for Turning {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if self.octets > 0
            && self.octets.saturating_add(length) > self.most
            && let Some(path) = self.path.clone()
        {
            self.turn(&path)?;
        }
        if self.torn {
            self.write(b"\n")?;
        }
        self.write(line)
    }
}

fn open(path: &Path) -> io::Result<File> {
    file::open(path, OpenOptions::new().create(true).append(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk that is full at times.
    #[derive(Default)]
    struct Disk {
        full: bool,
        written: Vec<String>,
        tries: usize,
    }

    impl Sink for Disk {
        fn line(&mut self, line: &[u8]) -> io::Result<()> {
            self.tries += 1;
            if self.full {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let line = String::from_utf8(line.to_vec()).unwrap();
            self.written.push(line.trim_end().to_owned());
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_is_said_once_tried_again_each_second_and_its_end_is_said() {
        let mut log = Log::new(Disk::default(), "x.log".to_owned());
        let start = Instant::now();
        assert_eq!(log.line(b"one\n", start), None);
        log.sink.full = true;
        let said = log.line(b"two\n", start).unwrap();
        assert!(
            said.starts_with("twinpath: cannot write the log file x.log: "),
            "{said}"
        );
        let before = log.sink.tries;
        // Five seconds, a line each millisecond.
        for millis in 1..5_000 {
            let now = start + Duration::from_millis(millis);
            assert_eq!(log.line(b"lost\n", now), None, "{millis}");
        }
        assert_eq!(log.sink.tries - before, 4);
        let last = "the log file x.log is not complete: 5000 lines were lost: no storage space";
        assert_eq!(log.written().shortfall().as_deref(), Some(last));
        log.sink.full = false;
        let said = log
            .line(b"three\n", start + Duration::from_secs(6))
            .unwrap();
        let again = "note: the log file x.log can be written again; 5000 lines were lost";
        assert_eq!(said, again);
        assert_eq!(log.line(b"four\n", start + Duration::from_secs(6)), None);
        let gap = "5000 lines were lost: this file could not be written";
        assert_eq!(log.sink.written, ["one", gap, "three", "four"]);
        // What is missing in the middle is missing.
        assert_eq!(log.written().shortfall().as_deref(), Some(last));
    }

    #[test]
    fn a_file_that_is_full_becomes_the_one_before_and_both_are_all_that_there_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.log");
        let mut file = Turning::open(&path, 1_000).unwrap();
        for number in 0..100_000 {
            file.line(format!("line {number}\n").as_bytes()).unwrap();
        }
        let read = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
        let (before, now) = (read("x.log.1"), read("x.log"));
        assert!(before.len() <= 1_000 && now.len() <= 1_000);
        assert!(now.ends_with("line 99999\n"), "{now}");
        // Nothing is missing in between.
        let numbers: Vec<u32> = (before + &now)
            .lines()
            .map(|line| line.strip_prefix("line ").unwrap().parse().unwrap())
            .collect();
        assert!(
            numbers.is_sorted_by(|one, next| one + 1 == *next),
            "{numbers:?}"
        );
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
        // What there was counts too.
        let mut file = Turning::open(&path, 1_000).unwrap();
        file.line(&[b'x'; 990]).unwrap();
        assert_eq!(read("x.log").len(), 990);
        assert_eq!(read("x.log.1"), now);
    }

    #[test]
    fn a_file_that_was_taken_away_is_made_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.log");
        let mut file = Turning::open(&path, 100).unwrap();
        file.line(&[b'x'; 60]).unwrap();
        fs::rename(&path, directory.path().join("elsewhere")).unwrap();
        file.line(&[b'y'; 60]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), [b'y'; 60]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn lines_that_a_log_file_does_not_take_are_counted_and_the_count_is_written_later() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut log = Log::new(Turning::open(&path, 1_000).unwrap(), "log".to_owned());
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ours = std::mem::replace(&mut log.sink.file, full);
        let start = Instant::now();
        assert!(log.line(b"one\n", start).is_some());
        assert_eq!(log.line(b"two\n", start), None);
        log.sink.file = ours;
        assert!(log.line(b"three\n", start + TRY_EVERY).is_some());
        assert_eq!(log.line(b"four\n", start + TRY_EVERY), None);
        let written = fs::read_to_string(&path).unwrap();
        let gap = "2 lines were lost: this file could not be written\n";
        assert_eq!(written, format!("{gap}three\nfour\n"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_device_without_room_is_an_error_and_one_without_end_is_never_full() {
        let mut full = Turning::open(Path::new("/dev/full"), 10).unwrap();
        let error = full.line(b"a line\n").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        let mut null = Turning::open(Path::new("/dev/null"), 10).unwrap();
        for _ in 0..100 {
            null.line(b"a line\n").unwrap();
        }
    }
}
