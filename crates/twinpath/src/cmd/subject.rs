//! What a command measures, as all parts of the run know it.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use twinpath_report::{Identity, Target};
use twinpath_runtime::measure::SessionHandle;
use twinpath_wire::Wall;
use twinpath_wire::control::SecurityMode;

use crate::args::RunOptions;
use crate::plan::PlannedSession;

/// What is measured.
pub(super) struct Subject {
    pub(super) command: &'static str,
    /// The reflector, the Server, or how many targets there are.
    pub(super) far: String,
    /// The protocol, for the view.
    pub(super) what: String,
}

/// A run whose sessions are about to begin.
pub(super) struct Beginning<'a> {
    pub(super) subject: &'a Subject,
    pub(super) options: &'a RunOptions,
    /// As many as `sessions`.
    pub(super) planned: &'a [PlannedSession],
    pub(super) sessions: &'a [SessionHandle],
    /// As many, of what is known in advance.
    pub(super) identities: &'a [Identity],
    /// What the sessions are called, where there are several.
    pub(super) names: &'a [crate::output::SessionName],
}

/// What is known of sessions before their first packets. What is agreed on later, addresses and modes,
/// is known when the run is over.
pub(super) fn identities(planned: &[PlannedSession], sessions: &[SessionHandle]) -> Vec<Identity> {
    let sessions = planned.iter().zip(sessions).enumerate();
    let identity = |(index, (planned, session)): (usize, (&PlannedSession, &SessionHandle))| {
        let plan = &planned.plan;
        Identity {
            number: index + 1,
            protocol: plan.protocol,
            mode: SecurityMode::Unauthenticated,
            sid: None,
            sender: session.sender(),
            reflector: planned.target.address,
            schedule: plan.schedule,
            seed: plan.seed,
            timeout: plan.timeout,
            start_within: Duration::ZERO,
            tos: planned.class,
            ttl: plan.path.ttl,
            padding: plan.padding,
            target: Some(target(planned)),
            path: planned.path,
        }
    };
    sessions.map(identity).collect()
}

fn target(planned: &PlannedSession) -> Target {
    let labels = planned.target.labels.iter();
    let labels: BTreeMap<String, String> = labels
        .map(|label| (label.key.clone(), label.value.clone()))
        .collect();
    Target {
        name: planned.target.name.clone(),
        labels,
    }
}

/// The system clock, by which packets are stamped.
pub(super) fn now() -> Wall {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    Wall::from_unix_ns(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
