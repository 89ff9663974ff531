//! The sessions of one connection, by SID.

use std::collections::{BTreeMap, VecDeque};

use twinpath_wire::control::Sid;

use crate::control::stages::Stages;

/// State of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// Accepted, not started.
    Accepted,
    /// Started.
    Running,
    /// Started, and ended by REFWAIT: still counts as started for Stop-Sessions (row TC-76).
    Expired,
    /// Stopped.
    Ended,
}

/// The most sessions that are not stopped, and the most stopped sessions that are remembered:
/// stopping those again does nothing (row TC-66).
#[derive(Debug)]
pub(super) struct Sessions {
    states: BTreeMap<[u8; 16], State>,
    stages: Stages<State, [u8; 16]>,
    /// Those that are stopped, in the order of their ends.
    ended: VecDeque<Sid>,
    most: usize,
}

impl Sessions {
    pub(super) fn new(most: u32) -> Self {
        Self {
            states: BTreeMap::new(),
            stages: Stages::default(),
            ended: VecDeque::new(),
            most: usize::try_from(most).unwrap_or(usize::MAX),
        }
    }

    /// Has so many that are not stopped at most, but for those that there are.
    pub(super) fn set_most(&mut self, most: u32) {
        self.most = usize::try_from(most).unwrap_or(usize::MAX);
    }

    /// Those that are not stopped.
    pub(super) fn unstopped(&self) -> usize {
        self.states.len() - self.ended.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.unstopped() >= self.most
    }

    /// Sessions that are not stopped, and remembered ones.
    pub(super) fn known(&self) -> usize {
        self.states.len()
    }

    pub(super) fn state(&self, sid: Sid) -> Option<State> {
        self.states.get(&sid.0).copied()
    }

    /// Whether a session is reflected now.
    pub(super) fn any_running(&self) -> bool {
        self.count(State::Running) > 0
    }

    /// Whether a session is reflected now or not yet started.
    pub(super) fn any_open(&self) -> bool {
        self.any_running() || self.count(State::Accepted) > 0
    }

    /// Started and not stopped: the right Number of Sessions in Stop-Sessions.
    pub(super) fn started(&self) -> u32 {
        let started = self.count(State::Running) + self.count(State::Expired);
        u32::try_from(started).unwrap_or(u32::MAX)
    }

    fn count(&self, state: State) -> usize {
        self.stages.count(&state)
    }

    pub(super) fn insert(&mut self, sid: Sid) {
        self.set(sid, State::Accepted);
    }

    pub(super) fn set(&mut self, sid: Sid, state: State) {
        let before = self.states.insert(sid.0, state);
        if let Some(before) = before {
            self.stages.remove(&before, &sid.0);
        }
        self.stages.insert(state, sid.0);
        match (before, state) {
            (Some(State::Ended), State::Ended) => {}
            (_, State::Ended) => self.ended.push_back(sid),
            (Some(State::Ended), _) => self.ended.retain(|ended| *ended != sid),
            _ => {}
        }
        if self.ended.len() > self.most
            && let Some(oldest) = self.ended.pop_front()
        {
            self.states.remove(&oldest.0);
            self.stages.remove(&State::Ended, &oldest.0);
        }
    }

    /// Those in `state`, in the order of their SIDs.
    pub(super) fn all_in(&self, state: State) -> Vec<Sid> {
        self.stages.all(&state).map(Sid).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sid(number: u32) -> Sid {
        Sid(u128::from(number).to_be_bytes())
    }

    #[test]
    fn ten_thousand_sessions_one_after_the_other_leave_no_more_than_the_limit() {
        let mut sessions = Sessions::new(5);
        for number in 0..10_000 {
            assert!(!sessions.is_full());
            sessions.insert(sid(number));
            sessions.set(sid(number), State::Running);
            assert!(sessions.any_running());
            sessions.set(sid(number), State::Ended);
            assert!(!sessions.any_running());
            assert!(sessions.states.len() <= 6);
        }
        assert_eq!(sessions.state(sid(9_999)), Some(State::Ended));
        assert_eq!(sessions.state(sid(9_994)), None);
    }

    #[test]
    fn sessions_that_are_not_stopped_fill_the_table() {
        let mut sessions = Sessions::new(2);
        sessions.insert(sid(1));
        sessions.insert(sid(2));
        assert!(sessions.is_full());
        sessions.set(sid(1), State::Running);
        sessions.set(sid(1), State::Expired);
        assert!(sessions.is_full());
        assert_eq!(sessions.started(), 1);
        sessions.set(sid(1), State::Ended);
        assert!(!sessions.is_full());
        assert_eq!(sessions.started(), 0);
    }
}
