//! Data missing in one or more raw files.

use twinpath_report::finding::{Difference, RawFile};
use twinpath_report::words::instant;
use twinpath_wire::Wall;

use super::packets;
use crate::output::units::count;

pub(super) fn line(finding: &RawFile) -> String {
    match finding {
        RawFile::StillRunning { newest } => format!(
            "the run is still going on: saved so far, up to {}",
            instant(*newest, 3)
        ),
        RawFile::Interrupted { newest } => format!(
            "the file ends before its run did (killed, or saving failed); the last record is from {}; packets under way then are not counted",
            instant(*newest, 3)
        ),
        RawFile::RecordsMissing { count, sent } => format!(
            "the file lacks records of {count} of {}: figures are of the rest",
            packets(*sent)
        ),
        RawFile::RunPart {
            first,
            last,
            from,
            until,
            unrecorded,
            has_end,
        } => {
            let part = part([*first, *last], *from, *until, *unrecorded);
            match until {
                Some(_) if !has_end => format!(
                    "{part}; without the end of the run: it goes on, was killed, or has later files"
                ),
                _ => part,
            }
        }
        RawFile::PartsMissing {
            count: number,
            from,
            until,
        } => format!(
            "{} missing, between {} and {}: the packets in there are not counted",
            count(*number, "file of the run is", "files of the run are"),
            instant(*from, 3),
            instant(*until, 3)
        ),
        RawFile::PartsIncomplete { count: number } => format!(
            "the files lack {} of the run (the disk was full or too slow): figures are of the rest",
            count(*number, "record", "records")
        ),
        RawFile::OctetsBehind { count: number } => format!(
            "{} after the end of the run ignored: the run is complete",
            count(*number, "octet", "octets")
        ),
        RawFile::FileTorn => {
            "the end of the file is missing or damaged: these are the records up to \
                              the last complete write"
                .to_owned()
        }
        RawFile::Merged {
            count,
            files,
            differences,
        } => {
            let files = files.join(", ");
            let what = match count {
                1 => format!("one session from {files}"),
                count => format!("{count} sessions added up ({files})"),
            };
            if differences.is_empty() {
                return what;
            }
            let differences: Vec<String> = differences.iter().map(difference).collect();
            format!("{what}; they differ in {}", differences.join(", "))
        }
        RawFile::MergedTwice { count: number } => format!(
            "{} packets of another one (same addresses and times): these are counted twice",
            count(*number, "session contains", "sessions contain")
        ),
    }
}

/// Files that are a part of their run.
fn part([first, last]: [u64; 2], from: Wall, until: Option<Wall>, unrecorded: u64) -> String {
    let which = if first == last {
        format!("file {first}")
    } else {
        format!("files {first} to {last}")
    };
    let from = instant(from, 3);
    let until = until.map_or_else(String::new, |until| format!(" until {}", instant(until, 3)));
    let unrecorded = match unrecorded {
        0 => String::new(),
        number => {
            let sessions = count(number, "session", "sessions");
            format!("; {sessions} of the run without a record then")
        }
    };
    format!(
        "{which} of a run saved in several: packets whose fate became known from {from}{until}{unrecorded}"
    )
}

fn difference(difference: &Difference) -> String {
    let Difference { what, values, more } = difference;
    let more = match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{what} ({}{more})", values.join(" and "))
}
