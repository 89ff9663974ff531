//! `twinpath dscptable`.

use super::unwritten;
use crate::args::DscptableArgs;
use crate::failure::{Exit, Failure};
use crate::output::{dscptable, stdout};

pub(super) fn run(args: DscptableArgs) -> Result<Exit, Failure> {
    let mut out = stdout();
    let written = if args.json {
        dscptable::json(&mut out)
    } else {
        dscptable::text(&mut out)
    };
    written.map_or_else(|error| unwritten(&error), |()| Ok(Exit::Done))
}
