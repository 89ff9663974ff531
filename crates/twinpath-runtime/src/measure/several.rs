//! Several sessions side by side.

use twinpath_report::SessionReport;

use super::{Agreement, SessionHandle, bind};
use crate::SenderPlan;
use crate::error::{RunError, StartError};

/// Opens the sockets of all sessions, then begins to send.
///
/// # Errors
/// [`StartError`]: what could not be had; then none has begun.
pub fn start_all(
    plans: impl IntoIterator<Item = SenderPlan>,
) -> Result<Vec<SessionHandle>, StartError> {
    let bound: Vec<_> = plans.into_iter().map(bind).collect::<Result<_, _>>()?;
    let mut sessions = Vec::with_capacity(bound.len());
    for (bound, session) in bound {
        bound.begin(Agreement::default(), None)?;
        sessions.push(session);
    }
    Ok(sessions)
}

/// What several sessions came to.
#[derive(Debug)]
pub struct Joined {
    /// The sessions that were measured, numbered from 1 by their places.
    pub sessions: Vec<SessionReport>,
    /// Why others were not, by their places from 0.
    pub failures: Vec<(usize, RunError)>,
}

/// Waits for the end of all sessions and gives the reports.
///
/// # Errors
/// [`RunError`]: no session was measured, and why the first was not.
pub fn join(sessions: impl IntoIterator<Item = SessionHandle>) -> Result<Joined, RunError> {
    let mut joined = Joined {
        sessions: Vec::new(),
        failures: Vec::new(),
    };
    for (index, session) in sessions.into_iter().enumerate() {
        match session.join() {
            Ok(mut report) => {
                report.identity.number = index + 1;
                joined.sessions.push(report);
            }
            Err(error) => joined.failures.push((index, error)),
        }
    }
    if joined.sessions.is_empty() {
        let first = joined.failures.into_iter().next();
        return Err(first.map_or(RunError::Fault, |(_, error)| error));
    }
    Ok(joined)
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, UdpSocket};
    use std::time::Duration;

    use twinpath_proto::sender::{Limit, Schedule};

    use super::*;
    use crate::PortChoice;

    /// To `far`, which does not answer.
    fn hasty(far: SocketAddr) -> SenderPlan {
        SenderPlan {
            near: Some("127.0.0.1".parse().unwrap()),
            port: PortChoice::Exact(0),
            limit: Limit::Count(2),
            schedule: Schedule::every(Duration::from_millis(1)),
            timeout: Duration::from_millis(50),
            records: false,
            ..SenderPlan::to(far)
        }
    }

    #[test]
    fn a_session_that_cannot_be_measured_keeps_no_other_from_its_report() {
        let deaf = UdpSocket::bind("127.0.0.1:0").unwrap();
        // Refused by every system: the socket is none for broadcasts.
        let nowhere = "255.255.255.255:9".parse().unwrap();
        let deaf = deaf.local_addr().unwrap();
        let sessions = |far: [SocketAddr; 2]| start_all(far.map(hasty)).unwrap();
        let report = join(sessions([nowhere, deaf])).unwrap();
        let numbers: Vec<usize> = report
            .sessions
            .iter()
            .map(|one| one.identity.number)
            .collect();
        assert_eq!(numbers, [2]);
        let [(0, RunError::NothingSent { .. })] = report.failures.as_slice() else {
            panic!("{:?}", report.failures)
        };
        let none = join(sessions([nowhere, nowhere]));
        assert!(
            matches!(none, Err(RunError::NothingSent { .. })),
            "{none:?}"
        );
    }
}
