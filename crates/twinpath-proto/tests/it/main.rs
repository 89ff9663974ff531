//! Engines against captures, tables and each other.
#![cfg(test)]
mod control;
mod extensions;
mod reflector;
mod sender;
mod sim;
mod stamp;
mod vectors;
