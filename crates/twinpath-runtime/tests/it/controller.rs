//! The Control-Client against a Server of the tests' own: the engine under a script.

mod addresses;
mod agreeing;
mod client;
mod endings;
mod many;
mod refusing;
pub(crate) mod rig;
mod secured;
mod together;
