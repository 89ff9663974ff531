//! The sessions of one connection, in the order of their requests.

use twinpath_wire::control::Sid;

use super::SessionPlan;
use crate::control::stages::Stages;

/// State of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

/// What names a session in an acknowledgement, then its index. Before it is accepted the SID is zero.
type Key = ([u8; 16], usize);

#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    pub(super) plan: SessionPlan,
    pub(super) sid: Sid,
    pub(super) stage: Stage,
    /// Stop it as soon as it runs.
    stop: bool,
}

#[derive(Debug, Default)]
pub(super) struct Sessions {
    list: Vec<Session>,
    stages: Stages<Stage, Key>,
    /// Running, and to be stopped.
    to_stop: Vec<usize>,
}

impl Sessions {
    pub(super) fn push(&mut self, session_plan: SessionPlan) -> usize {
        let index = self.list.len();
        let session = Session {
            plan: session_plan,
            sid: Sid::default(),
            stage: Stage::Queued,
            stop: false,
        };
        self.stages.insert(session.stage, (session.sid.0, index));
        self.list.push(session);
        index
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn get(&self, index: usize) -> Option<&Session> {
        self.list.get(index)
    }

    pub(super) fn any(&self, stage: Stage) -> bool {
        self.count(stage) > 0
    }

    pub(super) fn count(&self, stage: Stage) -> usize {
        self.stages.count(&stage)
    }

    /// The first that is not yet requested.
    pub(super) fn next_queued(&self) -> Option<usize> {
        self.find(Sid::default(), Stage::Queued)
    }

    /// The indices of those in this stage.
    pub(super) fn all(&self, stage: Stage) -> Vec<usize> {
        let mut all: Vec<usize> = self.stages.all(&stage).map(|(_, index)| index).collect();
        all.sort_unstable();
        all
    }

    /// The first in this stage with this SID, which a Server may have given to several.
    pub(super) fn find(&self, sid: Sid, stage: Stage) -> Option<usize> {
        let (low, high) = ((sid.0, 0), (sid.0, usize::MAX));
        let found = self.stages.first_within(&stage, low, high);
        found.map(|(_, index)| index)
    }

    /// Puts a session into a stage, where it has this SID.
    pub(super) fn accept(&mut self, index: usize, sid: Sid) {
        self.put(index, Some(sid), Stage::Accepted);
    }

    pub(super) fn set(&mut self, index: usize, stage: Stage) {
        self.put(index, None, stage);
    }

    fn put(&mut self, index: usize, sid: Option<Sid>, stage: Stage) {
        let Some(session) = self.list.get_mut(index) else {
            return;
        };
        self.stages.remove(&session.stage, &(session.sid.0, index));
        session.sid = sid.unwrap_or(session.sid);
        session.stage = stage;
        self.stages.insert(stage, (session.sid.0, index));
        if session.stop && stage == Stage::Running {
            self.to_stop.push(index);
        }
    }

    /// Marks those of `indices` that are running or being started, to be stopped.
    pub(super) fn mark_stop(&mut self, indices: &[usize]) -> usize {
        let mut marked = 0;
        for index in indices {
            if let Some(session) = self.list.get_mut(*index)
                && !session.stop
                && matches!(session.stage, Stage::Starting | Stage::Running)
            {
                session.stop = true;
                marked += 1;
                if session.stage == Stage::Running {
                    self.to_stop.push(*index);
                }
            }
        }
        marked
    }

    /// Those that are running and marked to be stopped, in their order; each once.
    pub(super) fn take_stops(&mut self) -> Vec<usize> {
        let mut stops = std::mem::take(&mut self.to_stop);
        stops.sort_unstable();
        stops
    }

    pub(super) fn sids(&self, indices: &[usize]) -> Vec<Sid> {
        let sessions = indices.iter().filter_map(|index| self.get(*index));
        sessions.map(|session| session.sid).collect()
    }
}
