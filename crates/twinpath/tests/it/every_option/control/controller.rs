//! `twinpath controller`: options that a Server with keys, or a look at segments, shows to act.

use super::clients::{self, Client};

/// A test for each option, named as the option is, and the list of them.
macro_rules! tested {
    ($($option:ident)*) => {
        $(#[test]
        fn $option() {
            clients::$option(Client::Controller);
        })*

        /// The table of the others is complete with these.
        #[cfg(all(feature = "live", feature = "report", feature = "pictures"))]
        pub(in crate::every_option) const TESTED: &[&str] = &[$(stringify!($option)),*];
    };
}

tested! { mode keys insecure_key_file key_id max_pbkdf2_count receiver_port strict control_dscp }
