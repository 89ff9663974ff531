//! The Session-Reflector.
mod agreed;
mod capture;
mod captured;
mod classification;
mod flood;
mod fuzzed;
mod loops;
mod refusals;
mod replies;
mod sessions;
mod support;
