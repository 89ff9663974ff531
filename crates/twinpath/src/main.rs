//! twinpath: two-way network measurement.
fn main() {}
