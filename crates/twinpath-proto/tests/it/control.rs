//! Control-Client and Server as their peers see them.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks at the events that it is about"
)]
mod accepts;
mod captured;
mod client;
mod garbage;
mod individual;
mod keys;
mod messages;
mod requests;
mod rig;
mod secured;
mod slips;
mod states;
mod streams;
mod timers;
mod together;
