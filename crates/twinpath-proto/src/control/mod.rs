//! TWAMP-Control: Control-Client and Server as pure logic (RFC 5357 section 3).
