//! Several Session-Senders side by side, one for each class.

use twinpath_report::SessionReport;
use twinpath_wire::{Dscp, Tos};

use super::{Negotiated, SenderThread, SessionHandle, bind};
use crate::SenderPlan;
use crate::error::{RunError, StartError};

/// Session-Senders that run, each with a socket and a thread of its own.
#[derive(Debug)]
pub struct ClassesRun {
    sessions: Vec<SessionHandle>,
    threads: Vec<(Dscp, SenderThread)>,
}

/// What they found out.
#[derive(Debug)]
pub struct ClassesReport {
    /// The sessions that were measured, in the order of the classes asked for.
    pub sessions: Vec<SessionReport>,
    /// Why others were not, by their class and in the same order.
    pub failures: Vec<(Dscp, RunError)>,
}

/// Opens the sockets of all sessions, then begins to send. Each is as `template` says but for its
/// class: the port is the first session's, those of the others follow one by one, if it is not a
/// range.
///
/// # Errors
/// [`StartError`]: what could not be had.
pub fn start_classes(template: &SenderPlan, classes: &[Tos]) -> Result<ClassesRun, StartError> {
    let mut bounds = Vec::new();
    let mut sessions = Vec::new();
    for (index, tos) in classes.iter().enumerate() {
        let (bound, session) = bind(template.of_session(index, *tos))?;
        bounds.push(bound);
        sessions.push(session);
    }
    let mut threads = Vec::new();
    for bound in bounds {
        let dscp = bound.plan().tos.dscp();
        threads.push((dscp, bound.begin(Negotiated::default(), None)?));
    }
    Ok(ClassesRun { sessions, threads })
}

impl ClassesRun {
    /// The sessions, in the order of the classes.
    pub fn sessions(&self) -> &[SessionHandle] {
        &self.sessions
    }

    /// The same, for their news.
    pub fn sessions_mut(&mut self) -> &mut [SessionHandle] {
        &mut self.sessions
    }

    /// Ends sending in all sessions, as [`stop`](super::SenderRun::stop) of one.
    pub fn stop(&self) {
        for (_, thread) in &self.threads {
            thread.handle.stop();
        }
    }

    /// All sessions are over: drain their news once more, then [`ClassesRun::join`].
    pub fn is_finished(&self) -> bool {
        self.threads.iter().all(|(_, thread)| thread.is_finished())
    }

    /// Waits for the end and gives the reports.
    ///
    /// # Errors
    /// [`RunError`]: no session was measured, and why the first was not.
    pub fn join(self) -> Result<ClassesReport, RunError> {
        let mut report = ClassesReport {
            sessions: Vec::new(),
            failures: Vec::new(),
        };
        for (index, (dscp, thread)) in self.threads.into_iter().enumerate() {
            match thread.join() {
                Ok(mut session) => {
                    session.identity.number = index + 1;
                    report.sessions.push(session);
                }
                Err(error) => report.failures.push((dscp, error)),
            }
        }
        if report.sessions.is_empty() {
            let first = report.failures.into_iter().next();
            return Err(first.map_or(RunError::Fault, |(_, error)| error));
        }
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, UdpSocket};
    use std::time::Duration;

    use twinpath_proto::sender::{Limit, Schedule};

    use super::*;
    use crate::PortChoice;
    use crate::sender::start;

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
    fn a_class_that_cannot_be_measured_keeps_no_other_from_its_report() {
        let deaf = UdpSocket::bind("127.0.0.1:0").unwrap();
        // Refused by every system: the socket is none for broadcasts.
        let nowhere = "255.255.255.255:9".parse().unwrap();
        let sessions = |places: &[SocketAddr]| ClassesRun {
            sessions: Vec::new(),
            threads: (1..)
                .zip(places)
                .map(|(dscp, far)| (Dscp::new(dscp).unwrap(), start(hasty(*far)).unwrap().thread))
                .collect(),
        };
        let report = sessions(&[nowhere, deaf.local_addr().unwrap()])
            .join()
            .unwrap();
        let numbers: Vec<usize> = report
            .sessions
            .iter()
            .map(|one| one.identity.number)
            .collect();
        assert_eq!(numbers, [2]);
        let [(dscp, RunError::NothingSent { .. })] = report.failures.as_slice() else {
            panic!("{:?}", report.failures)
        };
        assert_eq!(dscp.value(), 1);
        let none = sessions(&[nowhere, nowhere]).join();
        assert!(
            matches!(none, Err(RunError::NothingSent { .. })),
            "{none:?}"
        );
    }
}
