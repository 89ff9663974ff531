//! What a raw file or several of them lack.

use twinpath_report::finding::{Difference, RawFile};
use twinpath_report::words::rfc3339;

use super::packets;
use crate::output::units::count;

pub(super) fn line(finding: &RawFile) -> String {
    match finding {
        RawFile::StillRunning { newest } => format!(
            "the run is still going on: this is what was saved of it until now, up to {}",
            rfc3339(*newest)
        ),
        RawFile::Interrupted { newest } => format!(
            "the file ends before its run did: the run was killed, or could not go on saving; the last \
             record is from {}, packets without a reply by then are not counted",
            rfc3339(*newest)
        ),
        RawFile::RecordsMissing { count, sent } => format!(
            "the file lacks records of the run, those of {count} of {}: its figures are those of the rest",
            packets(*sent)
        ),
        RawFile::OctetsBehind { count: number } => format!(
            "{} after the end of the run in the file ignored: the run is complete",
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
        RawFile::MergedTwice { count } => format!(
            "sessions of packets that another one has already, by their addresses and times: {count}; \
             those are counted twice"
        ),
    }
}

fn difference(difference: &Difference) -> String {
    let Difference { what, values, more } = difference;
    let more = match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{what} ({}{more})", values.join(" and "))
}
