//! The engines: Session-Sender and Session-Reflector as pure logic
