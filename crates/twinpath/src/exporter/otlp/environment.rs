//! Variables of the environment that all exporters of OpenTelemetry read: headers, which may be secrets, and what
//! is known about the process.

use std::ffi::OsString;

use hyper::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING,
    USER_AGENT,
};
use percent_encoding::percent_decode_str;

/// Headers that the request itself has.
const OWN: [HeaderName; 6] = [
    CONNECTION,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    HOST,
    TRANSFER_ENCODING,
    USER_AGENT,
];

/// What they say.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Environment {
    /// Of each request.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// Of the resource, besides those that twinpath knows. Each name is there once.
    pub(super) attributes: Vec<(String, String)>,
}

impl Environment {
    /// `variable`: the value of a variable. One without any text counts as none.
    ///
    /// # Errors
    /// A variable whose value cannot be used. Values may be secrets: an error does not repeat them.
    pub(super) fn read(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, String> {
        let text = |name: &str| {
            let value = variable(name).unwrap_or_default().into_string();
            value.map_err(|_| format!("{name} in the environment is not UTF-8"))
        };
        let headers = |name: &str| {
            let list = text(name)?;
            let pairs = pairs(name, &list)?.into_iter();
            let headers = pairs.map(|pair| header(name, pair));
            headers.collect::<Result<Vec<_>, String>>()
        };
        let mut read = Self {
            headers: headers("OTEL_EXPORTER_OTLP_METRICS_HEADERS")?,
            attributes: Vec::new(),
        };
        if read.headers.is_empty() {
            read.headers = headers("OTEL_EXPORTER_OTLP_HEADERS")?;
        }
        let attributes = "OTEL_RESOURCE_ATTRIBUTES";
        let service = text("OTEL_SERVICE_NAME")?;
        let service = (!service.is_empty()).then(|| ("service.name".to_owned(), service));
        let given = pairs(attributes, &text(attributes)?)?;
        for (name, value) in given.into_iter().chain(service) {
            read.attributes.retain(|(known, _)| *known != name);
            read.attributes.push((name, value));
        }
        Ok(read)
    }
}

/// `NAME=VALUE,NAME=VALUE`, octets as `%XX` where needed.
fn pairs(variable: &str, list: &str) -> Result<Vec<(String, String)>, String> {
    let parts = list.split(',').map(str::trim);
    let decoded = |text: &str| {
        let text = percent_decode_str(text.trim()).decode_utf8().ok()?;
        Some(text.into_owned())
    };
    let pair = |part: &str| {
        let (name, value) = part.split_once('=')?;
        let name = decoded(name).filter(|name| !name.is_empty())?;
        Some((name, decoded(value)?))
    };
    let parts = parts.filter(|part| !part.is_empty());
    let pairs: Option<Vec<_>> = parts.map(pair).collect();
    pairs.ok_or_else(|| {
        format!(
            "{variable} in the environment is not a list of NAME=VALUE pairs: separate them by commas"
        )
    })
}

fn header(
    variable: &str,
    (name, value): (String, String),
) -> Result<(HeaderName, HeaderValue), String> {
    let header = HeaderName::try_from(name).ok();
    let header = header.filter(|name| !OWN.contains(name));
    header.zip(HeaderValue::try_from(value).ok()).ok_or_else(|| {
        format!("{variable} in the environment has a header that cannot be sent: use names and values as HTTP has them")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Environment, String> {
        Environment::read(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    fn headers(read: &Environment) -> Vec<(&str, &str)> {
        let headers = read.headers.iter();
        let texts = headers.map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
        texts.collect()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn lists_are_read_and_octets_decoded() {
        let found = read(&[
            (
                "OTEL_EXPORTER_OTLP_HEADERS",
                "Authorization=Basic%20a2V5, x-scope = fra=1 ,",
            ),
            (
                "OTEL_RESOURCE_ATTRIBUTES",
                "site=ams,service.name=a,a%2Cb=%C3%A9,site=fra",
            ),
        ]);
        let found = found.unwrap();
        let sent = [("authorization", "Basic a2V5"), ("x-scope", "fra=1")];
        assert_eq!(headers(&found), sent);
        // The last one of a name counts.
        let attributes = [
            pair("service.name", "a"),
            pair("a,b", "\u{e9}"),
            pair("site", "fra"),
        ];
        assert_eq!(found.attributes, attributes);
        assert_eq!(read(&[]), Ok(Environment::default()));
    }

    #[test]
    fn what_is_given_for_metrics_or_for_the_service_alone_counts_first() {
        let found = read(&[
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=1"),
            ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "b=2"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=a"),
            ("OTEL_SERVICE_NAME", "b"),
        ]);
        let found = found.unwrap();
        assert_eq!(headers(&found), [("b", "2")]);
        assert_eq!(found.attributes, [pair("service.name", "b")]);
        let unset = [
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=1"),
            ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", ""),
        ];
        assert_eq!(headers(&read(&unset).unwrap()), [("a", "1")]);
    }

    #[test]
    fn an_error_names_the_variable_and_no_secret() {
        let variable = "OTEL_EXPORTER_OTLP_HEADERS";
        for list in [
            "s3cret",
            "a=1,s3cret",
            "=s3cret",
            "a=%ffs3cret",
            "a b=s3cret",
            "a=s3cret%0d%0ab: 1",
            "Content-Type=s3cret",
        ] {
            let error = read(&[(variable, list)]).unwrap_err();
            assert!(error.starts_with(variable), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStringExt as _;
            let octets = |_: &str| Some(OsString::from_vec(b"a=\xff".to_vec()));
            let error = Environment::read(octets).unwrap_err();
            assert!(error.ends_with(" is not UTF-8"), "{error}");
        }
    }
}
