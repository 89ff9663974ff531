//! `twinpath sender`.

use tracing::info;
use twinpath_report::SessionReport;
use twinpath_runtime::SenderPlan;

use super::measure::{self, Measurement, PlainRun, Run as _};
use super::remark;
use super::subject::Subject;
use crate::args::{SenderArgs, doubt};
use crate::failure::{Exit, Failure};
use crate::output::ends::{self, named};
use crate::plan;

pub(super) fn run(args: &SenderArgs) -> Result<Exit, Failure> {
    measure::begin(&args.run, &[])?;
    let plan = plan::sender(args, &plan::system_lookup)?;
    remark(&args.run.log, doubt(Some(&args.far.host), args.far.port));
    remark(&args.run.log, plan::unfilled(&args.packet, &plan));
    let measurement = Measurement::open(&args.run)?;
    let plan = measurement.needs(plan);
    let classes = plan::classes(args.marking.tos, &args.marking.dscp, args.ports)?;
    let subject = Subject {
        command: "sender",
        far: plan.far,
        what: ends::protocol(plan.protocol),
        protocol: plan.protocol,
        plan: &plan,
        classes: &classes,
    };
    let start = || {
        let run = PlainRun::start(&plan, &classes)?;
        for session in run.sessions() {
            info!(sender = %named(session.sender()), far = %named(plan.far), "sending");
        }
        Ok(run)
    };
    measurement.run(&subject, start, |reports| name_others(args, &plan, reports))
}

/// Where nothing came back, what else the far end's name stands for.
fn name_others(args: &SenderArgs, plan: &SenderPlan, reports: &mut [SessionReport]) {
    let silent = |session: &SessionReport| {
        let tried = session.counters.sent > 0 || session.figures.not_sent > 0;
        tried && session.counters.received == 0
    };
    if !reports.iter().all(silent) {
        return;
    }
    let used = plan.far.ip();
    let others = plan::other_addresses(&args.far, &args.ip, used, &plan::system_lookup);
    for session in reports {
        session.add(others.clone());
    }
}
