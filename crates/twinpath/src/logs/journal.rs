//! The journal of systemd (systemd-journald(8)).

#[cfg(target_os = "linux")]
pub(super) use linux::{is_stderr, start};

#[cfg(not(target_os = "linux"))]
pub(super) fn is_stderr() -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
pub(super) fn start(_: tracing::Level) -> bool {
    false
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;

    use tracing::Level;
    use tracing_subscriber::filter::LevelFilter;
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::registry;

    /// Whether stderr is the stream that `JOURNAL_STREAM` names (systemd.exec(5)).
    pub(in super::super) fn is_stderr() -> bool {
        let stream = std::env::var("JOURNAL_STREAM").unwrap_or_default();
        let Some((device, inode)) = stream.split_once(':') else {
            return false;
        };
        let is_it = |stderr: &fs::Metadata| {
            device.parse() == Ok(stderr.dev()) && inode.parse() == Ok(stderr.ino())
        };
        fs::metadata("/proc/self/fd/2").is_ok_and(|stderr| is_it(&stderr))
    }

    /// Logs there, with a field for each field; whether it could be reached.
    pub(in super::super) fn start(level: Level) -> bool {
        let Ok(journal) = tracing_journald::layer() else {
            return false;
        };
        let journal = journal
            .with_field_prefix(None)
            .with_syslog_identifier("twinpath".to_owned());
        let lines = registry()
            .with(LevelFilter::from_level(level))
            .with(journal);
        // A second subscriber could only come from a second call: there is one.
        tracing::subscriber::set_global_default(lines).is_ok()
    }
}
