//! Variables of the environment that all exporters of OpenTelemetry read: headers, which may be secrets, and what
//! is said about the process.

use percent_encoding::percent_decode_str;

/// Lists of these.
type Pairs = Vec<(String, String)>;

/// What they say.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Environment {
    /// Of each request.
    pub(super) headers: Pairs,
    /// Of the resource, besides those that twinpath knows.
    pub(super) attributes: Pairs,
}

impl Environment {
    /// `variable`: the value of a variable. One without any text counts as none.
    ///
    /// # Errors
    /// What a variable has that is no list of names and values.
    pub(super) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let list = |names: &[&'static str]| {
            let given = names.iter().find_map(|name| {
                let value = variable(name).filter(|value| !value.trim().is_empty());
                value.map(|value| (*name, value))
            });
            given.map_or(Ok(Vec::new()), |(name, list)| pairs(name, &list))
        };
        let headers = list(&[
            "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
            "OTEL_EXPORTER_OTLP_HEADERS",
        ])?;
        let mut attributes = list(&["OTEL_RESOURCE_ATTRIBUTES"])?;
        if let Some(name) = variable("OTEL_SERVICE_NAME").filter(|name| !name.is_empty()) {
            attributes.retain(|(known, _)| known != "service.name");
            attributes.push(("service.name".to_owned(), name));
        }
        Ok(Self {
            headers,
            attributes,
        })
    }
}

/// `NAME=VALUE,NAME=VALUE`, octets of values as `%XX` where needed.
fn pairs(variable: &str, list: &str) -> Result<Pairs, String> {
    let parts = list
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    let pair = |part: &str| {
        let (name, value) = part.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        let name = name.trim();
        (!name.is_empty()).then(|| (name.to_owned(), value.into_owned()))
    };
    // Their values may be secrets: an error does not repeat them.
    let pairs: Option<Pairs> = parts.map(pair).collect();
    pairs.ok_or_else(|| {
        format!("{variable} in the environment is no list of NAME=VALUE: separate them by commas")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Environment, String> {
        Environment::read(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
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
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=a,site=fra"),
        ]);
        let found = found.unwrap();
        let headers = [
            pair("Authorization", "Basic a2V5"),
            pair("x-scope", "fra=1"),
        ];
        assert_eq!(found.headers, headers);
        assert_eq!(
            found.attributes,
            [pair("service.name", "a"), pair("site", "fra")]
        );
        assert_eq!(read(&[]), Ok(Environment::default()));
    }

    #[test]
    fn what_is_said_of_metrics_or_of_the_service_alone_counts_first() {
        let found = read(&[
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=1"),
            ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "b=2"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=a"),
            ("OTEL_SERVICE_NAME", "b"),
        ]);
        let found = found.unwrap();
        assert_eq!(found.headers, [pair("b", "2")]);
        assert_eq!(found.attributes, [pair("service.name", "b")]);
        let unset = [
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=1"),
            ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", ""),
        ];
        assert_eq!(read(&unset).unwrap().headers, [pair("a", "1")]);
    }

    #[test]
    fn an_error_names_the_variable_and_no_secret() {
        for list in ["secret", "a=1,secret", "=secret", "a=%ffsecret"] {
            let error = read(&[("OTEL_EXPORTER_OTLP_HEADERS", list)]).unwrap_err();
            assert!(error.starts_with("OTEL_EXPORTER_OTLP_HEADERS "), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
