//! The URL of an OpenTelemetry collector.

use crate::http::client::{Endpoint, EndpointOptions};

/// The URL of a collector's metrics, from that of the collector. Passwords and what follows a question mark would be
/// seen in lists of processes.
pub(super) fn collector(text: &str) -> Result<Endpoint, String> {
    let endpoint = Endpoint::parse(text, EndpointOptions::default());
    match endpoint {
        Ok(endpoint) if !text.contains('?') => Ok(endpoint.below("/v1/metrics")),
        Ok(_) | Err(_) => Err(
            "use http://HOST:PORT or https://HOST:PORT, with a path where the collector has one; put secrets \
             into headers (OTEL_EXPORTER_OTLP_HEADERS)"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
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
            ("http://v1/metrics", "http://v1/metrics/v1/metrics"),
        ] {
            assert_eq!(collector(given).unwrap().to_string(), pushed);
        }
        for refused in [
            "",
            "a:4317",
            "127.0.0.1:4318",
            "ftp://a",
            "http://",
            "http:///x",
            "http://a:",
            "http://a:0",
            "http://127.0.0.1:99999",
            "http://[::1]:-1",
            "http://me:secret@a:4318",
            "http://a:4318/?key=secret",
            "http://a b",
        ] {
            let error = collector(refused).unwrap_err();
            assert!(error.contains("http://HOST:PORT"), "{error}");
        }
    }
}
