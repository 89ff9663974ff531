//! Single exchanges with a far end, as they were sent and as they came back, without a judgement: for
//! `twinpath doctor`.

pub use twinpath_net::IcmpKind;

#[cfg(feature = "control")]
pub use crate::controller::credentials;
#[cfg(feature = "control")]
pub use crate::link::Parting;

#[cfg(feature = "control")]
mod dialogue;
mod host;
mod load;
mod raw;
mod reach;
mod train;
mod waiting;

#[cfg(feature = "control")]
pub use dialogue::{
    Accepted, DialogueEnd, DialoguePlan, DialogueSeen, DialogueTrain, MOST_OPENING_PACKETS,
    PacketForm, SessionSeen, SessionTrain, Span, WantedSession, run_dialogue,
};
pub use host::{HostSeen, host};
pub use load::{Load, LoadError, LoadSeen, load};
pub use raw::{Crowd, RawConnection, RawRead};
pub use reach::{ConnectSeen, Connection, PingSeen, connect_all, ping_all};
pub use train::{Departure, Refusal, Reply, Train, TrainPacket, TrainSeen, run_trains};
pub use waiting::Waiting;
