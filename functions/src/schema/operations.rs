//! What each operation takes and answers. A route without its line here does not compile.

use nexus_core::agent::AgentSettings;
use nexus_core::journal::EpochEntry;
use nexus_core::transcript::Transcript;
use nexus_core::voice_link;
use schemars::JsonSchema;
use serde_json::{Value as Json, json};

use super::types::Types;
use crate::agents::{AgentVersionView, AgentView};
use crate::auth::{
    LoggedIn, LoginRequest, RefreshRequest, RegisterRequest, Registered, Tokens, Who,
};
use crate::calls::{CallView, CreateCall, CreatedCall};
use crate::error::Kind;
use crate::health::Health;
use crate::orgs::{OrgPatch, OrgView};
use crate::page::List;
use crate::route::Operation;
use crate::telephony::numbers::{CreatePhoneNumber, PhoneNumberView};

/// One operation, as the document tells it.
pub(super) struct Shape {
    pub tag: &'static str,
    pub request: Option<Json>,
    /// Status and response object of success.
    pub answer: (u16, Json),
    pub parameters: Vec<Json>,
    /// Other answers that are no errors, or errors of a shape of their own.
    pub also: Vec<(u16, Json)>,
    /// What the handler refuses, beside what any route of its kind refuses.
    pub errors: Vec<Kind>,
}

impl Shape {
    fn new(tag: &'static str, answer: (u16, Json)) -> Self {
        let (parameters, also, errors) = (Vec::new(), Vec::new(), Vec::new());
        Self { tag, request: None, answer, parameters, also, errors }
    }

    fn takes(mut self, schema: Json) -> Self {
        self.request = Some(schema);
        self
    }

    fn with(mut self, parameters: impl IntoIterator<Item = Json>) -> Self {
        self.parameters.extend(parameters);
        self
    }

    fn or(mut self, answer: (u16, Json)) -> Self {
        self.also.push(answer);
        self
    }

    fn refuses(mut self, errors: impl IntoIterator<Item = Kind>) -> Self {
        self.errors.extend(errors);
        self
    }
}

fn content(status: u16, description: &str, media: &str, schema: &Json) -> (u16, Json) {
    (status, json!({"description": description, "content": {media: {"schema": schema}}}))
}

fn answers<T: JsonSchema>(types: &mut Types, status: u16) -> (u16, Json) {
    let description = if status == 201 { "Created." } else { "Done." };
    content(status, description, "application/json", &types.written::<T>())
}

fn nothing() -> (u16, Json) {
    (204, json!({"description": "Done; nothing to say."}))
}

fn parameter(place: &str, name: &str, schema: &Json, description: &str) -> Json {
    json!({"name": name, "in": place, "schema": schema, "description": description})
}

fn paging() -> [Json; 2] {
    let limit = json!({"type": "integer", "minimum": 1, "maximum": 100, "default": 20});
    [
        parameter("query", "limit", &limit, "How many."),
        parameter("query", "cursor", &json!({"type": "string"}), "The last page's `next_cursor`."),
    ]
}

fn idempotency() -> Json {
    let schema = json!({"type": "string", "maxLength": 255});
    let description = "A repeat with the same key within 24 h answers what the first one made.";
    parameter("header", "Idempotency-Key", &schema, description)
}

fn required(mut parameter: Json) -> Json {
    if let Some(members) = parameter.as_object_mut() {
        members.insert("required".to_owned(), json!(true));
    }
    parameter
}

fn body_hash() -> Json {
    let schema = json!({"type": "string", "pattern": "^[0-9a-f]{64}$"});
    required(parameter("header", "x-content-sha256", &schema, "SHA-256 of the body, in hex."))
}

fn bytes() -> Json {
    json!({"type": "string", "format": "binary"})
}

/// Where a voice server's call is, and that it is signed with the body's hash.
fn from_voice_server<Q: JsonSchema, A: JsonSchema>(types: &mut Types) -> Shape {
    Shape::new("Voice servers", answers::<A>(types, 200))
        .takes(types.read::<Q>())
        .with([body_hash()])
}

/// A form of Twilio's with these fields and any others.
fn from_twilio(fields: &[&str], answer: (u16, Json)) -> Shape {
    let properties: serde_json::Map<_, _> =
        fields.iter().map(|name| ((*name).to_owned(), json!({"type": "string"}))).collect();
    let form = json!({"type": "object", "required": fields, "properties": properties});
    Shape::new("Twilio", answer).takes(form)
}

fn twiml() -> (u16, Json) {
    content(200, "What to do with the line (TwiML).", "text/xml", &json!({"type": "string"}))
}

fn cell_of_line() -> Json {
    let cell = json!({"type": "string", "enum": ["us", "eu"]});
    parameter("query", "cell", &cell, "The call's cell.")
}

/// The query of the address that an earlier document has given.
fn line() -> [Json; 2] {
    let number = json!({"type": "integer", "minimum": 1});
    let number = parameter("query", "try", &number, "How often the line has been connected.");
    [required(cell_of_line()), required(number)]
}

fn recording() -> Shape {
    let source = json!({"type": "string", "enum": ["client"]});
    let text = json!({"type": "string"});
    Shape::new("Calls", content(200, "The WAV.", "audio/wav", &bytes()))
        .or(content(206, "The part that was asked for.", "audio/wav", &bytes()))
        .or((304, json!({"description": "It is still the one you have."})))
        .with([
            parameter("query", "source", &source, "The browser's own recording instead."),
            parameter("header", "Range", &text, "One range of bytes."),
            parameter("header", "If-Range", &text, "The range counts for this ETag alone."),
            parameter("header", "If-None-Match", &text, "304 if the recording is still this."),
        ])
        .refuses([Kind::RangeNotSatisfiable])
}

fn client_recording() -> Shape {
    let source = json!({"type": "string", "enum": ["client"]});
    Shape::new("Calls", nothing())
        .takes(bytes())
        .with([required(parameter("query", "source", &source, "Always `client`.")), body_hash()])
        .refuses([Kind::BadRequest, Kind::UnsupportedMediaType])
        .refuses([Kind::HashMismatch, Kind::Conflict])
}

fn segment(types: &mut Types) -> Shape {
    let start = json!({"type": "integer", "minimum": 0});
    let start = parameter("query", "start_ms", &start, "Where it begins on the call's clock.");
    Shape::new("Voice servers", answers::<voice_link::SegmentAnswer>(types, 200))
        .takes(bytes())
        .with([required(start), body_hash()])
        .refuses([Kind::BadRequest, Kind::Conflict, Kind::Sealed])
}

/// What `operation` takes and answers.
#[expect(clippy::too_many_lines, reason = "one arm per operation")]
pub(super) fn shape(operation: Operation, types: &mut Types) -> Shape {
    match operation {
        Operation::Health => {
            let deep = json!({"type": "integer", "enum": [1]});
            let failing = "With `deep=1`: something that calls need fails.";
            let failing = content(503, failing, "application/json", &types.written::<Health>());
            Shape::new("Service", answers::<Health>(types, 200)).or(failing).with([parameter(
                "query",
                "deep",
                &deep,
                "Ask the stores too.",
            )])
        }
        Operation::OpenApi => {
            let any = json!({"type": "object"});
            Shape::new("Service", content(200, "The document.", "application/json", &any))
        }
        Operation::Docs => {
            let text = json!({"type": "string"});
            Shape::new("Service", content(200, "The page.", "text/html", &text))
        }
        Operation::Register => Shape::new("Accounts", answers::<Registered>(types, 201))
            .takes(types.read::<RegisterRequest>())
            .refuses([Kind::InvalidField, Kind::WrongCell]),
        Operation::Login => Shape::new("Accounts", answers::<LoggedIn>(types, 200))
            .takes(types.read::<LoginRequest>())
            .refuses([Kind::InvalidCredentials, Kind::InvalidField, Kind::WrongCell]),
        Operation::Refresh => Shape::new("Accounts", answers::<Tokens>(types, 200))
            .takes(types.read::<RefreshRequest>())
            .refuses([Kind::InvalidCredentials, Kind::WrongCell]),
        Operation::Logout => Shape::new("Accounts", nothing())
            .takes(types.read::<RefreshRequest>())
            .refuses([Kind::WrongCell]),
        Operation::Me => Shape::new("Accounts", answers::<Who>(types, 200)),
        Operation::GetOrg => Shape::new("Organisation", answers::<OrgView>(types, 200)),
        Operation::PatchOrg => Shape::new("Organisation", answers::<OrgView>(types, 200))
            .takes(types.read::<OrgPatch>())
            .refuses([Kind::InvalidField]),
        Operation::ListAgents => Shape::new("Agents", answers::<List<AgentView>>(types, 200))
            .with(paging())
            .refuses([Kind::BadRequest]),
        Operation::CreateAgent => Shape::new("Agents", answers::<AgentView>(types, 201))
            .takes(types.read::<AgentSettings>())
            .with([idempotency()])
            .refuses([Kind::BadRequest, Kind::IdempotencyMismatch])
            .refuses([Kind::InvalidField, Kind::NotSupportedYet]),
        Operation::GetAgent => Shape::new("Agents", answers::<AgentView>(types, 200)),
        Operation::PatchAgent => Shape::new("Agents", answers::<AgentView>(types, 200))
            .takes(types.patch::<AgentSettings>(
                "AgentPatch",
                "A JSON merge patch (RFC 7396) of an agent's settings: members that are absent \
                 stay, null brings the default back.",
            ))
            .refuses([Kind::InvalidField, Kind::NotSupportedYet, Kind::Conflict]),
        Operation::DeleteAgent => Shape::new("Agents", nothing()),
        Operation::ListAgentVersions => {
            Shape::new("Agents", answers::<List<AgentVersionView>>(types, 200))
                .with(paging())
                .refuses([Kind::BadRequest])
        }
        Operation::ListCalls => Shape::new("Calls", answers::<List<CallView>>(types, 200))
            .with(paging())
            .refuses([Kind::BadRequest]),
        Operation::CreateCall => Shape::new("Calls", answers::<CreatedCall>(types, 201))
            .takes(types.read::<CreateCall>())
            .with([idempotency()])
            .refuses([Kind::BadRequest, Kind::IdempotencyMismatch])
            .refuses([Kind::InvalidField, Kind::NotSupportedYet]),
        Operation::ResumeCall => {
            Shape::new("Calls", answers::<CreatedCall>(types, 200)).refuses([Kind::Conflict])
        }
        Operation::GetCall | Operation::EndCall => {
            Shape::new("Calls", answers::<CallView>(types, 200))
        }
        Operation::GetTranscript => Shape::new("Calls", answers::<Transcript>(types, 200)),
        Operation::ListCallEvents => Shape::new("Calls", answers::<List<EpochEntry>>(types, 200))
            .with(paging())
            .refuses([Kind::BadRequest]),
        Operation::GetRecording => recording(),
        Operation::PutClientRecording => client_recording(),
        Operation::ListPhoneNumbers => {
            Shape::new("Phone numbers", answers::<List<PhoneNumberView>>(types, 200))
                .with(paging())
                .refuses([Kind::BadRequest])
        }
        Operation::CreatePhoneNumber => {
            Shape::new("Phone numbers", answers::<PhoneNumberView>(types, 201))
                .takes(types.read::<CreatePhoneNumber>())
                .with([idempotency()])
                .refuses([Kind::BadRequest, Kind::IdempotencyMismatch])
                .refuses([Kind::InvalidField, Kind::Conflict])
        }
        Operation::GetPhoneNumber => {
            Shape::new("Phone numbers", answers::<PhoneNumberView>(types, 200))
        }
        Operation::DeletePhoneNumber => Shape::new("Phone numbers", nothing()),
        Operation::TwilioVoice => from_twilio(&["CallSid", "To"], twiml()),
        Operation::TwilioResume => from_twilio(&["CallSid"], twiml()).with(line()),
        Operation::TwilioStatus => {
            from_twilio(&["CallSid", "CallStatus"], nothing()).with([cell_of_line()])
        }
        Operation::ClaimCall => {
            from_voice_server::<voice_link::ClaimRequest, voice_link::ClaimAnswer>(types)
                .refuses([Kind::Claimed])
        }
        Operation::AppendJournal => {
            from_voice_server::<voice_link::JournalRequest, voice_link::JournalAnswer>(types)
                .refuses([Kind::InvalidField, Kind::Sealed])
        }
        Operation::PutSegment => segment(types),
        Operation::ReportCall => {
            from_voice_server::<voice_link::ReportRequest, voice_link::ReportAnswer>(types)
        }
        Operation::Heartbeat => {
            from_voice_server::<voice_link::HeartbeatRequest, voice_link::HeartbeatAnswer>(types)
        }
    }
}
