//! Files that a report is made of, through all of it: read, kept, figured out, written.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Seek as _, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::NamedTempFile;
use twinpath::inside;

use crate::input::Input;

/// Octets of output for each octet of the file, and beside them: more is output without bound.
const MOST_PER_OCTET: u64 = 20_000;
const MOST_BESIDE: u64 = 4 << 20;

/// Forms of a report, by their options.
pub(crate) const FORMS: [&[&str]; 8] = [
    &["--json"],
    &[],
    &["--output=jsonl"],
    &["--output=csv"],
    &["--report-interval=1s"],
    &["--json", "--report-interval=1h", "--percentiles-with-loss"],
    &["--merge"],
    &["--json", "--bins=auto", "--voice=g729a"],
];

/// Octet 0: the form of the report, and whether a port, a timeout or a key is given. Then the file.
pub(crate) fn capture(input: &[u8]) {
    let mut input = Input::new(input);
    let flags = input.octet();
    let mut options = FORMS[usize::from(flags & 7)].to_vec();
    if flags & 8 != 0 {
        options.push("--port=862");
    }
    if flags & 16 != 0 {
        options.push("--timeout=100ms");
    }
    if flags & 32 != 0 {
        // That of captures with HMACs.
        options.push("--hmac-key=00112233445566778899aabbccddeeff");
    }
    let _ = report(input.rest(), &options);
}

/// The report of a file; what it said if there is none.
pub(crate) fn report(file: &[u8], options: &[&str]) -> Result<(), String> {
    thread_local! {
        static FILE: RefCell<Option<(NamedTempFile, PathBuf)>> = const { RefCell::new(None) };
    }
    FILE.with_borrow_mut(|place| {
        let (on_disk, path) = place.get_or_insert_with(|| {
            let file = NamedTempFile::new().expect("a temporary file");
            let path = file.path().to_owned();
            (file, path)
        });
        fill(on_disk.as_file_mut(), file).expect("a temporary file that can be written");
        let path = path.to_str().expect("a plain path").to_owned();
        let words = ["twinpath", "report", "-q"]
            .into_iter()
            .chain(options.iter().copied());
        let line: Vec<String> = words.map(str::to_owned).chain([path]).collect();
        let written = Arc::new(AtomicU64::new(0));
        let out = Bounded {
            written: Arc::clone(&written),
            most: MOST_BESIDE + MOST_PER_OCTET * file.len() as u64,
        };
        let done = inside::report(&line, Box::new(out));
        match &done {
            Ok(()) => assert!(written.load(Ordering::Relaxed) > 0, "a report of nothing"),
            Err(told) => assert!(!told.is_empty() && told.len() < 2_000, "{told}"),
        }
        done
    })
}

fn fill(file: &mut File, octets: &[u8]) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(octets)
}

/// Counts, and panics when it is too much.
struct Bounded {
    written: Arc<AtomicU64>,
    most: u64,
}

impl Write for Bounded {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let before = self
            .written
            .fetch_add(octets.len() as u64, Ordering::Relaxed);
        assert!(before <= self.most, "{before} octets of output");
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
