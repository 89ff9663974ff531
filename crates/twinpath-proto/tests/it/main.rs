//! Engines against captures, tables and each other.
#![cfg(test)]
mod reflector;
mod sender;
