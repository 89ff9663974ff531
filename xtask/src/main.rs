//! Benchmarks of twinpath in network namespaces.
fn main() {}
