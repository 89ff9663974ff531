//! The name of a file of keys.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};

use super::super::Advice;
use crate::service::CREDENTIALS_DIRECTORY;

/// Before the name of a credential.
const CREDENTIAL: &str = "credential:";

/// A path, or `credential:NAME`: what the service manager gives this service under that name.
pub(in crate::args) fn key_file() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new()
        .try_map(|text| path(text, std::env::var_os(CREDENTIALS_DIRECTORY).as_deref()))
}

/// The same of a key of a configuration.
///
/// # Errors
/// There is no such credential: what to write instead.
#[cfg(feature = "daemon")]
pub(crate) fn key_path(text: &str) -> Result<PathBuf, String> {
    let directory = std::env::var_os(CREDENTIALS_DIRECTORY);
    path(text.into(), directory.as_deref()).map_err(|advice| advice.to_string())
}

fn path(text: OsString, directory: Option<&OsStr>) -> Result<PathBuf, Advice> {
    let Some(name) = text.to_str().and_then(|it| it.strip_prefix(CREDENTIAL)) else {
        return Ok(text.into());
    };
    if name.is_empty() || name.contains('/') || name == "." || name == ".." {
        return Err(Advice::new(
            "use credential:NAME, with the name in LoadCredential=NAME of the unit",
        ));
    }
    let directory = directory.ok_or_else(|| {
        Advice::new(
            "there are no credentials: they are for a service of systemd (LoadCredential=); otherwise give a file",
        )
    })?;
    Ok(PathBuf::from(directory).join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_a_file_in_the_directory_of_the_service() {
        let directory = Some(OsStr::new("/run/credentials/x.service"));
        let read = |text: &str| path(text.into(), directory);
        let credential = read("credential:keys").unwrap();
        assert_eq!(credential, PathBuf::from("/run/credentials/x.service/keys"));
        for file in ["keys", "./credential:keys", "/etc/credential:keys"] {
            assert_eq!(read(file).unwrap(), PathBuf::from(file));
        }
        for wrong in ["credential:", "credential:..", "credential:a/b"] {
            let advice = read(wrong).unwrap_err().to_string();
            assert!(advice.contains("LoadCredential="), "{wrong}: {advice}");
        }
        let advice = path("credential:keys".into(), None).unwrap_err();
        assert!(advice.to_string().starts_with("there are no credentials"));
    }
}
