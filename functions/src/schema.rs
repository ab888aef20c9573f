//! The API document (OpenAPI 3.1), made of the route table and of the very types that the handlers
//! read and write. What is served is the committed result; a test here keeps the two equal, and
//! `UPDATE_SNAPSHOTS=1` writes it anew.

mod operations;
mod page;
mod types;

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use self::operations::Shape;
use self::types::Types;
use crate::error::Kind;
use crate::route::{Access, ROUTES, Route, Takes};

pub use page::page;

/// Error responses by name: the codes that they may carry.
type Refusals = Map<String, Json>;

/// The content type of every error.
const PROBLEM_JSON: &str = "application/problem+json";

const INTRODUCTION: &str = "\
Put an AI agent on the phone and in the browser.

Register, log in, and send the access token as `Authorization: Bearer …`. It lasts 15 minutes; trade \
the refresh token for the next pair before it ends. Every answer carries `x-request-id`. Errors are \
`application/problem+json` (RFC 9457) with a stable `code`. Lists take `limit` (1 to 100, default 20) \
and `cursor`, newest first. A POST that creates takes an `Idempotency-Key`. An organisation lives in \
one cell, `us` or `eu`; a request at the other cell's address answers 421 with the right `address`. \
Times are RFC 3339 in UTC with milliseconds.";

const TAGS: &[(&str, &str)] = &[
    ("Service", "Whether it runs, and this document."),
    ("Accounts", "Registration, login and tokens."),
    ("Organisation", "The organisation that a person belongs to."),
    ("Agents", "What a team configures. Every change makes a version; calls run on versions."),
    ("Calls", "Conversations: open, end, read and listen to them."),
    ("Phone numbers", "Which numbers are answered, and by which agent."),
    (
        "Twilio",
        "What Twilio asks and tells, signed with the account's auth token. Answers are TwiML.",
    ),
    ("Voice servers", "What voice servers send, signed with their deployment's key."),
];

/// The OpenAPI 3.1 document.
pub fn document() -> Json {
    let mut types = Types::new();
    let mut paths = Map::new();
    let mut refusals = Refusals::new();
    for route in ROUTES {
        let shape = operations::shape(route.operation, &mut types);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            let method = route.method.as_str().to_ascii_lowercase();
            path.insert(method, operation(route, shape, &mut refusals));
        }
    }
    let mut schemas = types.definitions(&mut paths);
    schemas.insert("Problem".to_owned(), problem_schema());
    let tags: Vec<Json> = TAGS
        .iter()
        .map(|(name, description)| json!({"name": name, "description": description}))
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "GlobalVoice Nexus",
            "version": env!("CARGO_PKG_VERSION"),
            "description": INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": refusals,
            "securitySchemes": {
                "accessToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The `access_token` of a login.",
                },
                "signature": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "x-nexus-signature",
                    "description": "HMAC-SHA-256 over method, path, time and body hash with the \
                                    key of a voice deployment.",
                },
                "twilioSignature": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-Twilio-Signature",
                    "description": "Twilio's signature over address and form.",
                },
            },
        },
    })
}

fn operation(route: &Route, shape: Shape, refusals: &mut Refusals) -> Json {
    let mut operation = Map::new();
    let mut put = |name: &str, value: Json| operation.insert(name.to_owned(), value);
    put("operationId", json!(route.id));
    put("tags", json!([shape.tag]));
    put("summary", json!(route.summary.trim()));
    put("responses", responses(route, &shape, refusals));
    put(
        "security",
        match route.access {
            Access::Public => json!([]),
            Access::User(_) => json!([{"accessToken": []}]),
            Access::Service => json!([{"signature": []}]),
            Access::Twilio => json!([{"twilioSignature": []}]),
        },
    );
    if let Access::User(role) = route.access {
        put("description", json!(format!("Needs the role `{}`.", role.as_str())));
    }
    let mut parameters = path_parameters(route.path);
    parameters.extend(shape.parameters);
    if !parameters.is_empty() {
        put("parameters", Json::Array(parameters));
    }
    if let Some(schema) = shape.request {
        let media = match route.takes {
            Takes::Patch(_) => "application/merge-patch+json",
            Takes::Form(_) => "application/x-www-form-urlencoded",
            Takes::Stream => "application/octet-stream",
            Takes::Json(_) | Takes::Nothing => "application/json",
        };
        put("requestBody", json!({"required": true, "content": {media: {"schema": schema}}}));
    }
    Json::Object(operation)
}

fn path_parameters(path: &str) -> Vec<Json> {
    let id = match path {
        _ if path.starts_with("/api/agents") => "AgentId",
        _ if path.starts_with("/api/phone-numbers") => "PhoneNumberId",
        _ if path.starts_with("/internal/servers") => "ServerId",
        _ => "CallId",
    };
    path.split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| {
            let schema = match name {
                "id" => json!({"$ref": format!("#/components/schemas/{id}")}),
                "epoch" => json!({"type": "integer", "minimum": 1}),
                _ => json!({"type": "integer", "minimum": 0}),
            };
            json!({"name": name, "in": "path", "required": true, "schema": schema})
        })
        .collect()
}

/// What can go wrong before a handler is reached, then what the handler itself refuses.
fn kinds(route: &Route, own: &[Kind]) -> Vec<Kind> {
    let mut kinds = own.to_vec();
    match route.takes {
        Takes::Json(_) | Takes::Patch(_) => {
            let body = [Kind::MalformedJson, Kind::PayloadTooLarge, Kind::UnsupportedMediaType];
            kinds.extend(body);
        }
        Takes::Form(_) => kinds.extend([Kind::PayloadTooLarge, Kind::UnsupportedMediaType]),
        Takes::Stream => kinds.extend([Kind::PayloadTooLarge, Kind::LengthRequired]),
        Takes::Nothing => {}
    }
    match route.access {
        Access::Public => {}
        Access::User(role) => {
            kinds.extend([Kind::InvalidToken, Kind::WrongCell]);
            if role > nexus_core::account::Role::Viewer {
                kinds.push(Kind::Forbidden);
            }
        }
        Access::Twilio => {
            kinds.extend([Kind::BadRequest, Kind::ForgedWebhook, Kind::WrongCell]);
        }
        Access::Service => {
            kinds.extend([
                Kind::InvalidSignature,
                Kind::ClockSkew,
                Kind::WrongCell,
                Kind::HashMismatch,
            ]);
        }
    }
    if route.path.contains("{id}") {
        kinds.push(Kind::NotFound);
    }
    kinds.extend([Kind::Internal, Kind::Unavailable]);
    kinds.sort_by_key(|kind| (kind.status(), kind.code()));
    kinds.dedup();
    kinds
}

/// Success by itself, errors by reference: one shared response for all kinds of a status.
fn responses(route: &Route, shape: &Shape, shared: &mut Refusals) -> Json {
    let mut by_status: BTreeMap<u16, Vec<Kind>> = BTreeMap::new();
    for kind in kinds(route, &shape.errors) {
        by_status.entry(kind.status()).or_default().push(kind);
    }
    let mut responses = Map::new();
    for (status, kinds) in by_status {
        let codes: Vec<&str> = kinds.iter().map(|kind| kind.code()).collect();
        let name = codes.join("-");
        responses
            .insert(status.to_string(), json!({"$ref": format!("#/components/responses/{name}")}));
        shared.entry(name).or_insert_with(|| refusal(&kinds));
    }
    for (status, answer) in std::iter::once(&shape.answer).chain(&shape.also) {
        responses.insert(status.to_string(), answer.clone());
    }
    Json::Object(responses)
}

fn refusal(kinds: &[Kind]) -> Json {
    let lines: Vec<String> =
        kinds.iter().map(|kind| format!("`{}`: {}.", kind.code(), kind.title())).collect();
    json!({
        "description": lines.join(" "),
        "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    })
}

fn problem_schema() -> Json {
    let codes: Vec<&str> = Kind::ALL.iter().map(|kind| kind.code()).collect();
    json!({
        "type": "object",
        "description": "What went wrong (RFC 9457).",
        "required": ["type", "title", "status", "detail", "code", "request_id"],
        "properties": {
            "type": {"type": "string", "description": "`urn:nexus:problem:` and the code."},
            "title": {"type": "string", "description": "The kind in a few words."},
            "status": {"type": "integer", "description": "The HTTP status."},
            "detail": {"type": "string", "description": "For a person, about this request."},
            "code": {"type": "string", "enum": codes, "description": "The kind; stable."},
            "request_id": {"type": "string", "description": "Names the request in our log."},
            "field": {"type": "string", "description": "Which member of the body is meant."},
            "address": {"type": "string", "description": "With `wrong_cell`: where to go."},
            "now": {"type": "integer", "description": "With `clock_skew`: our time, Unix ms."},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docs;
    use data_encoding::BASE64;
    use sha2::{Digest, Sha256};
    use std::path::Path;

    /// Compares with the committed file, or writes it when `UPDATE_SNAPSHOTS` is set.
    fn snapshot(name: &str, made: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            std::fs::write(&path, made).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap();
        assert!(
            committed == made,
            "functions/{name} is out of date: run UPDATE_SNAPSHOTS=1 cargo test -p nexus-functions"
        );
    }

    #[test]
    fn the_committed_document_is_what_the_code_makes() {
        let document = document();
        snapshot("openapi.json", &(serde_json::to_string_pretty(&document).unwrap() + "\n"));
        snapshot("docs.html", &page(&document));
    }

    #[test]
    fn the_policy_names_the_style_sheet() {
        let hash = BASE64.encode(&Sha256::digest(page::STYLE.as_bytes()));
        assert!(docs::POLICY.contains(&format!("'sha256-{hash}'")), "put sha256-{hash} there");
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_schema_is_used() {
        let document = document();
        let text = document.to_string();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        let references: std::collections::BTreeSet<&str> = text
            .split("#/components/schemas/")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        let names: std::collections::BTreeSet<&str> = schemas.keys().map(String::as_str).collect();
        assert_eq!(references, names);
    }

    #[test]
    fn every_route_is_in_the_document() {
        let document = document();
        for route in ROUTES {
            let method = route.method.as_str().to_ascii_lowercase();
            let operation = &document["paths"][route.path][method];
            assert_eq!(operation["operationId"], route.id);
            let success = operation["responses"].as_object().unwrap().keys().next().unwrap();
            assert!(success.starts_with('2'), "{}: {success}", route.id);
        }
    }
}
