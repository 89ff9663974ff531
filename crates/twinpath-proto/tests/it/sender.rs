//! The Session-Sender as its peers see it.
