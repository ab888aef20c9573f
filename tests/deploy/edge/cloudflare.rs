//! Cloudflare's API before a played account, as far as the real wrangler asks it on our commands' behalf.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Json, Response};
use serde_json::{Value, json};

use super::account::{self, Account, Database, Version};

/// The account's id.
pub(crate) const ACCOUNT: &str = "0123456789abcdef0123456789abcdef";

#[derive(Clone)]
pub(crate) struct Cloudflare {
    account: Account,
    /// Database id to the migrations that have been applied.
    applied: Arc<Mutex<BTreeMap<String, Vec<String>>>>,
    /// Requests that nobody here can answer.
    unknown: Arc<Mutex<Vec<String>>>,
    pub(crate) url: String,
}

/// A request, taken apart.
struct Asked<'a> {
    method: &'a str,
    /// Behind the account.
    path: Vec<&'a str>,
    query: &'a str,
    headers: &'a HeaderMap,
    body: &'a [u8],
}

fn result(result: &Value) -> Response {
    Json(json!({"success": true, "errors": [], "messages": [], "result": result})).into_response()
}

fn refused(status: StatusCode, code: u32, message: &str) -> Response {
    let errors = json!([{"code": code, "message": message}]);
    let body = json!({"success": false, "errors": errors, "messages": [], "result": null});
    (status, Json(body)).into_response()
}

fn no_worker() -> Response {
    refused(StatusCode::NOT_FOUND, 10_007, "This Worker does not exist on your account.")
}

pub(crate) fn start(account: &Account) -> Cloudflare {
    let mut cloudflare = Cloudflare {
        account: account.clone(),
        applied: Arc::default(),
        unknown: Arc::default(),
        url: String::new(),
    };
    let router = Router::new()
        .fallback(answer)
        .layer(DefaultBodyLimit::disable())
        .with_state(cloudflare.clone());
    cloudflare.url = format!("{}/client/v4", super::served::serve_in_background(router));
    cloudflare
}

async fn answer(
    State(cloudflare): State<Cloudflare>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let prefix = format!("/client/v4/accounts/{ACCOUNT}/");
    let path: Vec<&str> = match uri.path().strip_prefix(&prefix) {
        Some(rest) => rest.split('/').collect(),
        None => Vec::new(),
    };
    let query = uri.query().unwrap_or_default();
    let method = method.as_str();
    let asked = Asked { method, path, query, headers: &headers, body: &body };
    cloudflare.answer(&asked).unwrap_or_else(|| {
        cloudflare.unknown.lock().unwrap().push(format!("{method} {uri}"));
        refused(StatusCode::NOT_FOUND, 7003, "No route for that URI")
    })
}

impl Asked<'_> {
    fn json(&self) -> Value {
        serde_json::from_slice(self.body).unwrap()
    }

    /// The upload's description, a part of the form.
    fn metadata(&self) -> Value {
        let text = String::from_utf8_lossy(self.body);
        let part = text.split("name=\"metadata\"").nth(1).unwrap();
        let part = part.split_once("\r\n\r\n").unwrap().1.split("\r\n--").next().unwrap();
        serde_json::from_str(part).unwrap()
    }
}

impl Cloudflare {
    /// Requests that had no answer.
    pub(crate) fn unknown(&self) -> Vec<String> {
        self.unknown.lock().unwrap().clone()
    }

    fn answer(&self, asked: &Asked<'_>) -> Option<Response> {
        match asked.path.as_slice() {
            ["d1", "database", rest @ ..] => self.d1(asked, rest),
            ["r2", "buckets"] => self.r2(asked),
            ["r2", "buckets", name] => {
                let state = self.account.state();
                let is_there = state.buckets.iter().any(|(bucket, _)| bucket == name);
                is_there.then(|| result(&json!({"name": name})))
            }
            ["workers", "scripts", _, rest @ ..] => self.script(asked, rest),
            ["workers", "services", _] if asked.method == "DELETE" => {
                self.account.change(|state| {
                    state.versions.clear();
                    state.deployed.clear();
                    state.secrets.clear();
                });
                Some(result(&Value::Null))
            }
            ["workers", "services", _] => Some(self.service()),
            // What a Worker that is removed may have had besides.
            ["workers", "durable_objects", "namespaces"] | ["storage", "kv", "namespaces"] => {
                Some(result(&json!([])))
            }
            ["workers", "workers", _] => Some(result(&json!({"subdomain": {"enabled": true}}))),
            ["workers", "subdomain"] => Some(result(&json!({"subdomain": "team"}))),
            _ => None,
        }
    }

    fn d1(&self, asked: &Asked<'_>, rest: &[&str]) -> Option<Response> {
        match (asked.method, rest) {
            ("GET", []) => {
                let is_first = asked.query.split('&').any(|pair| pair == "page=1");
                let state = self.account.state();
                let one = |one: &Database| {
                    json!({"uuid": format!("id-{}", one.name), "name": one.name,
                        "jurisdiction": one.jurisdiction, "version": "production"})
                };
                let all: Vec<Value> =
                    state.databases.iter().filter(|_| is_first).map(one).collect();
                Some(result(&all.into()))
            }
            ("POST", []) => {
                let body = asked.json();
                let text = |name: &str| body[name].as_str().map(str::to_owned);
                let name = text("name").unwrap();
                let jurisdiction = text("jurisdiction");
                let made = json!({"uuid": format!("id-{name}"), "name": name});
                let database = Database { name, jurisdiction, migrated: false };
                self.account.change(|state| state.databases.push(database));
                Some(result(&made))
            }
            // By its name.
            ("GET", [name]) => {
                let state = self.account.state();
                let found = state.databases.iter().find(|one| one.name == *name)?;
                Some(result(&json!({"uuid": format!("id-{name}"), "name": found.name})))
            }
            ("DELETE", [id]) => {
                self.account.change(|state| {
                    state.databases.retain(|one| format!("id-{}", one.name) != *id);
                });
                Some(result(&Value::Null))
            }
            ("POST", [id, "query"]) => Some(self.query(id, &asked.json())),
            _ => None,
        }
    }

    fn query(&self, id: &str, body: &Value) -> Response {
        let sql = body["sql"].as_str().unwrap();
        let mut applied = self.applied.lock().unwrap();
        let applied = applied.entry(id.to_owned()).or_default();
        if let Some(name) =
            sql.rsplit_once("values ('").and_then(|(_, rest)| rest.split('\'').next())
        {
            applied.push(name.to_owned());
            self.account.change(|state| {
                for database in &mut state.databases {
                    database.migrated |= format!("id-{}", database.name) == id;
                }
            });
        }
        let row = |(index, name): (usize, &String)| json!({"id": index + 1, "name": name});
        let is_select = sql.trim_start().starts_with("SELECT");
        let rows: Vec<Value> = applied.iter().enumerate().filter(|_| is_select).map(row).collect();
        result(&json!([{"success": true, "results": rows, "meta": {}}]))
    }

    fn r2(&self, asked: &Asked<'_>) -> Option<Response> {
        let place = asked.headers.get("cf-r2-jurisdiction");
        let place = place.map(|place| place.to_str().unwrap().to_owned());
        match asked.method {
            "GET" => {
                let state = self.account.state();
                let there = state.buckets.iter().filter(|(_, is)| *is == place);
                let list: Vec<Value> = there
                    .map(|(name, _)| json!({"name": name, "creation_date": "2026-11-01"}))
                    .collect();
                Some(result(&json!({"buckets": list})))
            }
            "POST" => {
                let name = asked.json()["name"].as_str().unwrap().to_owned();
                self.account.change(|state| {
                    state.buckets.insert((name, place));
                });
                Some(result(&json!({})))
            }
            _ => None,
        }
    }

    fn service(&self) -> Response {
        if self.account.state().versions.is_empty() {
            return refused(StatusCode::NOT_FOUND, 10_090, "workers.api.error.service_not_found");
        }
        let script = json!({"tag": "t", "tags": [], "last_deployed_from": "wrangler"});
        result(&json!({"default_environment": {"environment": "production", "script": script}}))
    }

    fn script(&self, asked: &Asked<'_>, rest: &[&str]) -> Option<Response> {
        let state = self.account.state();
        let is_new = state.versions.is_empty();
        match (asked.method, rest) {
            ("GET", ["deployments" | "secrets" | "versions"] | ["versions", _]) if is_new => {
                Some(no_worker())
            }
            ("GET", ["deployments"]) => {
                let share = |(id, percent): &(String, u32)| json!({"version_id": id, "percentage": percent});
                let deployment = |day: u8, shares: Vec<Value>| {
                    json!({"id": day, "source": "wrangler", "strategy": "percentage",
                        "created_on": format!("2026-11-0{day}T00:00:00Z"), "versions": shares})
                };
                let mut all = vec![deployment(2, state.deployed.iter().map(share).collect())];
                all.extend(state.earlier.map(|id| deployment(1, vec![share(&(id, 100))])));
                Some(result(&json!({"deployments": all})))
            }
            ("POST", ["deployments"]) => {
                let body = asked.json();
                let shares = body["versions"].as_array().unwrap().iter().map(|share| {
                    let id = share["version_id"].as_str().unwrap().to_owned();
                    (id, share["percentage"].as_f64().unwrap() as u32)
                });
                let shares: Vec<(String, u32)> = shares.collect();
                let newest = state.versions.last().map(|version| version.id.clone());
                let is_old = !shares.iter().any(|(id, _)| Some(id) == newest.as_ref());
                if is_old && asked.query != "force=true" {
                    let why = "The following secrets have changed: NEXUS_PEPPERS";
                    return Some(refused(StatusCode::BAD_REQUEST, 10_220, why));
                }
                self.account.change(|state| state.share(shares));
                Some(result(&json!({"id": "d"})))
            }
            ("GET", ["secrets"]) => {
                let one = |name: &String| json!({"name": name, "type": "secret_text"});
                Some(result(&state.secrets.iter().map(one).collect::<Vec<_>>().into()))
            }
            ("GET", ["versions"]) => {
                let all: Vec<Value> = state.versions.iter().map(version).collect();
                Some(result(&json!({"items": all})))
            }
            ("GET", ["versions", id]) => {
                let one = state.versions.iter().find(|version| version.id == *id)?;
                Some(result(&version(one)))
            }
            ("POST", ["versions"]) | ("PUT", []) => Some(self.upload(asked)),
            // A pass for assets of which none is new.
            ("POST", ["assets-upload-session"]) => {
                Some(result(&json!({"jwt": "e30.e30.e30", "buckets": []})))
            }
            ("GET", ["settings"]) => Some(result(&json!({"bindings": []}))),
            ("PATCH", ["script-settings"]) => Some(result(&asked.json())),
            ("GET" | "POST", ["subdomain"]) => {
                Some(result(&json!({"enabled": true, "previews_enabled": true})))
            }
            ("PUT", ["schedules"]) => {
                self.account.change(|state| state.triggers = true);
                Some(result(&json!({"schedules": []})))
            }
            _ => None,
        }
    }

    fn upload(&self, asked: &Asked<'_>) -> Response {
        let metadata = asked.metadata();
        let bindings = metadata["bindings"].as_array().unwrap();
        let secrets = bindings.iter().filter(|binding| binding["type"] == "secret_text");
        let names: Vec<String> =
            secrets.map(|secret| secret["name"].as_str().unwrap().to_owned()).collect();
        let commit = metadata["annotations"]["workers/tag"].as_str().unwrap().to_owned();
        let number = self.account.state().versions.len() + 1;
        let id = format!("{number:08}-0000-4000-8000-000000000000");
        let kept = metadata["keep_bindings"].as_array().cloned().unwrap_or_default();
        self.account.change(|state| {
            if !kept.contains(&json!("secret_text")) {
                state.secrets.clear();
            }
            state.versions.push(Version { id: id.clone(), commit });
            state.secrets.extend(names);
            if asked.method == "PUT" {
                state.deployed = vec![(id.clone(), 100)];
            }
        });
        result(&json!({"id": id, "deployment_id": id.replace('-', ""), "startup_time_ms": 5,
            "available_on_subdomain": true, "tag": "t", "pipeline_hash": "p",
            "metadata": {"has_preview": false}}))
    }
}

fn version(version: &account::Version) -> Value {
    json!({
        "id": version.id,
        "number": 1,
        "metadata": {"created_on": format!("2026-11-01T00:00:{}Z", &version.id[6..8]),
            "source": "wrangler", "author_email": "a@example.com"},
        "annotations": {"workers/tag": version.commit, "workers/message": ""},
        "resources": {"bindings": [], "script": {"handlers": ["fetch"]}, "script_runtime": {}},
    })
}
