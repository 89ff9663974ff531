//! How many control connections there are, by what they do and by their security mode.

use twinpath_proto::control::ConnectionStage;
use twinpath_wire::control::{Modes, SecurityMode};

const STAGES: usize = ConnectionStage::ALL.len();
/// The security modes, and none before one is chosen.
const MODES: usize = 1 + SecurityMode::ALL.len();

/// Control connections now, by stage and mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionCounts([[u64; MODES]; STAGES]);

impl ConnectionCounts {
    /// All of them, each stage with the modes that it can have, `None` before one is chosen.
    pub fn iter(&self) -> impl Iterator<Item = (ConnectionStage, Option<SecurityMode>, u64)> + '_ {
        let modes = || std::iter::once(None).chain(SecurityMode::ALL.map(Some));
        let all = ConnectionStage::ALL
            .into_iter()
            .flat_map(move |stage| modes().map(move |mode| (stage, mode)));
        all.filter(|(stage, mode)| may_have(*stage, *mode))
            .map(|(stage, mode)| (stage, mode, self.of(stage, mode)))
    }

    /// All of them together.
    pub fn total(&self) -> u64 {
        self.0.iter().flatten().sum()
    }

    pub(super) fn add(&mut self, (stage, modes): (ConnectionStage, Modes)) {
        *self.count(stage, modes.security()) += 1;
    }

    pub(super) fn remove(&mut self, (stage, modes): (ConnectionStage, Modes)) {
        let count = self.count(stage, modes.security());
        *count = count.saturating_sub(1);
    }

    fn of(&self, stage: ConnectionStage, mode: Option<SecurityMode>) -> u64 {
        let (mut counts, stage) = (*self, stage);
        *counts.count(stage, mode)
    }

    fn count(&mut self, stage: ConnectionStage, mode: Option<SecurityMode>) -> &mut u64 {
        let [none, unauthenticated, authenticated, encrypted, mixed] = match stage {
            ConnectionStage::Refused => &mut self.0[0],
            ConnectionStage::SettingUp => &mut self.0[1],
            ConnectionStage::Idle => &mut self.0[2],
            ConnectionStage::Accepted => &mut self.0[3],
            ConnectionStage::Running => &mut self.0[4],
            ConnectionStage::Closing => &mut self.0[5],
        };
        match mode {
            None => none,
            Some(SecurityMode::Unauthenticated) => unauthenticated,
            Some(SecurityMode::Authenticated) => authenticated,
            Some(SecurityMode::Encrypted) => encrypted,
            Some(SecurityMode::Mixed) => mixed,
        }
    }
}

/// A mode is chosen as a connection is set up, and is not kept of one that is refused.
fn may_have(stage: ConnectionStage, mode: Option<SecurityMode>) -> bool {
    match stage {
        ConnectionStage::Refused | ConnectionStage::SettingUp => mode.is_none(),
        ConnectionStage::Idle | ConnectionStage::Accepted | ConnectionStage::Running => {
            mode.is_some()
        }
        ConnectionStage::Closing => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_connection_is_in_one_count_that_is_listed() {
        let mut counts = ConnectionCounts::default();
        let listed: Vec<_> = counts.iter().collect();
        assert_eq!(listed.len(), 1 + 1 + 3 * 4 + 5);
        for (stage, mode, _) in listed {
            let modes = mode.map_or(Modes::default(), SecurityMode::modes);
            counts.add((stage, modes));
            assert_eq!(counts.total(), 1);
            let one: Vec<_> = counts.iter().filter(|(.., count)| *count == 1).collect();
            assert_eq!(one, [(stage, mode, 1)]);
            counts.remove((stage, modes));
        }
        assert_eq!(counts, ConnectionCounts::default());
    }
}
