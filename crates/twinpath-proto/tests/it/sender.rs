//! The Session-Sender as its peers see it.
mod authenticated;
mod bursts;
mod captures;
mod clock_steps;
mod endings;
mod fates;
mod memory;
mod micro_sessions;
mod negotiated;
mod odd_replies;
mod record_tlvs;
mod requests;
mod rig;
mod sessions;
mod tlvs;
mod twin;
mod tx_stamps;
