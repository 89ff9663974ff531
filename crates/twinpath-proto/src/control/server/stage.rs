//! What a control connection of the Server does now.

use super::Admission;
use super::engine::{Phase, Server};

/// What a control connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionStage {
    /// Its client is being refused.
    Refused,
    /// The client is greeted and has yet to choose a mode.
    SettingUp,
    /// It is set up and has no sessions.
    Idle,
    /// It has accepted sessions, of which none runs.
    Accepted,
    /// A session of it runs.
    Running,
    /// It is over; the last octets are being sent.
    Closing,
}

impl ConnectionStage {
    /// All of them, in the order of a connection's life.
    pub const ALL: [Self; 6] = [
        Self::Refused,
        Self::SettingUp,
        Self::Idle,
        Self::Accepted,
        Self::Running,
        Self::Closing,
    ];

    /// The name in metrics and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::SettingUp => "setting_up",
            Self::Idle => "idle",
            Self::Accepted => "accepted",
            Self::Running => "running",
            Self::Closing => "closing",
        }
    }
}

impl Server {
    /// What the connection does now.
    pub fn stage(&self) -> ConnectionStage {
        match (self.admission, self.phase) {
            (Admission::Refused(_) | Admission::TurnedAway, _) => ConnectionStage::Refused,
            (Admission::Served, Phase::SetUp) => ConnectionStage::SettingUp,
            (Admission::Served, Phase::Closing) => ConnectionStage::Closing,
            (Admission::Served, Phase::Commands) if self.sessions.any_running() => {
                ConnectionStage::Running
            }
            (Admission::Served, Phase::Commands) if self.has_sessions() => {
                ConnectionStage::Accepted
            }
            (Admission::Served, Phase::Commands) => ConnectionStage::Idle,
        }
    }
}
