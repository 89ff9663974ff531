//! In place of the session over a control connection, where there are none in this build.

use twinpath_runtime::SessionReport;

use crate::args::SelftestArgs;
use crate::failure::Failure;
use crate::signals::Signals;

/// No session.
#[expect(clippy::unnecessary_wraps, reason = "as where there is one")]
pub(super) fn session(_: &SelftestArgs, _: &Signals) -> Result<Option<SessionReport>, Failure> {
    Ok(None)
}
