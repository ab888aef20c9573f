//! `application/x-www-form-urlencoded` bodies (WHATWG URL §5), the form of every Twilio request.

use std::fmt::{self, Write as _};

/// Names and values in the order sent. Blank values are kept, because they are signed too; a name
/// may stand more than once.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Form {
    pairs: Vec<(String, String)>,
}

impl Form {
    /// Reads a body. Every byte string is a form: what is no percent code stands for itself, and
    /// bytes that are no UTF-8 become U+FFFD.
    pub fn parse(body: &[u8]) -> Self {
        let pairs = body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let split = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            let (name, value) = pair.split_at(split);
            (decode(name), decode(value.get(1..).unwrap_or_default()))
        });
        Self { pairs: pairs.collect() }
    }

    /// Appends a field.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.pairs.push((name.into(), value.into()));
    }

    /// The same with one more field.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.push(name, value);
        self
    }

    /// The first value of `name`, blank or not.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(key, _value)| *key == name).map(|(_key, value)| value)
    }

    /// All values of `name` in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.iter().filter(move |(key, _value)| *key == name).map(|(_key, value)| value)
    }

    /// All fields in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The body that [`Form::parse`] reads back to the same form.
    pub fn encode(&self) -> String {
        let mut body = String::new();
        for (name, value) in &self.pairs {
            if !body.is_empty() {
                body.push('&');
            }
            encode_onto(name, &mut body);
            body.push('=');
            encode_onto(value, &mut body);
        }
        body
    }
}

/// Names only: values are phone numbers and other personal data.
impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.pairs.iter().map(|(name, _value)| name);
        f.write_str("Form ")?;
        f.debug_list().entries(names).finish()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Form {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let pairs = pairs.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self { pairs: pairs.collect() }
    }
}

fn decode(mut text: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    while let Some((first, rest)) = text.split_first() {
        text = rest;
        bytes.push(match first {
            b'+' => b' ',
            b'%' => match rest.split_first_chunk::<2>().and_then(|(two, _rest)| hex_pair(*two)) {
                Some(byte) => {
                    text = rest.get(2..).unwrap_or_default();
                    byte
                }
                None => b'%',
            },
            byte => *byte,
        });
    }
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn hex_pair([high, low]: [u8; 2]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

fn encode_onto(text: &str, body: &mut String) {
    for byte in text.bytes() {
        match byte {
            b' ' => body.push('+'),
            b'*' | b'-' | b'.' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                body.push(char::from(byte));
            }
            // Writing to a string cannot fail.
            _ => _ = write!(body, "%{byte:02X}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_captured_callback_is_read() {
        let form = Form::parse(
            b"Called=%2B5511&Timestamp=Sun%2C+25+Mar+2018+09%3A53%3A19+%2B0000&ToZip=&Duration=1",
        );
        assert_eq!(form.get("Called"), Some("+5511"));
        assert_eq!(form.get("Timestamp"), Some("Sun, 25 Mar 2018 09:53:19 +0000"));
        assert_eq!((form.get("ToZip"), form.get("FromZip")), (Some(""), None));
        assert_eq!(form.iter().count(), 4);
    }

    #[test]
    fn what_is_no_code_stands_for_itself() {
        let form = Form::parse(b"&a&b=1=2&&c=%zz%4&=x&d=%ff&b=3&e=%");
        let pairs: Vec<_> = form.iter().collect();
        let expected = [
            ("a", ""),
            ("b", "1=2"),
            ("c", "%zz%4"),
            ("", "x"),
            ("d", "\u{FFFD}"),
            ("b", "3"),
            ("e", "%"),
        ];
        assert_eq!(pairs, expected);
        assert_eq!(form.all("b").collect::<Vec<_>>(), ["1=2", "3"]);
        assert_eq!(Form::parse(b""), Form::default());
    }

    #[test]
    fn values_are_not_printed() {
        let form = Form::default().with("From", "+15551234567");
        assert_eq!(format!("{form:?}"), r#"Form ["From"]"#);
    }

    proptest! {
        #[test]
        fn encoding_is_read_back(pairs in prop::collection::vec(("\\PC{1,9}", "\\PC{0,9}"), 0..6)) {
            let form: Form = pairs.into_iter().collect();
            prop_assert_eq!(Form::parse(form.encode().as_bytes()), form);
        }
    }
}
