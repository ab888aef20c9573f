//! The document for people: one page of HTML without a script.
#![expect(clippy::indexing_slicing, reason = "a member that a JSON value lacks reads as null")]

use std::fmt::Write as _;

use serde_json::Value as Json;

use crate::error::Kind;
use crate::route::ROUTES;

/// The page's one style sheet; [`crate::docs::POLICY`] names its hash.
pub(super) const STYLE: &str = include_str!("docs.css");

/// Appends to a text.
macro_rules! put {
    ($out:ident, $($arg:tt)*) => {{
        // A `String` takes everything.
        let _ = write!($out, $($arg)*);
    }};
}

/// Renders the document.
pub fn page(document: &Json) -> String {
    let mut out = String::new();
    let title = text(&document["info"]["title"]);
    out.push_str("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    out.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    put!(out, "<title>{title} API</title>\n<style>{STYLE}</style>\n</head>\n<body>\n");
    out.push_str(&contents(document));
    out.push_str("<main>\n");
    let version = text(&document["info"]["version"]);
    put!(out, "<h1>{title} API <small>{version}</small></h1>\n");
    for paragraph in raw(&document["info"]["description"]).split("\n\n") {
        put!(out, "<p>{}</p>\n", prose(paragraph));
    }
    out.push_str("<p>The same as data: <a href=\"/openapi.json\">openapi.json</a></p>\n");
    for tag in items(&document["tags"]) {
        let name = raw(&tag["name"]);
        put!(out, "<h2 id=\"{}\">{}</h2>\n", anchor(name), escape(name));
        put!(out, "<p>{}</p>\n", prose(raw(&tag["description"])));
        for (path, method, operation) in operations(document) {
            if operation["tags"][0] == tag["name"] {
                out.push_str(&section(path, &method, operation));
            }
        }
    }
    out.push_str(&errors());
    out.push_str("<h2 id=\"schemas\">Schemas</h2>\n");
    for (name, schema) in members(&document["components"]["schemas"]) {
        put!(out, "<section class=\"schema\" id=\"schema-{name}\">\n");
        put!(out, "<h3>{name}</h3>\n{}</section>\n", schema_body(schema));
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn contents(document: &Json) -> String {
    let mut out = String::from("<nav>\n");
    for tag in items(&document["tags"]) {
        let name = raw(&tag["name"]);
        put!(out, "<a class=\"tag\" href=\"#{}\">{}</a>\n", anchor(name), escape(name));
        for (path, method, operation) in operations(document) {
            if operation["tags"][0] == tag["name"] {
                let id = text(&operation["operationId"]);
                let verb = method.to_uppercase();
                put!(
                    out,
                    "<a href=\"#{id}\"><b class=\"{method}\">{verb}</b> {}</a>\n",
                    escape(path)
                );
            }
        }
    }
    out.push_str("<a class=\"tag\" href=\"#errors\">Errors</a>\n");
    out.push_str("<a class=\"tag\" href=\"#schemas\">Schemas</a>\n</nav>\n");
    out
}

fn section(path: &str, method: &str, operation: &Json) -> String {
    let id = text(&operation["operationId"]);
    let verb = method.to_uppercase();
    let mut out = format!("<section id=\"{id}\">\n");
    put!(out, "<h3><b class=\"{method}\">{verb}</b> <code>{}</code></h3>\n", escape(path));
    put!(out, "<p>{}", prose(raw(&operation["summary"])));
    if let Some(more) = operation["description"].as_str() {
        put!(out, " {}", prose(more));
    }
    out.push_str(access(operation));
    out.push_str("</p>\n");
    let parameters = items(&operation["parameters"]);
    if !parameters.is_empty() {
        out.push_str("<h4>Parameters</h4>\n<table>\n");
        for parameter in parameters {
            let place = text(&parameter["in"]);
            let name = format!("{} <small>{place}</small>", code(raw(&parameter["name"])));
            let needed = parameter["required"] == true;
            let note = prose(raw(&parameter["description"]));
            out.push_str(&row(&name, &parameter["schema"], needed, &note));
        }
        out.push_str("</table>\n");
    }
    for (media, body) in members(&operation["requestBody"]["content"]) {
        put!(out, "<h4>Body <small>{}</small></h4>\n", escape(media));
        put!(out, "<p>{}</p>\n", kind(&body["schema"]));
    }
    out.push_str(&answers(operation));
    out.push_str("</section>\n");
    out
}

/// What success answers, and the codes of what may go wrong.
fn answers(operation: &Json) -> String {
    let mut out = String::from("<h4>Answers</h4>\n");
    let mut codes = Vec::new();
    for (status, answer) in members(&operation["responses"]) {
        if let Some(name) = answer["$ref"].as_str().and_then(|target| target.rsplit('/').next()) {
            codes.extend(name.split('-').map(|code| {
                format!("<a href=\"#error-{code}\">{code}</a> <small>{status}</small>")
            }));
            continue;
        }
        put!(out, "<p><code>{status}</code> {}", prose(raw(&answer["description"])));
        for (media, body) in members(&answer["content"]) {
            let shown = kind(&body["schema"]);
            put!(out, " {shown} <small>{}</small>", escape(media));
        }
        out.push_str("</p>\n");
    }
    put!(out, "<p class=\"errors\">{}</p>\n", codes.join(" · "));
    out
}

/// Every code that an error may carry.
fn errors() -> String {
    let mut out = String::from("<h2 id=\"errors\">Errors</h2>\n<table>\n");
    for kind in Kind::ALL {
        let (code, status, title) = (kind.code(), kind.status(), escape(kind.title()));
        put!(
            out,
            "<tr id=\"error-{code}\"><td><code>{code}</code></td><td>{status}</td>\
             <td>{title}.</td></tr>\n"
        );
    }
    out.push_str("</table>\n");
    out
}

fn access(operation: &Json) -> &'static str {
    let scheme = operation["security"][0].as_object();
    match scheme.and_then(|scheme| scheme.keys().next()).map(String::as_str) {
        None => " Open to anybody.",
        Some("signature") => " Signed by a voice deployment.",
        Some(_) => "",
    }
}

/// A line of a table of parameters or members.
fn row(name: &str, schema: &Json, needed: bool, note: &str) -> String {
    let needed = if needed { " <em>required</em>" } else { "" };
    format!("<tr><td>{name}{needed}</td><td>{}</td><td>{note}</td></tr>\n", kind(schema))
}

/// A schema of its own section.
fn schema_body(schema: &Json) -> String {
    let mut out = String::new();
    if let Some(description) = schema["description"].as_str() {
        put!(out, "<p>{}</p>\n", prose(description));
    }
    let variants = || items(&schema["oneOf"]).iter().chain(items(&schema["anyOf"]));
    if members(&schema["properties"]).is_empty() && variants().next().is_none() {
        put!(out, "<p>{}</p>\n", kind(schema));
    }
    out.push_str(&member_table(schema));
    for variant in variants() {
        if let Some(value) = constant(variant) {
            let note = prose(raw(&variant["description"]));
            put!(out, "<p class=\"variant\">{} {note}</p>\n", code(&value));
        } else {
            put!(out, "<div class=\"variant\">{}</div>\n", schema_body(variant));
        }
    }
    out
}

fn member_table(schema: &Json) -> String {
    let properties = members(&schema["properties"]);
    if properties.is_empty() {
        return String::new();
    }
    let mut out = String::from("<table>\n");
    for (name, property) in properties {
        let needed = items(&schema["required"]).iter().any(|one| one.as_str() == Some(name));
        let mut note = prose(raw(&property["description"]));
        if let Some(default) = property.get("default") {
            let shown = default.to_string();
            if shown.len() <= 60 {
                put!(note, " Default {}.", code(&shown));
            }
        }
        out.push_str(&row(&code(name), property, needed, &note));
    }
    out.push_str("</table>\n");
    out
}

fn constant(schema: &Json) -> Option<String> {
    schema.get("const").map(|value| value.as_str().map_or(value.to_string(), str::to_owned))
}

/// What a value may be, in a few words of HTML.
fn kind(schema: &Json) -> String {
    if let Some(target) = schema["$ref"].as_str() {
        let name = target.rsplit('/').next().unwrap_or_default();
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    if let Some(value) = constant(schema) {
        return code(&value);
    }
    for list in ["anyOf", "oneOf", "allOf"] {
        let options = items(&schema[list]);
        if !options.is_empty() {
            return options.iter().map(kind).collect::<Vec<_>>().join(" or ");
        }
    }
    let values = items(&schema["enum"]);
    if !values.is_empty() {
        let shown: Vec<String> = values
            .iter()
            .map(|value| code(&value.as_str().map_or(value.to_string(), str::to_owned)))
            .collect();
        return shown.join(" or ");
    }
    let base = match &schema["type"] {
        Json::Array(types) => {
            types.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(" or ")
        }
        Json::String(name) => name.clone(),
        _ => "any JSON".to_owned(),
    };
    if base == "array" {
        return format!("array of {}", kind(&schema["items"]));
    }
    let map = &schema["additionalProperties"];
    if map.is_object() && members(&schema["properties"]).is_empty() {
        return format!("object of {}", kind(map));
    }
    format!("{}{}", escape(&base), bounds(schema))
}

fn bounds(schema: &Json) -> String {
    let bound = |name: &str| schema.get(name).filter(|value| value.is_number());
    match (bound("minimum"), bound("maximum")) {
        (Some(low), Some(high)) => format!(", {low} to {high}"),
        (Some(low), None) if *low != 0 => format!(", from {low}"),
        _ => match schema["format"].as_str() {
            Some("date-time") => " (RFC 3339)".to_owned(),
            Some("binary") => " (bytes)".to_owned(),
            _ => schema["pattern"]
                .as_str()
                .map_or_else(String::new, |pattern| format!(" like {}", code(pattern))),
        },
    }
}

/// All operations, in the order of the route table.
fn operations(document: &Json) -> impl Iterator<Item = (&'static str, String, &Json)> {
    ROUTES.iter().map(|route| {
        let method = route.method.as_str().to_ascii_lowercase();
        let operation = &document["paths"][route.path][method.as_str()];
        (route.path, method, operation)
    })
}

fn members(json: &Json) -> Vec<(&str, &Json)> {
    let members = json.as_object();
    members.map_or_else(Vec::new, |all| {
        all.iter().map(|(name, value)| (name.as_str(), value)).collect()
    })
}

fn items(json: &Json) -> &[Json] {
    json.as_array().map_or(&[], Vec::as_slice)
}

fn raw(json: &Json) -> &str {
    json.as_str().unwrap_or_default()
}

fn text(json: &Json) -> String {
    escape(raw(json))
}

fn code(text: &str) -> String {
    format!("<code>{}</code>", escape(text))
}

fn anchor(name: &str) -> String {
    name.to_lowercase().replace(' ', "-")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Text with `code` in it.
fn prose(text: &str) -> String {
    let mut out = String::new();
    for (at, part) in text.split('`').enumerate() {
        let part = escape(part);
        if at % 2 == 1 {
            put!(out, "<code>{part}</code>");
        } else {
            out.push_str(&part);
        }
    }
    out
}
