//! The Session-Reflector.
mod agreed;
mod capture;
mod captured;
mod classification;
mod flood;
mod loops;
mod refusals;
mod replies;
mod sessions;
mod support;
