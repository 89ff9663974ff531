//! The Session-Reflector.
