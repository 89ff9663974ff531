//! The options of metrics.

use std::net::SocketAddr;

use clap::Args;

#[cfg(feature = "metrics")]
use super::OUTPUT;
#[cfg(feature = "otlp")]
use super::value::{Time, quantity};
#[cfg(feature = "otlp")]
use crate::exporter::Push;

/// Metrics of the running process.
#[derive(Debug, Default, Args)]
pub(crate) struct MetricsOptions {
    /// Serve metrics for Prometheus at this address, as http://ADDR:PORT/metrics; port 0: any free one
    #[cfg(feature = "metrics")]
    #[arg(long, value_name = "ADDR:PORT", value_parser = address, help_heading = OUTPUT)]
    metrics: Option<SocketAddr>,

    /// Push metrics to this collector of OpenTelemetry (OTLP over HTTP), as in http://127.0.0.1:4318;
    /// OTEL_EXPORTER_OTLP_HEADERS in the environment has headers
    #[cfg(feature = "otlp")]
    #[arg(long, value_name = "URL", value_parser = collector, help_heading = OUTPUT)]
    otlp: Option<String>,

    /// Push metrics every TIME, and once more at the end; 60 s unless given
    #[cfg(feature = "otlp")]
    #[arg(
        long,
        value_name = "TIME",
        value_parser = quantity::from_one_second,
        requires = "otlp",
        help_heading = OUTPUT
    )]
    otlp_interval: Option<Time>,
}

impl MetricsOptions {
    /// Where to serve them.
    #[cfg_attr(
        not(feature = "metrics"),
        expect(clippy::unused_self, reason = "then there is no such option")
    )]
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        #[cfg(feature = "metrics")]
        return self.metrics;
        #[cfg(not(feature = "metrics"))]
        None
    }

    /// Where to push them.
    #[cfg(feature = "otlp")]
    pub(crate) fn push(&self) -> Option<Push> {
        let every = self.otlp_interval.map(|Time(every)| every);
        let url = self.otlp.clone()?;
        Some(Push {
            url,
            every: every.unwrap_or(EVERY),
        })
    }

    /// Whether anything reads them.
    pub(crate) fn are_read(&self) -> bool {
        #[cfg(feature = "otlp")]
        if self.otlp.is_some() {
            return true;
        }
        self.address().is_some()
    }
}

/// What exporters of OpenTelemetry do.
#[cfg(feature = "otlp")]
const EVERY: std::time::Duration = std::time::Duration::from_mins(1);

/// No name: what listens for anybody must not depend on a lookup.
#[cfg(feature = "metrics")]
fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "use an address of this host and a TCP port, as in 127.0.0.1:9862 or [::1]:9862; 0.0.0.0 and [::] \
         are all addresses"
            .to_owned()
    })
}

/// The URL of a collector's metrics, from that of the collector.
#[cfg(feature = "otlp")]
fn collector(text: &str) -> Result<String, String> {
    const METRICS: &str = "/v1/metrics";
    let Some(url) = text.parse().ok().filter(is_collector) else {
        return Err(
            "use http://HOST:PORT or https://HOST:PORT, with a path where the collector has one; what it \
             must know in secret is a header, in OTEL_EXPORTER_OTLP_HEADERS"
                .to_owned(),
        );
    };
    let url = url.to_string();
    let base = url.trim_end_matches('/');
    let path = if base.ends_with(METRICS) { "" } else { METRICS };
    Ok(format!("{base}{path}"))
}

/// Passwords and what follows a question mark would be seen in lists of processes.
#[cfg(feature = "otlp")]
fn is_collector(url: &ureq::http::Uri) -> bool {
    let has_host = |authority: &ureq::http::uri::Authority| {
        !authority.host().is_empty() && !authority.as_str().contains('@')
    };
    matches!(url.scheme_str(), Some("http" | "https"))
        && url.authority().is_some_and(has_host)
        && url.query().is_none()
}

#[cfg(all(test, feature = "otlp"))]
mod tests {
    use super::*;

    #[test]
    fn the_url_of_a_collector_is_that_of_its_metrics() {
        for (given, pushed) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/metrics"),
            ("http://[::1]:4318/", "http://[::1]:4318/v1/metrics"),
            ("https://example.net", "https://example.net/v1/metrics"),
            (
                "http://a:9090/api/v1/otlp",
                "http://a:9090/api/v1/otlp/v1/metrics",
            ),
            ("http://a/otlp/v1/metrics", "http://a/otlp/v1/metrics"),
        ] {
            assert_eq!(collector(given).as_deref(), Ok(pushed));
        }
        for refused in [
            "",
            "a:4317",
            "127.0.0.1:4318",
            "ftp://a",
            "http://",
            "http:///x",
            "http://me:secret@a:4318",
            "http://a:4318/?key=secret",
            "http://a b",
        ] {
            let error = collector(refused).unwrap_err();
            assert!(error.contains("http://HOST:PORT"), "{error}");
        }
    }
}
