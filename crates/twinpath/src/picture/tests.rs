//! Simulated runs, and what their pictures have to hold.

mod browser;
mod labels;
mod runs;
mod shapes;
