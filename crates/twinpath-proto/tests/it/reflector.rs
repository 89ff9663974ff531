//! The Session-Reflector.
mod authenticated;
pub(crate) mod capture;
mod captured;
mod classification;
mod flood;
mod limits;
mod loops;
mod negotiated;
mod refusals;
mod replies;
mod sessions;
mod support;
