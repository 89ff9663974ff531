//! `twinpath sender`.

use tracing::info;
use twinpath_report::SessionReport;
use twinpath_runtime::SenderPlan;
use twinpath_wire::Tos;

use super::measure::{self, Measurement, PlainRun, Run as _};
use super::remark;
use super::subject::Subject;
use crate::args::{FarEnd, SenderArgs, doubt};
use crate::failure::{Exit, Failure};
use crate::output::ends::{self, named};
use crate::plan;

pub(super) fn run(args: &SenderArgs) -> Result<Exit, Failure> {
    measure::begin(&args.run, &[])?;
    let planned = plan::sessions(args, &plan::system_lookup)?;
    let classes: Vec<Tos> = planned.sessions.iter().map(|one| one.class).collect();
    let (plan, far) = match (planned.sessions.into_iter().next(), &args.far) {
        (Some(first), Some(far)) if first.path.is_none() && args.targets.to.is_empty() => {
            (first.plan, far)
        }
        _ => {
            return Err(Failure::could_not(
                "several targets or paths: not supported yet",
            ));
        }
    };
    remark(&args.run.log, doubt(Some(&far.host), far.port));
    remark(&args.run.log, plan::unfilled(&args.session.packet, &plan));
    let measurement = Measurement::open(&args.run)?;
    let plan = measurement.needs(plan);
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
    measurement.run(&subject, start, |reports| {
        name_others(args, far, &plan, reports);
    })
}

/// Where nothing came back, what else the far end's name stands for.
fn name_others(args: &SenderArgs, far: &FarEnd, plan: &SenderPlan, reports: &mut [SessionReport]) {
    let silent = |session: &SessionReport| {
        let tried = session.counters.sent > 0 || session.figures.not_sent > 0;
        tried && session.counters.received == 0
    };
    if !reports.iter().all(silent) {
        return;
    }
    let used = plan.far.ip();
    let others = plan::other_addresses(far, &args.session.ip, used, &plan::system_lookup);
    for session in reports {
        session.add(others.clone());
    }
}
