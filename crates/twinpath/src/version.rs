//! What this build is: `build.rs` has found it out.

/// What `--version` prints behind the name: a line each for version, commit, features and target.
pub(crate) const LONG: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit: ",
    env!("TWINPATH_COMMIT"),
    "\nfeatures: ",
    env!("TWINPATH_FEATURES"),
    "\ntarget: ",
    env!("TWINPATH_TARGET"),
);

#[cfg(test)]
mod tests {
    use super::LONG;

    #[test]
    fn the_features_that_are_built_are_named_and_no_other() {
        let features = LONG
            .lines()
            .find_map(|line| line.strip_prefix("features: "));
        let features: Vec<&str> = features.unwrap().split(' ').collect();
        for (name, is_built) in [
            ("control", cfg!(feature = "control")),
            ("live", cfg!(feature = "live")),
            ("metrics", cfg!(feature = "metrics")),
            ("pictures", cfg!(feature = "pictures")),
            ("report", cfg!(feature = "report")),
            ("status", cfg!(feature = "status")),
            ("default", false),
        ] {
            assert_eq!(features.contains(&name), is_built, "{name}: {features:?}");
        }
    }
}
