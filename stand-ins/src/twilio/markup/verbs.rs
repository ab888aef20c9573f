//! Elements to verbs, with a warning for everything that the schema does not know.

use roxmltree::Node;

use super::{DIAL_TIMEOUT_SECONDS, Dial, PARAMETER_CHARS_END, Stream, Target, Verb, text_of};
use crate::twilio::webhook::Method;

const DIAL_ATTRIBUTES: &[&str] = &[
    "action",
    "answerOnBridge",
    "callerId",
    "hangupOnStar",
    "method",
    "record",
    "recordingStatusCallback",
    "recordingStatusCallbackEvent",
    "recordingStatusCallbackMethod",
    "referUrl",
    "ringTone",
    "sequential",
    "timeLimit",
    "timeout",
    "trim",
];
const NUMBER_ATTRIBUTES: &[&str] = &[
    "method",
    "sendDigits",
    "statusCallback",
    "statusCallbackEvent",
    "statusCallbackMethod",
    "url",
];
const STREAM_ATTRIBUTES: &[&str] =
    &["name", "statusCallback", "statusCallbackMethod", "track", "url"];

#[derive(Default)]
pub(super) struct Reader {
    warnings: Vec<String>,
}

impl Reader {
    pub(super) fn into_warnings(self) -> Vec<String> {
        self.warnings
    }

    fn warn(&mut self, element: Node<'_, '_>, what: &str) {
        self.warnings.push(format!("<{}>: {what}", element.tag_name().name()));
    }

    /// Warns of attributes that are not `known`.
    pub(super) fn attributes(&mut self, element: Node<'_, '_>, known: &[&str]) {
        for attribute in element.attributes() {
            if !known.contains(&attribute.name()) {
                self.warn(element, &format!("no attribute {}", attribute.name()));
            }
        }
    }

    /// The elements in `parent`; warns of text between them.
    pub(super) fn elements<'a, 'i>(&mut self, parent: Node<'a, 'i>) -> Vec<Node<'a, 'i>> {
        if !text_of(parent).is_empty() {
            self.warn(parent, "text where only elements may stand");
        }
        parent.children().filter(Node::is_element).collect()
    }

    /// The text of an element that may contain nothing else.
    fn text(&mut self, element: Node<'_, '_>) -> String {
        if element.children().any(|child| child.is_element()) {
            self.warn(element, "elements where only text may stand");
        }
        text_of(element)
    }

    pub(super) fn verb(&mut self, element: Node<'_, '_>) -> Option<Verb> {
        match element.tag_name().name() {
            "Connect" => self.connect(element),
            "Dial" => Some(Verb::Dial(self.dial(element))),
            "Hangup" => {
                self.attributes(element, &[]);
                Some(Verb::Hangup)
            }
            "Pause" => {
                self.attributes(element, &["length"]);
                Some(Verb::Pause { seconds: self.number(element, "length", 1) })
            }
            "Play" => {
                self.attributes(element, &["digits", "loop"]);
                let digits = element.attribute("digits").map(str::to_owned);
                let url = self.text(element);
                if url.is_empty() && digits.is_none() {
                    self.warn(element, "neither a URL nor digits");
                    return None;
                }
                Some(Verb::Play { url, digits })
            }
            "Redirect" => {
                self.attributes(element, &["method"]);
                let method = self.method(element, "method");
                let url = self.text(element);
                Some(Verb::Redirect(Target { url, method }))
            }
            "Reject" => {
                self.attributes(element, &["reason"]);
                match element.attribute("reason") {
                    None | Some("rejected") => Some(Verb::Reject { busy: false }),
                    Some("busy") => Some(Verb::Reject { busy: true }),
                    Some(_) => {
                        self.warn(element, "no such reason");
                        Some(Verb::Reject { busy: false })
                    }
                }
            }
            "Say" => {
                self.attributes(element, &["language", "loop", "voice"]);
                Some(Verb::Say { text: self.text(element) })
            }
            _ => {
                self.warn(element, "no such verb");
                None
            }
        }
    }

    fn connect(&mut self, element: Node<'_, '_>) -> Option<Verb> {
        self.attributes(element, &["action", "method"]);
        let action = self.target(element, "action", "method");
        let mut stream = None;
        for child in self.elements(element) {
            if child.tag_name().name() == "Stream" && stream.is_none() {
                stream = Some(self.stream(child));
            } else {
                self.warn(child, "not possible here");
            }
        }
        if stream.is_none() {
            self.warn(element, "nothing to connect to");
        }
        Some(Verb::Connect { stream: stream?, action })
    }

    fn stream(&mut self, element: Node<'_, '_>) -> Stream {
        self.attributes(element, STREAM_ATTRIBUTES);
        if element.has_attribute("track") && element.attribute("track") != Some("inbound_track") {
            self.warn(element, "a stream of both directions has the inbound track alone");
        }
        let mut parameters = Vec::new();
        for child in self.elements(element) {
            if child.tag_name().name() != "Parameter" {
                self.warn(child, "not possible here");
                continue;
            }
            self.attributes(child, &["name", "value"]);
            let (name, value) = (child.attribute("name"), child.attribute("value"));
            let (Some(name), Some(value)) = (name, value) else {
                self.warn(child, "name or value is missing");
                continue;
            };
            if name.chars().count() + value.chars().count() < PARAMETER_CHARS_END {
                parameters.push((name.to_owned(), value.to_owned()));
            } else {
                self.warn(child, "name and value are too long");
            }
        }
        Stream {
            url: element.attribute("url").unwrap_or_default().to_owned(),
            name: element.attribute("name").map(str::to_owned),
            parameters,
            status_callback: self.target(element, "statusCallback", "statusCallbackMethod"),
        }
    }

    fn dial(&mut self, element: Node<'_, '_>) -> Dial {
        self.attributes(element, DIAL_ATTRIBUTES);
        let mut numbers = Vec::new();
        // A number may stand alone or in <Number>.
        let alone = text_of(element);
        if !alone.is_empty() {
            numbers.push(alone);
        }
        for child in element.children().filter(Node::is_element) {
            if matches!(child.tag_name().name(), "Number" | "Sip" | "Client") {
                self.attributes(child, NUMBER_ATTRIBUTES);
                numbers.push(self.text(child));
            } else {
                self.warn(child, "not possible here");
            }
        }
        if numbers.is_empty() {
            self.warn(element, "nobody to call");
        }
        Dial {
            numbers,
            caller_id: element.attribute("callerId").map(str::to_owned),
            action: self.target(element, "action", "method"),
            timeout_seconds: self.number(element, "timeout", DIAL_TIMEOUT_SECONDS),
        }
    }

    fn target(&mut self, element: Node<'_, '_>, url: &str, method: &str) -> Option<Target> {
        let method = self.method(element, method);
        element.attribute(url).map(|url| Target { url: url.to_owned(), method })
    }

    fn method(&mut self, element: Node<'_, '_>, attribute: &str) -> Method {
        let Some(text) = element.attribute(attribute) else { return Method::default() };
        Method::parse(text).unwrap_or_else(|| {
            self.warn(element, &format!("{attribute} is neither GET nor POST"));
            Method::default()
        })
    }

    fn number(&mut self, element: Node<'_, '_>, attribute: &str, default: u32) -> u32 {
        let Some(text) = element.attribute(attribute) else { return default };
        text.parse().unwrap_or_else(|_error| {
            self.warn(element, &format!("{attribute} is no number"));
            default
        })
    }
}
