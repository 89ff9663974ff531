//! The URL of an OpenTelemetry collector.

use ureq::http::Uri;
use ureq::http::uri::Authority;

/// The URL of a collector's metrics, from that of the collector.
pub(super) fn collector(text: &str) -> Result<String, String> {
    const METRICS: &str = "/v1/metrics";
    let Some(url) = text.parse().ok().filter(is_collector) else {
        return Err(
            "use http://HOST:PORT or https://HOST:PORT, with a path where the collector has one; put secrets \
             into headers (OTEL_EXPORTER_OTLP_HEADERS)"
                .to_owned(),
        );
    };
    let url: Uri = url;
    let path = url.path().trim_end_matches('/');
    let path = if path.ends_with(METRICS) { "" } else { METRICS };
    let url = url.to_string();
    let base = url.trim_end_matches('/');
    Ok(format!("{base}{path}"))
}

/// Passwords and what follows a question mark would be seen in lists of processes.
fn is_collector(url: &Uri) -> bool {
    let has_host = |authority: &Authority| {
        let (text, host) = (authority.as_str(), authority.host());
        let has_port = authority.port_u16().is_some_and(|port| port > 0);
        !host.is_empty() && !text.contains('@') && (has_port || text == host)
    };
    matches!(url.scheme_str(), Some("http" | "https"))
        && url.authority().is_some_and(has_host)
        && url.query().is_none()
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
            assert_eq!(collector(given).as_deref(), Ok(pushed));
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
