//! A message of syslog (RFC 5424 section 6).

use twinpath_report::words::is_plain;

/// Octets of the name of a host.
const MOST_HOST: usize = 255;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub(super) facility: u8,
    pub(super) severity: u8,
    pub(super) timestamp: &'a str,
    pub(super) host: &'a str,
    pub(super) program: &'a str,
    pub(super) process: Option<u32>,
    pub(super) kind: Option<&'a str>,
    /// An id, and its parameters.
    pub(super) data: Option<(&'a str, &'a [(&'a str, String)])>,
    pub(super) text: &'a str,
}

impl Message<'_> {
    /// As it is sent.
    pub(super) fn octets(&self) -> Vec<u8> {
        let priority = u16::from(self.facility) * 8 + u16::from(self.severity);
        let process = self.process.map(|id| id.to_string());
        let fields = [
            self.timestamp,
            &field(self.host, MOST_HOST),
            self.program,
            process.as_deref().unwrap_or("-"),
            self.kind.unwrap_or("-"),
        ];
        let mut text = format!("<{priority}>1 {}", fields.join(" "));
        text.push(' ');
        match self.data {
            None => text.push('-'),
            Some((id, parameters)) => {
                text.push('[');
                text.push_str(id);
                for (name, value) in parameters {
                    text.push(' ');
                    text.push_str(name);
                    text.push_str("=\"");
                    text.extend(value.chars().flat_map(escaped));
                    text.push('"');
                }
                text.push(']');
            }
        }
        if !self.text.is_empty() {
            text.push(' ');
            // A text beyond ASCII begins with a mark (RFC 5424 section 6.4).
            if !self.text.is_ascii() {
                text.push('\u{feff}');
            }
            text.extend(self.text.chars().map(plain));
        }
        text.into_bytes()
    }
}

/// A character of a parameter's value (RFC 5424 section 6.3.3).
fn escaped(c: char) -> impl Iterator<Item = char> {
    let mark = ['"', '\\', ']'].contains(&c).then_some('\\');
    mark.into_iter().chain([plain(c)])
}

fn plain(c: char) -> char {
    if is_plain(c) { c } else { ' ' }
}

/// A field of visible ASCII characters; `-` where it has none.
fn field(text: &str, most: usize) -> String {
    let visible = text.chars().filter(char::is_ascii_graphic);
    let visible: String = visible.take(most).collect();
    if visible.is_empty() {
        "-".to_owned()
    } else {
        visible
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_those_of_rfc_5424() {
        // Section 6.5: the second example.
        let second = Message {
            facility: 20,
            severity: 5,
            timestamp: "2003-08-24T05:14:15.000003-07:00",
            host: "192.0.2.1",
            program: "myproc",
            process: Some(8_710),
            kind: None,
            data: None,
            text: "%% It's time to make the do-nuts.",
        };
        assert_eq!(
            String::from_utf8(second.octets()).unwrap(),
            "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts."
        );
        // The data of the third and fourth, without a text.
        let parameters = [
            ("iut", "3".to_owned()),
            ("eventSource", "Application".to_owned()),
            ("eventID", "1011".to_owned()),
        ];
        let fourth = Message {
            timestamp: "2003-10-11T22:14:15.003Z",
            host: "mymachine.example.com",
            program: "evntslog",
            process: None,
            kind: Some("ID47"),
            data: Some(("exampleSDID@32473", &parameters)),
            text: "",
            ..second
        };
        assert_eq!(
            String::from_utf8(fourth.octets()).unwrap(),
            "<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 \
             [exampleSDID@32473 iut=\"3\" eventSource=\"Application\" eventID=\"1011\"]"
        );
        // Section 6.3.3: three characters are escaped; section 6.4: a text of UTF-8 has a mark.
        let parameters = [("a", "\"\\]\n\u{e4}".to_owned())];
        let odd = Message {
            host: "",
            data: Some(("a", &parameters)),
            text: "\u{e4}\n",
            ..second
        };
        assert_eq!(
            String::from_utf8(odd.octets()).unwrap(),
            "<165>1 2003-08-24T05:14:15.000003-07:00 - myproc 8710 - [a a=\"\\\"\\\\\\] \u{e4}\"] \u{feff}\u{e4} "
        );
    }
}
