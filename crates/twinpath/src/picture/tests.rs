//! Simulated runs, and the required contents of their pictures.

mod browser;
mod labels;
mod many;
mod runs;
mod shapes;
