//! Simulated runs, and the required contents of their pictures.

mod browser;
mod labels;
mod runs;
mod shapes;
