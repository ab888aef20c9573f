//! TwiML: the XML documents that tell Twilio what to do with a call.
//!
//! A document is built from typed verbs and is well-formed by construction: every text is escaped,
//! what XML 1.0 cannot carry becomes U+FFFD, and what Twilio would refuse at run time (a stream URL
//! with a query, a parameter that is too long) cannot be built.

use std::fmt::{self, Write as _};

/// Media type of a document.
pub const CONTENT_TYPE: &str = "text/xml";
/// A stream parameter's name and value together have fewer characters than this.
pub const PARAMETER_CHARS_END: usize = 500;

/// Why a verb cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TwimlError {
    /// A stream goes to `wss://`, or to `ws://` on a loopback address.
    #[error("a stream's URL must be wss")]
    Scheme,
    /// Twilio answers a query in a stream's URL with error 31920; parameters carry data.
    #[error("a stream's URL must have an explicit path and no query")]
    Path,
    /// See [`PARAMETER_CHARS_END`].
    #[error("a stream parameter is too long")]
    ParameterLength,
}

/// `<Stream>`: where a call's audio goes, both ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    url: String,
    parameters: Vec<Parameter>,
}

/// `<Parameter>`; the value may be a ticket and is not printed.
#[derive(Clone, PartialEq, Eq)]
struct Parameter {
    name: String,
    value: String,
}

impl fmt::Debug for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Parameter({:?})", self.name)
    }
}

impl Stream {
    /// A stream to `url`, which is signed on the handshake exactly as given here.
    pub fn new(url: impl Into<String>) -> Result<Self, TwimlError> {
        let url = url.into();
        let (scheme, rest) = url.split_once("://").ok_or(TwimlError::Scheme)?;
        let (authority, path) = rest.split_once('/').ok_or(TwimlError::Path)?;
        if !(scheme == "wss" || scheme == "ws" && is_loopback(authority)) {
            return Err(TwimlError::Scheme);
        }
        if authority.is_empty() || authority.contains(['?', '#']) || path.contains(['?', '#']) {
            return Err(TwimlError::Path);
        }
        Ok(Self { url, parameters: Vec::new() })
    }

    /// The same with a parameter, which arrives in the stream's `start` message.
    pub fn with_parameter(
        mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, TwimlError> {
        let parameter = Parameter { name: name.into(), value: value.into() };
        let chars = parameter.name.chars().count() + parameter.value.chars().count();
        if chars >= PARAMETER_CHARS_END {
            return Err(TwimlError::ParameterLength);
        }
        self.parameters.push(parameter);
        Ok(self)
    }
}

/// Whether host and port name this machine.
fn is_loopback(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next(),
        None => authority.split(':').next(),
    };
    let address = |host: &str| host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    host.is_some_and(|host| host == "localhost" || address(host))
}

/// Why a call is refused without being answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectReason {
    /// The caller hears that the number is not in service.
    Rejected,
    /// The caller hears a busy signal.
    Busy,
}

impl RejectReason {
    /// The attribute's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Busy => "busy",
        }
    }
}

/// A document under way: verbs in the order in which Twilio carries them out. It is finished by
/// what comes last, since nothing behind a `<Hangup>` or `<Redirect>` is ever reached.
#[derive(Clone)]
#[must_use = "a document has to be finished"]
pub struct Verbs {
    xml: String,
}

/// A finished document.
#[derive(Clone, PartialEq, Eq)]
pub struct Twiml(String);

/// Its length: a document may carry a ticket.
impl fmt::Debug for Verbs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verbs({} bytes)", self.xml.len())
    }
}

impl Default for Verbs {
    fn default() -> Self {
        Self::new()
    }
}

impl Verbs {
    /// No verb yet.
    pub fn new() -> Self {
        Self { xml: r#"<?xml version="1.0" encoding="UTF-8"?><Response>"#.to_owned() }
    }

    /// Silence. As the first verb of an unanswered call it also delays the answer.
    pub fn pause(mut self, seconds: u32) -> Self {
        self.element("Pause", &[("length", &seconds.to_string())]);
        self
    }

    /// Twilio's own voice says `text`; `language` is a BCP 47 tag.
    pub fn say(mut self, text: &str, language: &str) -> Self {
        self.open("Say", &[("language", language)]);
        escape(text, Place::Content, &mut self.xml);
        self.xml.push_str("</Say>");
        self
    }

    /// Audio both ways over a WebSocket, until the server closes it.
    pub fn connect(mut self, stream: &Stream) -> Self {
        self.open("Connect", &[]);
        self.open("Stream", &[("url", &stream.url)]);
        for Parameter { name, value } in &stream.parameters {
            self.element("Parameter", &[("name", name), ("value", value)]);
        }
        self.xml.push_str("</Stream></Connect>");
        self
    }

    /// The next document comes from `url` (POST).
    pub fn redirect(mut self, url: &str) -> Twiml {
        self.open("Redirect", &[("method", "POST")]);
        escape(url, Place::Content, &mut self.xml);
        self.xml.push_str("</Redirect>");
        self.finish()
    }

    /// The call ends.
    pub fn hang_up(mut self) -> Twiml {
        self.element("Hangup", &[]);
        self.finish()
    }

    /// Nothing more: the call ends after the last verb.
    pub fn finish(mut self) -> Twiml {
        self.xml.push_str("</Response>");
        Twiml(self.xml)
    }

    fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.tag(name, attributes);
        self.xml.push('>');
    }

    fn element(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.tag(name, attributes);
        self.xml.push_str("/>");
    }

    fn tag(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.xml.push('<');
        self.xml.push_str(name);
        for (attribute, value) in attributes {
            // Writing to a string cannot fail.
            _ = write!(self.xml, " {attribute}=\"");
            escape(value, Place::Attribute, &mut self.xml);
            self.xml.push('"');
        }
    }
}

impl Twiml {
    /// Refuses a call without answering it (and without a charge).
    pub fn reject(reason: RejectReason) -> Self {
        // Only as the first verb is it free, so it is a document of its own.
        let mut verbs = Verbs::new();
        verbs.element("Reject", &[("reason", reason.as_str())]);
        verbs.finish()
    }

    /// The XML, to be sent as [`CONTENT_TYPE`].
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The XML, to be sent as [`CONTENT_TYPE`].
    pub fn into_string(self) -> String {
        self.0
    }
}

/// Its length: a document may carry a ticket.
impl fmt::Debug for Twiml {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Twiml({} bytes)", self.0.len())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Content,
    Attribute,
}

/// Appends `text` escaped. In attributes line breaks are codes, because a parser turns them into
/// spaces (XML 1.0 §3.3.3); a carriage return is one everywhere (§2.11).
fn escape(text: &str, place: Place, xml: &mut String) {
    for ch in text.chars() {
        match ch {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\'' => xml.push_str("&apos;"),
            '\r' => xml.push_str("&#13;"),
            '\n' if place == Place::Attribute => xml.push_str("&#10;"),
            '\t' if place == Place::Attribute => xml.push_str("&#9;"),
            '\t' | '\n' | ' '..='\u{FFFD}' | '\u{10000}'.. => xml.push(ch),
            // XML 1.0 §2.2 has no way to write these.
            _ => xml.push('\u{FFFD}'),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8"?><Response>"#;

    fn body(twiml: &Twiml) -> &str {
        twiml.as_str().strip_prefix(HEAD).unwrap().strip_suffix("</Response>").unwrap()
    }

    #[test]
    fn a_call_is_connected_and_redirected() {
        let stream = Stream::new("wss://voice.example.com/v1/twilio").unwrap();
        let stream = stream.with_parameter("ticket", "a.b-c_d").unwrap();
        let twiml = Verbs::new()
            .pause(1)
            .connect(&stream)
            .redirect("https://e.example.com/twilio/resume/call_1?try=2&x=1");
        assert_eq!(
            body(&twiml),
            "<Pause length=\"1\"/><Connect><Stream url=\"wss://voice.example.com/v1/twilio\">\
             <Parameter name=\"ticket\" value=\"a.b-c_d\"/></Stream></Connect>\
             <Redirect method=\"POST\">\
             https://e.example.com/twilio/resume/call_1?try=2&amp;x=1</Redirect>"
        );
    }

    #[test]
    fn a_call_is_refused_ended_or_told() {
        let busy = Twiml::reject(RejectReason::Busy);
        assert_eq!(body(&busy), r#"<Reject reason="busy"/>"#);
        let rejected = Twiml::reject(RejectReason::Rejected);
        assert_eq!(body(&rejected), r#"<Reject reason="rejected"/>"#);
        assert_eq!(body(&Verbs::new().hang_up()), "<Hangup/>");
        let said = Verbs::new().say("Fish & <chips>", "en-GB").finish();
        assert_eq!(body(&said), r#"<Say language="en-GB">Fish &amp; &lt;chips&gt;</Say>"#);
    }

    #[test]
    fn nothing_breaks_out_of_its_place() {
        let evil = "\"/><Hangup/>'&amp;\u{0}\u{8}\u{FFFE}\r\n\t😀";
        let stream = Stream::new("wss://h/p").unwrap().with_parameter("a\"b", evil).unwrap();
        let twiml = Verbs::new().say(evil, evil).connect(&stream).hang_up();
        let attribute = "&quot;/&gt;&lt;Hangup/&gt;&apos;&amp;amp;\u{FFFD}\u{FFFD}\u{FFFD}\
                         &#13;&#10;&#9;😀";
        let content = attribute.replace("&#10;&#9;", "\n\t");
        assert_eq!(
            body(&twiml),
            format!(
                "<Say language=\"{attribute}\">{content}</Say><Connect><Stream url=\"wss://h/p\">\
                 <Parameter name=\"a&quot;b\" value=\"{attribute}\"/></Stream></Connect><Hangup/>"
            )
        );
    }

    #[test]
    fn what_twilio_would_refuse_cannot_be_built() {
        for url in ["wss://h/p", "ws://127.0.0.1:8080/p", "ws://localhost/p", "ws://[::1]:1/p"] {
            assert!(Stream::new(url).is_ok(), "{url}");
        }
        for url in ["ws://example.com/p", "https://h/p", "h/p", "ws://127.0.0.1.evil.com/p"] {
            assert_eq!(Stream::new(url), Err(TwimlError::Scheme), "{url}");
        }
        for url in ["wss://h", "wss:///p", "wss://h/p?a=1", "wss://h?a=/p", "wss://h/p#a"] {
            assert_eq!(Stream::new(url), Err(TwimlError::Path), "{url}");
        }
        let stream = Stream::new("wss://h/p").unwrap();
        assert!(stream.clone().with_parameter("ticket", "é".repeat(493)).is_ok());
        let long = stream.with_parameter("ticket", "x".repeat(494));
        assert_eq!(long, Err(TwimlError::ParameterLength));
    }

    #[test]
    fn tickets_are_not_printed() {
        let stream = Stream::new("wss://h/p").unwrap().with_parameter("t", "secret").unwrap();
        let verbs = Verbs::new().connect(&stream);
        let printed = format!("{stream:?}{verbs:?}{:?}", verbs.clone().hang_up());
        assert!(!printed.contains("secret"), "{printed}");
    }
}
