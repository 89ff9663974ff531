//! The frames of one capture, or of several that are parts of one, in order of time.

use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};

use twinpath_wire::Wall;

use super::CaptureError;
use super::file::{End, Packet, Packets};

/// The most interfaces that are distinguished; further ones count as the last.
const INTERFACES: usize = 256;

/// A file of a capture.
#[derive(Clone, Debug)]
struct Part {
    begins: Wall,
    path: PathBuf,
    /// Which of several captures it is a part of, where they were taken at the same time.
    capture: u32,
}

/// The parts of a capture, by the times of their first packets.
#[derive(Clone, Debug)]
pub(super) struct Parts(Vec<Part>);

impl Parts {
    /// # Errors
    /// [`CaptureError`], and the file that it is about.
    pub(super) fn new(paths: &[PathBuf]) -> Result<Self, (PathBuf, CaptureError)> {
        let mut parts = Vec::new();
        for path in paths {
            let failed = |error| (path.clone(), error);
            let mut packets = open(path).map_err(failed)?;
            let begins = packets.advance().map_err(failed)?;
            if let (false, End::Damaged(what)) = (begins, packets.end()) {
                return Err(failed(CaptureError::Damaged(what)));
            }
            let at = if begins {
                packets.current().at
            } else {
                Wall::from_unix_ns(i64::MIN)
            };
            parts.push(Part {
                begins: at,
                path: path.clone(),
                capture: 0,
            });
        }
        parts.sort_by(|one, other| (one.begins, &one.path).cmp(&(other.begins, &other.path)));
        Ok(Self(parts))
    }

    /// Separates parts that follow each other from captures that were taken side by side, once it is
    /// known how they end: those are as two interfaces.
    pub(super) fn number_captures(&mut self, ended: &[Ended]) {
        // When the last part of each capture begins and ends.
        let mut captures: Vec<(Wall, Wall)> = Vec::new();
        for (place, part) in self.0.iter_mut().enumerate() {
            let ended = ended.iter().find(|ended| ended.place == place);
            let ends = ended.map_or(part.begins, |ended| ended.newest);
            let follows = |(begun, over): &(Wall, Wall)| {
                let shorter = (*over - *begun).min(ends - part.begins);
                // Some packets that are out of order at the seam do not make them overlap.
                (*over - part.begins).ns() <= shorter.ns() / 2
            };
            let known = captures.iter().position(follows);
            let capture = known.unwrap_or(captures.len());
            match captures.get_mut(capture) {
                Some(last) => *last = (part.begins, last.1.max(ends)),
                None => captures.push((part.begins, ends)),
            }
            part.capture = u32::try_from(capture).unwrap_or(u32::MAX);
        }
    }

    /// Their names, in this order.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(|part| part.path.as_path())
    }
}

fn open(path: &Path) -> Result<Packets<'static>, CaptureError> {
    Packets::open(File::open(path)?)
}

/// A part that is being read.
struct Reading {
    place: usize,
    capture: u32,
    packets: Packets<'static>,
    newest: Wall,
    /// Frames so far.
    frames: u64,
}

impl Reading {
    fn advance(&mut self) -> Result<bool, CaptureError> {
        let there = self.packets.advance()?;
        if there {
            self.newest = self.newest.max(self.packets.current().at);
            self.frames += 1;
        }
        Ok(there)
    }

    fn frame(&self) -> Frame<'_> {
        let packet = self.packets.current();
        let name = self.packets.interfaces().get(packet.interface);
        Frame {
            packet,
            interface: name.map_or("", String::as_str),
            part: self.place,
            number: self.frames,
            capture: self.capture,
        }
    }
}

/// How a part ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    /// Its place in [`Parts::paths`].
    pub(super) place: usize,
    pub(super) end: End,
    pub(super) without_time: u64,
    /// The time of its latest packet.
    newest: Wall,
}

/// A frame, and where it is from.
pub(super) struct Frame<'a> {
    pub(super) packet: &'a Packet,
    /// The name of its interface, as far as the file has one.
    pub(super) interface: &'a str,
    /// The part that it is in, by its place, and its number there, from 1.
    pub(super) part: usize,
    pub(super) number: u64,
    /// Which of several captures it is from, where they were taken at the same time.
    pub(super) capture: u32,
}

/// All frames of all parts. Parts that follow each other are read one after the other, those that
/// overlap side by side.
pub(super) struct Frames<'a> {
    parts: &'a Parts,
    next: usize,
    open: Vec<Reading>,
    current: usize,
    ended: Vec<Ended>,
}

impl<'a> Frames<'a> {
    pub(super) fn new(parts: &'a Parts) -> Self {
        Self {
            parts,
            next: 0,
            open: Vec::new(),
            current: 0,
            ended: Vec::new(),
        }
    }

    /// The next frame; `None` at the end.
    ///
    /// # Errors
    /// [`CaptureError`]: a file cannot be read.
    pub(super) fn next(&mut self) -> Result<Option<Frame<'_>>, CaptureError> {
        if let Some(read) = self.open.get_mut(self.current)
            && !read.advance()?
        {
            let read = self.open.swap_remove(self.current);
            self.end(&read);
        }
        loop {
            let oldest = self
                .open
                .iter()
                .enumerate()
                .min_by_key(|(_, read)| (read.packets.current().at, read.place));
            let at = oldest.map(|(place, read)| (place, read.packets.current().at));
            match (at, self.parts.0.get(self.next)) {
                (at, Some(part)) if at.is_none_or(|(_, at)| part.begins <= at) => {
                    let mut read = Reading {
                        place: self.next,
                        capture: part.capture,
                        packets: open(&part.path)?,
                        newest: part.begins,
                        frames: 0,
                    };
                    self.next += 1;
                    if read.advance()? {
                        self.open.push(read);
                    } else {
                        self.end(&read);
                    }
                }
                (Some((place, _)), _) => {
                    self.current = place;
                    return Ok(self.open.get(place).map(Reading::frame));
                }
                (None, _) => return Ok(None),
            }
        }
    }

    fn end(&mut self, read: &Reading) {
        self.ended.push(Ended {
            place: read.place,
            end: read.packets.end(),
            without_time: read.packets.without_time(),
            newest: read.newest,
        });
    }

    /// How the parts ended, all frames being read.
    pub(super) fn ended(&self) -> &[Ended] {
        &self.ended
    }
}

/// Where packets were captured: an interface of the file, or of a cooked capture, by the
/// system's number.
#[derive(Debug, Default)]
pub(super) struct Interfaces {
    known: Vec<Interface>,
    /// The last result.
    last: usize,
}

#[derive(Debug, PartialEq, Eq)]
struct Interface {
    name: String,
    ifindex: Option<u32>,
    capture: u32,
}

impl Interfaces {
    /// The number of an interface, here.
    pub(super) fn number(&mut self, frame: &Frame<'_>, ifindex: Option<u32>) -> u32 {
        let is = |known: &Interface| {
            known.name == frame.interface
                && known.ifindex == ifindex
                && known.capture == frame.capture
        };
        if !self.known.get(self.last).is_some_and(is) {
            self.last = self.known.iter().position(is).unwrap_or_else(|| {
                if self.known.len() < INTERFACES {
                    self.known.push(Interface {
                        name: frame.interface.to_owned(),
                        ifindex,
                        capture: frame.capture,
                    });
                }
                self.known.len() - 1
            });
        }
        u32::try_from(self.last).unwrap_or(u32::MAX)
    }

    /// What to call it.
    pub(super) fn name(&self, number: u32) -> Option<String> {
        let known = self.known.get(usize::try_from(number).ok()?)?;
        let mut name = match (known.name.as_str(), known.ifindex) {
            ("", Some(index)) => format!("with index {index}"),
            (name, Some(index)) => format!("{name}, index {index}"),
            ("", None) => "without a name".to_owned(),
            (name, None) => name.to_owned(),
        };
        if known.capture > 0 {
            let _ = write!(name, " (capture {})", known.capture + 1);
        }
        Some(name)
    }
}
