//! The sessions of one connection, in the order of their requests.

use twinpath_wire::control::Sid;

use super::SessionPlan;

/// State of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Not yet requested.
    Queued,
    /// Requested.
    Asked,
    /// Refused by the Server.
    Refused,
    /// Accepted.
    Accepted,
    /// Start-Sessions or Start-N-Sessions is sent.
    Starting,
    /// Started.
    Running,
    /// Stop-N-Sessions is sent.
    Stopping,
    /// Stopped.
    Stopped,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    pub(super) plan: SessionPlan,
    pub(super) sid: Sid,
    pub(super) stage: Stage,
    /// Stop it as soon as it runs.
    pub(super) stop: bool,
}

#[derive(Debug, Default)]
pub(super) struct Sessions(Vec<Session>);

impl Sessions {
    pub(super) fn push(&mut self, session_plan: SessionPlan) -> usize {
        self.0.push(Session {
            plan: session_plan,
            sid: Sid::default(),
            stage: Stage::Queued,
            stop: false,
        });
        self.0.len() - 1
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut Session> {
        self.0.get_mut(index)
    }

    pub(super) fn get(&self, index: usize) -> Option<&Session> {
        self.0.get(index)
    }

    pub(super) fn any(&self, stage: Stage) -> bool {
        self.0.iter().any(|session| session.stage == stage)
    }

    pub(super) fn count(&self, stage: Stage) -> usize {
        self.all(|session| session.stage == stage).len()
    }

    /// The first that is not yet requested.
    pub(super) fn next_queued(&self) -> Option<usize> {
        self.0
            .iter()
            .position(|session| session.stage == Stage::Queued)
    }

    /// The indices of those for which `wanted` is true.
    pub(super) fn all(&self, wanted: impl Fn(&Session) -> bool) -> Vec<usize> {
        let numbered = self.0.iter().enumerate();
        numbered
            .filter(|(_, session)| wanted(session))
            .map(|(index, _)| index)
            .collect()
    }

    pub(super) fn find(&self, sid: Sid, stage: Stage) -> Option<usize> {
        self.0
            .iter()
            .position(|session| session.sid == sid && session.stage == stage)
    }

    pub(super) fn set(&mut self, indices: &[usize], stage: Stage) {
        for index in indices {
            if let Some(session) = self.0.get_mut(*index) {
                session.stage = stage;
            }
        }
    }

    /// Marks those of `among` that are running or being started, to be stopped.
    pub(super) fn mark_stop(&mut self, among: impl Fn(usize) -> bool) -> usize {
        let mut marked = 0;
        for (index, session) in self.0.iter_mut().enumerate() {
            if among(index)
                && !session.stop
                && matches!(session.stage, Stage::Starting | Stage::Running)
            {
                session.stop = true;
                marked += 1;
            }
        }
        marked
    }

    pub(super) fn sids(&self, indices: &[usize]) -> Vec<Sid> {
        indices
            .iter()
            .filter_map(|index| self.0.get(*index).map(|session| session.sid))
            .collect()
    }
}
