//! Control-Client and Server as their peers see them.
