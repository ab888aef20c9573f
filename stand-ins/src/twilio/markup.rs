//! TwiML documents, read as strictly as Twilio does: what is no XML ends the call (12100), what is
//! XML but no TwiML is passed over with a warning (12200).

use std::str::FromStr;

use roxmltree::Node;
use thiserror::Error;

use super::webhook::Method;

mod verbs;

/// Why a document cannot be carried out: Twilio's error 12100.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("no TwiML document: {0}")]
pub struct MarkupError(String);

/// A document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Markup {
    /// What to do, in order.
    pub verbs: Vec<Verb>,
    /// Why parts of it are passed over (warning 12200).
    pub warnings: Vec<String>,
}

/// One verb.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `<Connect><Stream>`: audio both ways until the server closes.
    Connect {
        /// Where to.
        stream: Stream,
        /// Requested afterwards, in the place of the next verb.
        action: Option<Target>,
    },
    /// `<Dial>`.
    Dial(Dial),
    /// `<Hangup>`.
    Hangup,
    /// `<Pause>`.
    Pause {
        /// How long.
        seconds: u32,
    },
    /// `<Play>`.
    Play {
        /// A WAV file; empty with digits.
        url: String,
        /// Keys to press, with `w` for half a second.
        digits: Option<String>,
    },
    /// `<Redirect>`.
    Redirect(Target),
    /// `<Reject>`.
    Reject {
        /// Whether the caller hears a busy signal.
        busy: bool,
    },
    /// `<Say>`.
    Say {
        /// What.
        text: String,
    },
}

/// Where the next document comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Absolute, or relative to the document.
    pub url: String,
    /// How to ask.
    pub method: Method,
}

/// `<Stream>` in `<Connect>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stream {
    /// As written.
    pub url: String,
    /// For the status callback.
    pub name: Option<String>,
    /// Names and values of its `<Parameter>`s.
    pub parameters: Vec<(String, String)>,
    /// Told of start, end and errors.
    pub status_callback: Option<Target>,
}

/// `<Dial>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dial {
    /// Whom to call, at the same time.
    pub numbers: Vec<String>,
    /// Shown to them.
    pub caller_id: Option<String>,
    /// Requested afterwards, in the place of the next verb.
    pub action: Option<Target>,
    /// How long it may ring, in seconds.
    pub timeout_seconds: u32,
}

/// Ring time of a `<Dial>` without `timeout`, in seconds.
const DIAL_TIMEOUT_SECONDS: u32 = 30;
/// A parameter's name and value together have fewer characters than this.
const PARAMETER_CHARS_END: usize = 500;

impl FromStr for Markup {
    type Err = MarkupError;

    fn from_str(xml: &str) -> Result<Self, MarkupError> {
        let document =
            roxmltree::Document::parse(xml).map_err(|error| MarkupError(error.to_string()))?;
        let root = document.root_element();
        if root.tag_name().name() != "Response" {
            return Err(MarkupError("the root element is not Response".to_owned()));
        }
        let mut reader = verbs::Reader::default();
        reader.attributes(root, &[]);
        let verbs = reader.elements(root).into_iter().filter_map(|element| reader.verb(element));
        let verbs = verbs.collect();
        Ok(Self { verbs, warnings: reader.into_warnings() })
    }
}

/// A text without the white space that pretty printing puts around it.
fn text_of(element: Node<'_, '_>) -> String {
    let texts = element.children().filter(Node::is_text).filter_map(|node| node.text());
    texts.collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests;
