//! What each operation takes and answers. A route without its line here does not compile.

use nexus_core::agent::AgentSettings;
use nexus_core::journal::EpochEntry;
use nexus_core::transcript::Transcript;
use nexus_core::voice_link;
use schemars::JsonSchema;
use serde_json::{Value as Json, json};

use super::types::Types;
use crate::agents::{AgentVersionView, AgentView};
use crate::auth::{LoggedIn, LoginRequest, RefreshRequest, RegisterRequest, Registered, Tokens, Who};
use crate::calls::{CallView, CreateCall, CreatedCall};
use crate::error::Kind;
use crate::health::Health;
use crate::orgs::{OrgPatch, OrgView};
use crate::page::List;
use crate::route::Operation;

/// One operation, as the document tells it.
pub(super) struct Shape {
    pub tag: &'static str,
    pub request: Option<Json>,
    /// Status and response object of success.
    pub answer: (u16, Json),
    pub parameters: Vec<Json>,
    /// What the handler refuses, beside what any route of its kind refuses.
    pub errors: Vec<Kind>,
}

impl Shape {
    fn new(tag: &'static str, answer: (u16, Json)) -> Self {
        Self { tag, request: None, answer, parameters: Vec::new(), errors: Vec::new() }
    }

    fn takes(mut self, schema: Json) -> Self {
        self.request = Some(schema);
        self
    }

    fn with(mut self, parameters: impl IntoIterator<Item = Json>) -> Self {
        self.parameters.extend(parameters);
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
    parameter["required"] = json!(true);
    parameter
}

fn body_hash() -> Json {
    let schema = json!({"type": "string", "pattern": "^[0-9a-f]{64}$"});
    required(parameter("header", "x-content-sha256", &schema, "SHA-256 of the body, in hex."))
}

fn bytes() -> Json {
    json!({"type": "string", "format": "binary"})
}

/// What `operation` takes and answers.
pub(super) fn shape(operation: Operation, types: &mut Types) -> Shape {
    match operation {
        Operation::Health | Operation::OpenApi | Operation::Docs => service(operation, types),
        Operation::Register
        | Operation::Login
        | Operation::Refresh
        | Operation::Logout
        | Operation::Me => accounts(operation, types),
        Operation::GetOrg => Shape::new("Organisation", answers::<OrgView>(types, 200)),
        Operation::PatchOrg => Shape::new("Organisation", answers::<OrgView>(types, 200))
            .takes(types.read::<OrgPatch>())
            .refuses([Kind::InvalidField]),
        Operation::ListAgents
        | Operation::CreateAgent
        | Operation::GetAgent
        | Operation::PatchAgent
        | Operation::DeleteAgent
        | Operation::ListAgentVersions => agents(operation, types),
        Operation::ListCalls
        | Operation::CreateCall
        | Operation::GetCall
        | Operation::EndCall
        | Operation::GetTranscript
        | Operation::ListCallEvents
        | Operation::GetRecording
        | Operation::PutClientRecording => calls(operation, types),
        Operation::ClaimCall
        | Operation::AppendJournal
        | Operation::PutSegment
        | Operation::ReportCall
        | Operation::Heartbeat => voice_servers(operation, types),
    }
}
