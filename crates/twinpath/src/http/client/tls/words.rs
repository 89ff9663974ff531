//! Why TLS failed, in words.

use std::error::Error;
use std::io;

use jiff::Timestamp;
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::UnixTime;
use tokio_rustls::rustls::{AlertDescription, CertificateError, InvalidMessage};

use super::EndpointOptions;

/// Names of a certificate that are shown.
const MOST_NAMES: usize = 4;

/// The words for an error of TLS among the causes of another error, for a server of this name; `None`: none of them
/// is one.
pub(in crate::http::client) fn words(
    error: &(dyn Error + 'static),
    host: &str,
    options: &EndpointOptions,
) -> Option<String> {
    let mut below = Some(error);
    while let Some(error) = below {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(of_tls(error, host, options));
        }
        // An error of a stream has the one of TLS within, and not as its source.
        let within = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        below = match within {
            Some(within) => Some(within),
            None => error.source(),
        };
    }
    None
}

fn of_tls(error: &rustls::Error, host: &str, options: &EndpointOptions) -> String {
    if let rustls::Error::InvalidCertificate(fault) = error {
        return of_certificate(fault, host, options);
    }
    if let rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) = error {
        return "the server does not use TLS at this port: write http://, or its port of TLS"
            .to_owned();
    }
    if let rustls::Error::AlertReceived(alert) = error {
        return match options.certificate {
            None if *alert == AlertDescription::CertificateRequired => {
                "the server asks for a client certificate: add certificate and key".to_owned()
            }
            Some(_) | None => format!("the server refuses the handshake: {alert:?}"),
        };
    }
    format!("TLS: {error}")
}

fn of_certificate(fault: &CertificateError, host: &str, options: &EndpointOptions) -> String {
    if let CertificateError::ExpiredContext { not_after, .. } = fault {
        return format!("its certificate expired at {}", time(*not_after));
    }
    if let CertificateError::NotValidYetContext { not_before, .. } = fault {
        let from = time(*not_before);
        return format!("its certificate is not valid before {from}: check the clock of this host");
    }
    // An authority of the same name with another key is another authority.
    if [
        CertificateError::UnknownIssuer,
        CertificateError::BadSignature,
    ]
    .contains(fault)
    {
        return match &options.ca {
            Some(path) => {
                let path = path.display();
                format!("its certificate is not signed by an authority of {path}")
            }
            None => "its certificate is not signed by an authority that this host knows: write the file of its authority as ca"
                .to_owned(),
        };
    }
    if let CertificateError::NotValidForNameContext { presented, .. } = fault {
        let names = presented.iter().take(MOST_NAMES);
        let names: Vec<&str> = names.map(|name| bare(name)).collect();
        return match names.as_slice() {
            [] => format!("its certificate is not for {host}: it has no names"),
            names => format!(
                "its certificate is for {}, not for {host}",
                names.join(", ")
            ),
        };
    }
    format!("its certificate cannot be used: {fault}")
}

/// A name without its kind: rustls has it as `DnsName("a.example")` or `IpAddress(192.0.2.1)`.
fn bare(name: &str) -> &str {
    let within = name
        .split_once('(')
        .and_then(|(_, it)| it.strip_suffix(')'));
    within.unwrap_or(name).trim_matches('"')
}

fn time(at: UnixTime) -> String {
    let seconds = i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds)
        .map_or_else(|_| "an unknown time".to_owned(), |at| at.to_string())
}
