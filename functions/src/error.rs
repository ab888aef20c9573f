//! The one shape of every error: `application/problem+json` (RFC 9457) with a stable `code` and the
//! request's id. Causes stay inside; they are logged, never sent.

use http::StatusCode;
use nexus_core::agent::{FaultKind, SettingsFault};
use serde_json::{Map, Value as Json, json};

use crate::port::{BodyError, ObjectError, SqlError};

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = ($code:literal, $status:literal, $title:literal);)*) => {
        /// All that can be wrong, as clients see it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind { $($(#[$doc])* $name,)* }

        impl Kind {
            /// Every kind, for the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable name.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The HTTP status.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// In a few words.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

kinds! {
    /// A header, query or path value is malformed.
    BadRequest = ("bad_request", 400, "The request is malformed");
    /// The body is not JSON, or not of the shape; `field` says where.
    MalformedJson = ("malformed_json", 400, "The body is not the JSON this route takes");
    /// A value breaks a rule; `field` says which.
    InvalidField = ("invalid_field", 422, "A field has a value that is not allowed");
    /// A field of the contract that is not built yet.
    NotSupportedYet = ("not_supported_yet", 422, "This field is not supported yet");
    /// No valid access token.
    InvalidToken = ("invalid_token", 401, "The access token is missing, wrong or expired");
    /// Wrong address or password, or an unknown refresh token.
    InvalidCredentials = ("invalid_credentials", 401, "The credentials are wrong");
    /// An internal request without a valid signature.
    InvalidSignature = ("invalid_signature", 401, "The signature is missing or wrong");
    /// An internal request signed too long ago or in the future; `now` is the edge's time.
    ClockSkew = ("clock_skew", 401, "The request's time is too far off");
    /// A webhook that is not signed with our account's key.
    ForgedWebhook = ("forged_webhook", 403, "The webhook's signature is wrong");
    /// The role does not allow it.
    Forbidden = ("forbidden", 403, "Your role does not allow this");
    /// Nothing there, or nothing that the caller may know of.
    NotFound = ("not_found", 404, "There is nothing here");
    /// The path exists, the method does not.
    MethodNotAllowed = ("method_not_allowed", 405, "This path does not take this method");
    /// Somebody else holds the call, or it has ended.
    Claimed = ("claimed", 409, "The call is claimed by somebody else or over");
    /// The resource is not in a state that allows it.
    Conflict = ("conflict", 409, "This is not possible now");
    /// An idempotency key came again with another body.
    IdempotencyMismatch = ("idempotency_mismatch", 422, "This key was used for another request");
    /// The call is sealed: nothing more is taken.
    Sealed = ("sealed", 410, "The call is sealed");
    /// A body without a length.
    LengthRequired = ("length_required", 411, "The body needs a Content-Length");
    /// The body is too long.
    PayloadTooLarge = ("payload_too_large", 413, "The body is too large");
    /// Another content type than the route takes.
    UnsupportedMediaType = ("unsupported_media_type", 415, "This content type is not taken here");
    /// The range lies outside of the recording.
    RangeNotSatisfiable = ("range_not_satisfiable", 416, "The range lies outside");
    /// The organisation lives in another cell; `address` is where.
    WrongCell = ("wrong_cell", 421, "This belongs to another cell");
    /// The bytes are not those that were promised.
    HashMismatch = ("hash_mismatch", 422, "The body does not have the promised hash");
    /// Something of ours failed.
    Internal = ("internal", 500, "Something failed on our side");
    /// A store could not be reached.
    Unavailable = ("unavailable", 503, "Try again shortly");
}

/// An error on its way to the client.
#[derive(Debug)]
pub struct Problem {
    /// What kind.
    pub kind: Kind,
    /// For a person, about this request; never an inner message.
    pub detail: String,
    /// Members beside the standard ones.
    pub members: Map<String, Json>,
    /// Response headers that the kind asks for.
    pub headers: Vec<(&'static str, String)>,
    /// For the log alone.
    pub cause: Option<String>,
}

impl Problem {
    /// A problem with a sentence for the client.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { kind, detail, members: Map::new(), headers: Vec::new(), cause: None }
    }

    /// A value that breaks a rule.
    pub fn invalid(field: &str, rule: impl Into<String>) -> Self {
        Self::new(Kind::InvalidField, rule).with("field", json!(field))
    }

    /// Nothing there.
    pub fn not_found() -> Self {
        Self::new(Kind::NotFound, Kind::NotFound.title())
    }

    /// Something that should not happen.
    pub fn internal(cause: impl Into<String>) -> Self {
        let mut problem = Self::new(Kind::Internal, Kind::Internal.title());
        problem.cause = Some(cause.into());
        problem
    }

    /// Adds a member.
    #[must_use]
    pub fn with(mut self, name: &str, value: Json) -> Self {
        self.members.insert(name.to_owned(), value);
        self
    }

    /// Adds a response header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The status as `http` knows it.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The body.
    pub fn body(&self, request_id: &str) -> Vec<u8> {
        let mut body = self.members.clone();
        let code = self.kind.code();
        body.insert("type".to_owned(), json!(format!("urn:nexus:problem:{code}")));
        body.insert("title".to_owned(), json!(self.kind.title()));
        body.insert("status".to_owned(), json!(self.kind.status()));
        body.insert("detail".to_owned(), json!(self.detail));
        body.insert("code".to_owned(), json!(code));
        body.insert("request_id".to_owned(), json!(request_id));
        serde_json::to_vec(&body).unwrap_or_default()
    }
}

impl From<SqlError> for Problem {
    fn from(error: SqlError) -> Self {
        let kind = match error {
            SqlError::Conflict => Kind::Conflict,
            SqlError::Unavailable(_) => Kind::Unavailable,
            SqlError::Malformed(_) => Kind::Internal,
        };
        let mut problem = Self::new(kind, kind.title());
        problem.cause = Some(error.to_string());
        problem
    }
}

impl From<ObjectError> for Problem {
    fn from(error: ObjectError) -> Self {
        let kind = match error {
            ObjectError::HashMismatch => Kind::HashMismatch,
            ObjectError::Missing => Kind::NotFound,
            ObjectError::Unavailable(_) => Kind::Unavailable,
        };
        let mut problem = Self::new(kind, kind.title());
        problem.cause = Some(error.to_string());
        problem
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge => Self::new(Kind::PayloadTooLarge, "the body is too large"),
            BodyError::Broken => Self::new(Kind::BadRequest, "the body broke off"),
        }
    }
}

impl From<SettingsFault> for Problem {
    fn from(fault: SettingsFault) -> Self {
        match fault.kind {
            FaultKind::Invalid(rule) => Self::invalid(fault.field, rule),
            FaultKind::NotSupportedYet => {
                Self::new(Kind::NotSupportedYet, "this field is not supported yet")
                    .with("field", json!(fault.field))
            }
        }
    }
}
