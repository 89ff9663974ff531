//! Reads a condition. A fault is answered with the condition as it can stand in the file.

use strsim::osa_distance;
use twinpath_metrics::Unit;
use twinpath_report::document::Metric;

use super::limits::{limits, with_unit};
use super::{Condition, LOSS, MOST_INTERVALS, OPERATORS, Operator, Test, WORDS, Word};
use crate::args::{NamedFigure, Spelling};
use crate::store;

/// What is written where nothing of a condition can be read.
const EXAMPLE: &str = "round-trip.p95 > 50ms";
/// Its figures need a whole run.
const AVAILABILITY: &str = "availability";
/// A word in which so many letters are wrong is another one.
const MOST_TYPOS: usize = 3;

/// A part that is wrong, and the right one.
#[derive(Debug)]
struct Wrong {
    what: String,
    right: String,
}

impl Condition {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong, and what to write instead.
    pub(in crate::daemon) fn parse(written: &str) -> Result<Self, String> {
        let words: Vec<&str> = written.split_whitespace().collect();
        let (asked, counted) = count_of(&words);
        let asked = asked.join(" ");
        let is_counted = !matches!(counted, Ok(None));
        let counted = counted.map(|counted| counted.unwrap_or([1, 1]));
        let wrong = match (Test::parse(&asked), counted) {
            (Ok(test), Ok([bad, of])) => {
                return Ok(Self {
                    text: words.join(" "),
                    test,
                    bad,
                    of,
                });
            }
            (Err(wrong), counted) => {
                let counted = counted.map(|[bad, of]| format!("for {bad} of {of}"));
                let counted = counted.unwrap_or_else(|wrong| wrong.right);
                let right = if is_counted {
                    format!("{} {counted}", wrong.right)
                } else {
                    wrong.right
                };
                Wrong { right, ..wrong }
            }
            (Ok(_), Err(wrong)) => Wrong {
                right: format!("{asked} {}", wrong.right),
                ..wrong
            },
        };
        let Wrong { what, right } = wrong;
        Err(format!(
            "when = \"{written}\": {what}: write when = \"{right}\""
        ))
    }
}

/// What is asked, and of how many intervals, if that is written.
fn count_of<'a, 'b>(words: &'b [&'a str]) -> (&'b [&'a str], Result<Option<[usize; 2]>, Wrong>) {
    let is_number = |word: &str| word.parse::<usize>().is_ok();
    match words {
        ["for", bad, "of", of, asked @ ..] if !asked.is_empty() => {
            let right = intervals(&[bad, "of", of]).unwrap_or([3, 5]);
            let what = format!("for {bad} of {of} comes last");
            (asked, Err(Wrong::count(what, right)))
        }
        [asked @ .., bad, "of", of]
            if asked.last() != Some(&"for") && is_number(bad) && is_number(of) =>
        {
            let right = intervals(&[bad, "of", of]).unwrap_or([3, 5]);
            let what = format!("for is missing before {bad} of {of}");
            (asked, Err(Wrong::count(what, right)))
        }
        words => {
            let end = words.iter().position(|word| *word == "for");
            let (asked, counted) = words.split_at(end.unwrap_or(words.len()));
            let counted = match counted {
                [] => Ok(None),
                [_, counted @ ..] => intervals(counted).map(Some),
            };
            (asked, counted)
        }
    }
}

impl Wrong {
    fn count(what: String, [bad, of]: [usize; 2]) -> Self {
        Self {
            what,
            right: format!("for {bad} of {of}"),
        }
    }
}

/// K and N of `for K of N`.
fn intervals(words: &[&str]) -> Result<[usize; 2], Wrong> {
    if let [bad, "of", of] = words
        && let [Ok(bad), Ok(of)] = [bad, of].map(|number| number.parse::<usize>())
        && (1..=of).contains(&bad)
        && of <= MOST_INTERVALS
    {
        return Ok([bad, of]);
    }
    let text = words.join(" ");
    let is_time = words.iter().any(|word| {
        let unit = word.trim_start_matches(|c: char| c.is_ascii_digit());
        unit.len() < word.len() && unit.starts_with(|c: char| c.is_ascii_alphabetic())
    });
    let numbers = text.split(|c: char| !c.is_ascii_digit());
    let numbers = numbers.filter_map(|digits| digits.parse::<usize>().ok());
    let numbers: Vec<usize> = numbers.map(|it| it.clamp(1, MOST_INTERVALS)).collect();
    let right = match numbers.as_slice() {
        _ if is_time => [3, 5],
        [] => [3, 5],
        [one] => [*one, *one],
        [one, other, ..] => [*one.min(other), *one.max(other)],
    };
    let what = if is_time {
        format!("for {text}: intervals are counted, not time")
    } else {
        format!("for {text}: for takes K of N intervals, K up to N and N up to {MOST_INTERVALS}")
    };
    Err(Wrong::count(what, right))
}

impl Test {
    fn parse(text: &str) -> Result<Self, Wrong> {
        if let Some((_, word)) = WORDS.iter().find(|(name, _)| *name == text) {
            return Ok(Self::Word(*word));
        }
        let Some((figure, sign, bound)) = parts(text) else {
            return Err(without_operator(text));
        };
        let named = named(figure);
        if named.is_err()
            && let Some((name, _)) = like_word(figure)
        {
            return Err(Wrong {
                what: format!("{name} takes no bound"),
                right: name.to_owned(),
            });
        }
        let (operator, sign_fault) = operator(sign);
        if figure.starts_with(|c: char| c.is_ascii_digit())
            && let Some(wrong) = reversed(figure, operator, bound)
        {
            return Err(wrong);
        }
        let named = match named {
            Ok(named) => named,
            Err((what, near)) => {
                let right = match near {
                    Some(near) => nearest(&near, operator, bound),
                    None if figure.starts_with(AVAILABILITY) => {
                        format!("loss > {}", unavailable(bound))
                    }
                    None => EXAMPLE.to_owned(),
                };
                return Err(Wrong { what, right });
            }
        };
        let fault = match bound_of(&named, bound) {
            Ok(bound) => sign_fault.map(|what| (what, bound)),
            Err(wrong) => Some((wrong.what, wrong.right)),
        };
        if let Some((what, bound)) = fault {
            let right = format!("{figure} {} {bound}", operator.sign());
            return Err(Wrong { what, right });
        }
        Self::figure(&named, figure, operator, bound)
    }

    /// A test of a figure that both passes and fails some interval.
    fn figure(
        named: &NamedFigure,
        written: &str,
        operator: Operator,
        bound: &str,
    ) -> Result<Self, Wrong> {
        let metric = named.metric();
        let path = metric.map_or("", |metric| &metric.path);
        let unit = unit_of(named);
        // Both were looked up before.
        let (place, value) = (store::figure_place(path), named.value(bound));
        let (place, value) = (place.unwrap_or(usize::MAX), value.unwrap_or_default());
        let limits = metric.map_or([None, None], limits);
        if let Some(constant) = operator.constant(value, limits) {
            let limit = with_unit(constant.limit, unit);
            let side = if constant.is_most {
                "at most"
            } else {
                "at least"
            };
            let how = if constant.holds { "always" } else { "never" };
            return Err(Wrong {
                what: format!("{written} is {limit} {side}, so the alert would {how} be raised"),
                right: format!("{written} {} {limit}", constant.nearest.sign()),
            });
        }
        Ok(Self::Figure {
            place,
            unit,
            operator,
            bound: value,
            is_loss: path == LOSS,
        })
    }
}

/// What is said of a bound before its figure, if that is one.
fn reversed(bound: &str, operator: Operator, figure: &str) -> Option<Wrong> {
    let figure = parts(figure).map_or(figure, |(figure, ..)| figure);
    let named = named(figure).ok()?;
    let right = nearest(&named, operator.reversed(), bound);
    let what = "the figure comes first, then one operator and one bound".to_owned();
    Some(Wrong { what, right })
}

/// A condition about this figure that is right.
fn nearest(named: &NamedFigure, operator: Operator, bound: &str) -> String {
    let bound = bound_of(named, bound).unwrap_or_else(|wrong| wrong.right);
    let shown = shown(named);
    match Test::figure(named, &shown, operator, &bound) {
        Ok(_) => format!("{shown} {} {bound}", operator.sign()),
        Err(wrong) => wrong.right,
    }
}

/// Figure, operator and bound as they are written.
fn parts(text: &str) -> Option<(&str, &str, &str)> {
    let is_sign = |c: char| "<>=!≥≤≠".contains(c);
    let (figure, rest) = text.split_at_checked(text.find(is_sign)?)?;
    let end = rest.find(|c| !is_sign(c)).unwrap_or(rest.len());
    let (sign, bound) = rest.split_at_checked(end)?;
    Some((figure.trim(), sign, bound.trim()))
}

/// The operator that is written or meant, and what is wrong with it.
fn operator(sign: &str) -> (Operator, Option<String>) {
    if let Some((_, operator)) = OPERATORS.iter().find(|(known, _)| *known == sign) {
        return (*operator, None);
    }
    let meant = match sign {
        "=" | "===" => Operator::Equal,
        "=>" | "≥" => Operator::AtLeast,
        "=<" | "≤" => Operator::AtMost,
        "<>" | "=!" | "!" | "≠" => Operator::Other,
        sign if sign.starts_with('<') => Operator::Below,
        _ => Operator::Above,
    };
    let what = format!("{sign} is not one of the operators > >= < <= == !=");
    (meant, Some(what))
}

/// What is said of a text without an operator.
fn without_operator(text: &str) -> Wrong {
    if let Some((name, rest)) = like_word(text) {
        let what = if rest.is_empty() {
            format!("no condition is called {text}")
        } else {
            format!("{name} takes no bound")
        };
        return Wrong {
            what,
            right: name.to_owned(),
        };
    }
    let (figure, bound) = text.split_once(' ').unwrap_or((text, ""));
    match named(figure) {
        Ok(named) => Wrong {
            what: "operator or bound is missing".to_owned(),
            right: nearest(&named, Operator::Above, bound),
        },
        Err(_) => Wrong {
            what: "neither a figure with its bound nor silent, remarked, hops changed or clock unsynchronized".to_owned(),
            right: EXAMPLE.to_owned(),
        },
    }
}

/// The word that a text begins with, or is nearly, and what comes after it.
fn like_word(text: &str) -> Option<(&'static str, &str)> {
    let lower = text.to_lowercase();
    let begun = WORDS.iter().find_map(|(name, _): &(_, Word)| {
        let rest = text.strip_prefix(name)?;
        let is_apart = rest.is_empty() || rest.starts_with(' ');
        is_apart.then(|| (*name, rest.trim()))
    });
    begun.or_else(|| {
        let near = WORDS
            .iter()
            .map(|(name, _)| (osa_distance(&lower, name), *name));
        let (typos, name) = near.min()?;
        (typos <= MOST_TYPOS).then_some((name, ""))
    })
}

/// A figure that intervals have; else what is wrong with it, and the one that is most like it.
fn named(figure: &str) -> Result<NamedFigure, (String, Option<NamedFigure>)> {
    let is_of_interval = |metric: &Metric| store::figure_place(&metric.path).is_some();
    let name = figure.replace('-', "_");
    let named: Option<NamedFigure> = name.parse().ok();
    let metric = named.as_ref().and_then(NamedFigure::metric);
    let is_of_run = metric.is_some() || name.starts_with(AVAILABILITY);
    if let Some(named) = named
        && metric.is_some_and(is_of_interval)
    {
        return Ok(named);
    }
    let near = NamedFigure::nearest(&name, is_of_interval);
    let what = if is_of_run {
        format!("{figure} is a figure of a whole run, and a condition is about intervals")
    } else {
        format!("no figure is called \"{figure}\"")
    };
    Err((what, near))
}

/// The share that is not available where this one is.
fn unavailable(bound: &str) -> String {
    let share = bound
        .strip_suffix('%')
        .and_then(|it| it.trim().parse::<f64>().ok());
    match share {
        Some(share) if (0.0..100.0).contains(&share) => {
            let rest = format!("{:.4}", 100.0 - share);
            format!("{}%", rest.trim_end_matches('0').trim_end_matches('.'))
        }
        Some(_) | None => "1%".to_owned(),
    }
}

/// A figure as it is written in files.
fn shown(named: &NamedFigure) -> String {
    named.name.replace("round_trip", "round-trip")
}

fn unit_of(named: &NamedFigure) -> Unit {
    named
        .metric()
        .map_or(Unit::Number, |metric| metric.about.unit)
}

/// A bound as it is written.
fn bound_of(named: &NamedFigure, bound: &str) -> Result<String, Wrong> {
    let is_figure = |text: &str| named.value(text).is_some();
    if is_figure(bound) {
        return Ok(bound.to_owned());
    }
    let (first, more) = bound.split_once(' ').unwrap_or((bound, ""));
    if is_figure(first) && !more.is_empty() {
        return Err(Wrong {
            what: format!("an alert has one condition, so \"{more}\" needs another one"),
            right: first.to_owned(),
        });
    }
    let unit = unit_of(named);
    let comma = bound.replace(',', ".").to_lowercase();
    let digits = comma.trim_start_matches('+');
    let end = digits.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | '-'));
    let (digits, suffix) = digits.split_at(end.unwrap_or(digits.len()));
    let is_number = digits.parse::<f64>().is_ok_and(f64::is_finite);
    let spelling = Spelling::of(unit);
    let (example, kind) = match spelling {
        Spelling::Time => ("50ms", "a time up to 365d"),
        Spelling::Share => ("5%", "a share"),
        Spelling::Number => ("10", "a number"),
    };
    let takes_unit = spelling != Spelling::Number;
    let what = match (bound, is_number && suffix.trim().is_empty() && takes_unit) {
        ("", _) => "the bound is missing".to_owned(),
        (_, true) => format!("{bound} has no unit"),
        (_, false) => format!("{bound} is not {kind}"),
    };
    let candidates = match (is_number, spelling) {
        (false, _) => Vec::new(),
        (true, Spelling::Share) => vec![share(digits, suffix)],
        (true, Spelling::Time) => {
            let suffix = suffix.trim();
            let longest = if ["m", "h", "d"].contains(&suffix) {
                "365d"
            } else {
                ""
            };
            let short = format!("{digits}ms");
            vec![format!("{digits}{suffix}"), longest.to_owned(), short]
        }
        (true, Spelling::Number) => vec![digits.to_owned()],
    };
    let right = candidates.into_iter().find(|text| is_figure(text));
    Err(Wrong {
        what,
        right: right.unwrap_or_else(|| example.to_owned()),
    })
}

/// A share that is written as a part of 1, or in percent without its sign.
fn share(digits: &str, suffix: &str) -> String {
    let number = digits.parse::<f64>().unwrap_or_default();
    if suffix.trim().is_empty() && number > 0.0 && number < 1.0 {
        let percent = format!("{:.4}", number * 100.0);
        return format!("{}%", percent.trim_end_matches('0').trim_end_matches('.'));
    }
    format!("{digits}%")
}

#[cfg(test)]
mod tests;
