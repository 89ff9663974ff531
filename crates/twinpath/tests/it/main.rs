//! The program as its users run it: real processes over loopback.
#![cfg(test)]

mod endings;
mod options;
mod outputs;
mod program;
mod responders;
mod usage;
