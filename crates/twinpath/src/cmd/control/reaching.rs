//! Which of the addresses of a server's name is connected to.

use twinpath_runtime::controller::{self, ControlPlan};

use crate::args::LogOptions;
use crate::cmd::remark;
use crate::failure::Failure;
use crate::output::ends::named;
use crate::output::words;
use crate::signals::Signals;

/// The plan for the first address of the server that takes a connection. Of several it is connected
/// to, and those before it are named at once: a run may take hours.
pub(super) fn reached<P>(
    mut plans: Vec<P>,
    control: impl Fn(&mut P) -> &mut ControlPlan,
    log: &LogOptions,
    signals: &Signals,
) -> Result<P, Failure> {
    if plans.len() > 1 {
        let controls: Vec<ControlPlan> =
            plans.iter_mut().map(|plan| control(plan).clone()).collect();
        let (index, made) = controller::reach(controls.iter(), &|| signals.stop_requested())?;
        let mut plan = plans.swap_remove(index);
        let control = control(&mut plan);
        if !made.attempts().is_empty() {
            let tried: Vec<String> = made.attempts().iter().map(words::attempt).collect();
            let server = named(control.server);
            let line = format!("{}; connected to {server}", tried.join("; "));
            remark(log, Some(line));
        }
        control.made = Some(made);
        return Ok(plan);
    }
    let plan = plans.pop();
    plan.ok_or_else(|| Failure::could_not("no address to connect to"))
}
