//! The limits file: classes with their limits, and who belongs to which.

use std::collections::HashMap;

use ipnet::IpNet;

use super::statements::{Statement, statements};
use super::{Fault, Place, Remark};

/// Who may do what.
#[derive(Debug, Default)]
pub(crate) struct Policy {
    /// The first is the root: the class of clients without another.
    pub(super) classes: Vec<Class>,
    pub(super) networks: Vec<Assigned<IpNet>>,
    pub(super) users: Vec<Assigned<String>>,
    pub(super) default: Option<Assigned<()>>,
    /// Limits that do not go over.
    pub(super) remarks: Vec<Remark>,
}

/// A class, with what it has from its parents.
#[derive(Clone, Debug)]
pub(super) struct Class {
    pub(super) name: String,
    pub(super) place: Place,
    /// Its clients may do without a key.
    pub(super) allows_open: bool,
    /// Sessions for each control connection; `None`: any number.
    pub(super) sessions: Option<u64>,
    /// Another class has it for its parent.
    pub(super) is_parent: bool,
}

/// Who belongs to a class, by its place in the list.
#[derive(Debug)]
pub(super) struct Assigned<W> {
    pub(super) who: W,
    pub(super) class: usize,
    pub(super) place: Place,
}

impl Policy {
    /// That of a limits file.
    ///
    /// # Errors
    /// The first line that twampd would refuse too.
    pub(crate) fn parse(file: &str, text: &str) -> Result<Self, Fault> {
        let mut policy = Self::default();
        let mut names = HashMap::new();
        for statement in statements(file, text)? {
            let (word, rest) = split_word(&statement.text);
            let read = match word.to_ascii_lowercase().as_str() {
                "limit" => policy.limit(rest, &statement, &mut names),
                "assign" => policy.assign(rest, &statement, &names),
                _ => Err(format!("{word}: a line begins with limit or assign")),
            };
            read.map_err(|what| Fault {
                place: statement.place,
                what,
            })?;
        }
        Ok(policy)
    }

    /// `limit NAME with KEY=VALUE,...`
    fn limit(
        &mut self,
        rest: &str,
        statement: &Statement,
        names: &mut HashMap<String, usize>,
    ) -> Result<(), String> {
        let (name, rest) = split_word(rest);
        let (with, rest) = split_word(rest);
        if name.is_empty() || !with.eq_ignore_ascii_case("with") {
            return Err("write limit NAME with KEY=VALUE,...".to_owned());
        }
        if names.contains_key(name) {
            return Err(format!("class {name} is defined twice"));
        }
        let mut limits = Limits::default();
        for entry in rest.split(',').map(str::trim).filter(|it| !it.is_empty()) {
            self.entry(entry, name, &mut limits, statement, names)?;
        }
        let parent = limits.parent.and_then(|at| self.classes.get_mut(at));
        if parent.is_none() && !names.is_empty() {
            return Err(format!(
                "class {name} has no parent=: only the first class may"
            ));
        }
        let (mut allows_open, mut sessions) = (true, None);
        if let Some(parent) = parent {
            parent.is_parent = true;
            (allows_open, sessions) = (parent.allows_open, parent.sessions);
        }
        let own = limits.sessions.filter(|count| *count > 0);
        names.insert(name.to_owned(), self.classes.len());
        self.classes.push(Class {
            name: name.to_owned(),
            place: statement.place.clone(),
            allows_open: limits.allows_open.unwrap_or(allows_open),
            // Each level up to the root is asked.
            sessions: own.into_iter().chain(sessions).min(),
            is_parent: false,
        });
        Ok(())
    }

    fn entry(
        &mut self,
        entry: &str,
        class: &str,
        limits: &mut Limits,
        statement: &Statement,
        names: &HashMap<String, usize>,
    ) -> Result<(), String> {
        let (key, value) = entry
            .split_once('=')
            .ok_or_else(|| format!("{entry}: write KEY=VALUE"))?;
        let key = key.trim().to_ascii_lowercase();
        let (value, _) = split_word(value);
        if limits.seen.contains(&key) {
            return Err(format!("{key} is given twice"));
        }
        let wrong = || format!("{key}={value}: not a value of it");
        let what = match key.as_str() {
            "parent" if self.classes.is_empty() => {
                return Err("the first class has no parent".to_owned());
            }
            "parent" => {
                let at = names.get(value).copied();
                limits.parent = Some(at.ok_or_else(|| format!("no class {value} before it"))?);
                None
            }
            "allow_open_mode" => {
                limits.allows_open = Some(switch(value).ok_or_else(wrong)?);
                None
            }
            "test_sessions" => {
                limits.sessions = Some(number(value).ok_or_else(wrong)?);
                None
            }
            "bandwidth" => (number(value).ok_or_else(wrong)? > 0).then_some(
                "no effect in twampd, which cannot know the rate of two-way sessions; the nearest is max-rate \
                 (packets per second for each client)",
            ),
            "disk" => (number(value).ok_or_else(wrong)? > 0)
                .then_some("no equivalent: a server of two-way sessions stores no results"),
            "delete_on_fetch" => switch(value)
                .ok_or_else(wrong)?
                .then_some("no equivalent: a server of two-way sessions has no results to fetch"),
            _ => return Err(format!("{key}: no such limit")),
        };
        if let Some(what) = what {
            let text = format!("{key}={value} of class {class}: {what}");
            self.remarks.push(Remark::note(&statement.place, text));
        }
        limits.seen.push(key);
        Ok(())
    }

    /// `assign default CLASS`, `assign net PREFIX CLASS`, `assign user IDENTITY CLASS`
    fn assign(
        &mut self,
        rest: &str,
        statement: &Statement,
        names: &HashMap<String, usize>,
    ) -> Result<(), String> {
        let (kind, rest) = split_word(rest);
        let kind = kind.to_ascii_lowercase();
        let (who, rest) = match kind.as_str() {
            "default" => ("", rest),
            "net" | "user" => split_word(rest),
            _ => return Err("write assign default, assign net or assign user".to_owned()),
        };
        let (class, _) = split_word(rest);
        let at = names.get(class).copied();
        let class = at.ok_or_else(|| format!("no class {class} before it"))?;
        let place = statement.place.clone();
        match kind.as_str() {
            "default" if self.default.is_some() => {
                return Err("assign default is given twice".to_owned());
            }
            "default" => {
                self.default = Some(Assigned {
                    who: (),
                    class,
                    place,
                });
            }
            "net" => {
                let who = network(who)?;
                // twampd takes the later one.
                self.networks.retain(|other| other.who != who);
                self.networks.push(Assigned { who, class, place });
            }
            _ => {
                let who = who.to_owned();
                self.users.retain(|other| other.who != who);
                self.users.push(Assigned { who, class, place });
            }
        }
        Ok(())
    }
}

/// What a `limit` line itself says.
#[derive(Default)]
struct Limits {
    parent: Option<usize>,
    allows_open: Option<bool>,
    sessions: Option<u64>,
    seen: Vec<String>,
}

/// The first word and what is behind it.
pub(super) fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}

fn switch(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

/// Digits, perhaps with a decimal unit.
fn number(value: &str) -> Option<u64> {
    let end = value.find(|c: char| !c.is_ascii_digit());
    let (digits, unit) = value.split_at(end.unwrap_or(value.len()));
    let exponent = match unit.to_ascii_lowercase().as_str() {
        "" => 0,
        "k" => 3,
        "m" => 6,
        "g" => 9,
        "t" => 12,
        "p" => 15,
        "e" => 18,
        _ => return None,
    };
    digits
        .parse::<u64>()
        .ok()?
        .checked_mul(10_u64.pow(exponent))
}

fn network(text: &str) -> Result<IpNet, String> {
    let net = match text.parse() {
        Ok(address) => IpNet::from(std::net::IpAddr::to_canonical(&address)),
        Err(_) => text
            .parse::<IpNet>()
            .map_err(|_| format!("{text}: not a prefix, as in 192.0.2.0/24"))?,
    };
    if net.trunc() != net {
        return Err(format!("{text}: bits are set behind the prefix"));
    }
    if net.prefix_len() == 0 {
        return Err(format!("{text}: write assign default"));
    }
    Ok(net)
}

#[cfg(test)]
mod tests;
