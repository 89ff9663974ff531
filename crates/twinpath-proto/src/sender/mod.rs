//! The Session-Sender.
