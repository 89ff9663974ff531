//! The commands that answer by TWAMP-Control: a test for each option.

mod client;
mod clients;
mod controlclient;
pub(super) mod controller;
mod segments;
mod server;

/// A test for each option, named as the option is; and one that no option is without.
macro_rules! every_option {
    ($command:literal: $($option:ident)*) => {
        $(#[test]
        fn $option() {
            rows::$option();
        })*

        #[test]
        fn no_option_is_without_a_test() {
            let tested = [$(stringify!($option)),*].map(|name| format!("--{}", name.replace('_', "-")));
            crate::every_option::complete($command, tested.iter().map(String::as_str));
        }
    };
}
use every_option;
