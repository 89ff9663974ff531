//! The user's remarks in a document.

use serde::{Serialize, Serializer};

use super::packets::is_column;
use crate::args::{Label, OutputFormat, ResultOptions};
use crate::failure::Failure;

/// Makes sure that labels have a place in the output: CSV has a column for each, beside its own.
///
/// # Errors
/// [`Failure`]: bad usage.
pub(crate) fn fit(options: &ResultOptions) -> Result<(), Failure> {
    let is_csv = options.form() == OutputFormat::Csv;
    let taken = |label: &&Label| is_csv && is_column(&label.key);
    options.labels.iter().find(taken).map_or(Ok(()), |label| {
        let line = format!(
            "--label {}: csv already has a column of that name",
            label.key
        );
        Err(Failure::usage(line).with_remedy(Some("use another key")))
    })
}

/// The user's remarks.
pub(super) struct Labels<'a>(pub(super) &'a [Label]);

impl Labels<'_> {
    /// There are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Labels<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|label| (&label.key, &label.value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};

    #[test]
    fn a_label_is_no_second_column_of_a_name() {
        for (line, fits) in [
            ("--output csv --label seq=1", false),
            ("--output csv --label a=1 --label session=2", false),
            ("--output csv --label a=1", true),
            ("--output json --label seq=1", true),
        ] {
            let words = ["twinpath", "sender", "::1"].into_iter();
            let Command::Sender(args) = Cli::read(words.chain(line.split(' '))).unwrap().command
            else {
                panic!("{line}")
            };
            let told = fit(&args.run.results).map_err(|failure| failure.to_string());
            assert_eq!(told.is_ok(), fits, "{told:?}");
        }
    }
}
