//! The fuzz targets without a fuzzer: the committed corpus, and seeds with changes.
#![cfg(test)]

mod changed;
mod corpus;
mod rules;
