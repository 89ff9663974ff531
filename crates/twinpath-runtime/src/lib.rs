//! Threads and loops that join engines, numbers and sockets
