//! `twinpath dscptable`.

use std::io;

use super::unwritten;
use crate::args::DscptableArgs;
use crate::failure::{Exit, Failure};
use crate::output::dscptable;

pub(super) fn run(args: DscptableArgs) -> Result<Exit, Failure> {
    let mut out = io::stdout().lock();
    let written = if args.json {
        dscptable::json(&mut out)
    } else {
        dscptable::text(&mut out)
    };
    written.map_or_else(|error| unwritten(&error), |()| Ok(Exit::Done))
}
