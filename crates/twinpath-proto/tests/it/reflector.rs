//! The Session-Reflector as its peers see it.
