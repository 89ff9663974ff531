//! Several Session-Senders side by side, one for each class.

use std::net::SocketAddr;
use std::time::Duration;

use twinpath_metrics::{Books, Record};
use twinpath_wire::{Dscp, Tos};

use super::{Agreed, BooksFacts, SenderRun, SessionNews, bind};
use crate::error::{RunError, StartError};
use crate::{Progress, SenderPlan, SessionReport};

/// Session-Senders that run, each with a socket and a thread of its own.
#[derive(Debug)]
pub struct ClassesRun {
    sessions: Vec<(Dscp, SenderRun)>,
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
/// [`StartError`]: what could not be had, and the remedy.
pub fn start_classes(template: &SenderPlan, classes: &[Tos]) -> Result<ClassesRun, StartError> {
    let mut bound = Vec::new();
    for (index, tos) in classes.iter().enumerate() {
        bound.push(bind(template.of_session(index, *tos))?);
    }
    let mut sessions = Vec::new();
    for (bound, records) in bound {
        let dscp = bound.plan().tos.dscp();
        let mut run = bound.begin(Agreed::default(), None)?;
        run.records = records;
        sessions.push((dscp, run));
    }
    Ok(ClassesRun { sessions })
}

impl ClassesRun {
    /// The local address and port of each session, as the far end sees them without NAT.
    pub fn senders(&self) -> impl Iterator<Item = SocketAddr> {
        self.sessions.iter().map(|(_, run)| run.sender())
    }

    /// What happened next in one session; `None`: nothing yet, or the plan wanted no records.
    pub fn next_record(&mut self, session: usize) -> Option<Record> {
        let (_, run) = self.sessions.get_mut(session)?;
        run.next_record()
    }

    /// The same with all other news.
    pub fn next_news(&mut self, session: usize) -> Option<SessionNews> {
        let (_, run) = self.sessions.get_mut(session)?;
        run.next_news()
    }

    /// Empty books of one session, as [`SenderRun::books`]; `None`: there is no such session.
    pub fn books(
        &self,
        session: usize,
        interval: Option<Duration>,
        columns: Option<usize>,
    ) -> Option<Books> {
        let (_, run) = self.sessions.get(session)?;
        Some(run.books(interval, columns))
    }

    /// What books of one session begin with, as [`SenderRun::books_facts`]; `None`: there is no such
    /// session.
    pub fn books_facts(&self, session: usize) -> Option<&BooksFacts> {
        let (_, run) = self.sessions.get(session)?;
        Some(run.books_facts())
    }

    /// A glance at one session, at most about 50 ms old; `None`: there is no such session.
    pub fn progress(&self, session: usize) -> Option<Progress> {
        let (_, run) = self.sessions.get(session)?;
        Some(run.progress())
    }

    /// Ends sending in all sessions, as [`SenderRun::stop`].
    pub fn stop(&self) {
        for (_, run) in &self.sessions {
            run.stop();
        }
    }

    /// All sessions are over: drain [`ClassesRun::next_news`] once more, then
    /// [`ClassesRun::join`].
    pub fn is_finished(&self) -> bool {
        self.sessions.iter().all(|(_, run)| run.is_finished())
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
        for (index, (dscp, run)) in self.sessions.into_iter().enumerate() {
            match run.join() {
                Ok(mut session) => {
                    session.number = index + 1;
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
    use std::net::UdpSocket;

    use twinpath_proto::sender::{Limit, Schedule};

    use super::*;
    use crate::PortChoice;
    use crate::notes::tests::plan;
    use crate::sender::start;

    /// To `far`, where nobody answers.
    fn hasty(far: SocketAddr) -> SenderPlan {
        SenderPlan {
            far,
            near: Some("127.0.0.1".parse().unwrap()),
            port: PortChoice::Exact(0),
            limit: Limit::Count(2),
            schedule: Schedule::every(Duration::from_millis(1)),
            timeout: Duration::from_millis(50),
            ..plan()
        }
    }

    #[test]
    fn a_class_that_cannot_be_measured_keeps_no_other_from_its_report() {
        let deaf = UdpSocket::bind("127.0.0.1:0").unwrap();
        // Refused by every system: the socket is none for broadcasts.
        let nowhere = "255.255.255.255:9".parse().unwrap();
        let sessions = |places: &[SocketAddr]| ClassesRun {
            sessions: (1..)
                .zip(places)
                .map(|(dscp, far)| (Dscp::new(dscp).unwrap(), start(hasty(*far)).unwrap()))
                .collect(),
        };
        let report = sessions(&[nowhere, deaf.local_addr().unwrap()])
            .join()
            .unwrap();
        let numbers: Vec<usize> = report.sessions.iter().map(|one| one.number).collect();
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
