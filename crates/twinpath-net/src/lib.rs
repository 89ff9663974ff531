//! Sockets, clocks and time stamps: the only crate with unsafe code
