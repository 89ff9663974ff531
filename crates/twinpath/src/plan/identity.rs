//! What is known of sessions before their first packets.

use std::collections::BTreeMap;
use std::time::Duration;

use twinpath_report::{Identity, Target};
use twinpath_runtime::measure::SessionHandle;

use super::PlannedSession;

/// What is known of these sessions, and of those that have been agreed on what these are.
pub(crate) fn identities<'a>(
    planned: impl IntoIterator<Item = &'a PlannedSession>,
    sessions: impl IntoIterator<Item = &'a SessionHandle>,
) -> impl Iterator<Item = Identity> {
    let sessions = planned.into_iter().zip(sessions);
    (1..).zip(sessions).map(|(number, (planned, session))| {
        let plan = &planned.plan;
        let agreed = session.agreed();
        Identity {
            number,
            wire: agreed.map_or(plan.wire, |agreed| agreed.wire),
            sid: agreed.and_then(|agreed| agreed.sid),
            sender: session.sender(),
            reflector: agreed.map_or(planned.target.address, |agreed| agreed.far),
            schedule: plan.schedule,
            seed: plan.seed,
            timeout: plan.timeout,
            start_within: Duration::ZERO,
            tos: planned.class,
            ttl: plan.path.ttl,
            padding: agreed.map_or(plan.padding, |agreed| agreed.padding),
            target: Some(target(planned)),
            path: planned.path,
            micro_session: plan.micro_session(),
        }
    })
}

fn target(planned: &PlannedSession) -> Target {
    let labels = planned.target.labels.iter();
    let labels: BTreeMap<String, String> = labels
        .map(|label| (label.key.clone(), label.value.clone()))
        .collect();
    Target {
        name: planned.target.name.clone(),
        labels,
        has_moved: planned.target.has_moved,
        is_listed: planned.target.is_listed,
    }
}
