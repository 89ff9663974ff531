//! The self-test's session over a control connection.

use std::net::{Ipv4Addr, SocketAddr};

use twinpath_report::SessionReport;
use twinpath_runtime::controller::ControlPlan;
use twinpath_runtime::server::{self, ServerPlan};

use super::{measured, path, sender_plan};
use crate::args::SelftestArgs;
use crate::cmd::control::ControlledRun;
use crate::failure::Failure;
use crate::signals::Signals;

/// A control connection too: Server and Control-Client, then a test session that they agree on.
pub(super) fn session(args: &SelftestArgs, signals: &Signals) -> Result<SessionReport, Failure> {
    let near = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = server::start(ServerPlan {
        path: path(args),
        ..ServerPlan::on(vec![near])
    })?;
    let far = server.listening().first().copied();
    let far = far.ok_or_else(|| Failure::could_not("cannot listen on 127.0.0.1"))?;
    let run = ControlledRun::of_one(ControlPlan::to(far), sender_plan(far, args))?;
    let report = measured(run, signals);
    server.stop();
    server.join()?;
    report
}
