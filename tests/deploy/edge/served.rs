//! The Worker behind the account: answers as the version that the traffic, or the header, takes a request to.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::{Json, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, serve};
use serde_json::{Value, json};

use super::account::{Account, Version};

/// What is wrong with a commit's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// `/health` says another commit: the old build was uploaded.
    OtherCommit,
    /// `/health` fails.
    Health,
    /// Nobody can log in.
    Login,
    /// Requests fail that do not ask for it: what shows under real traffic alone.
    Traffic,
}

/// The release's version of all commits here.
pub(crate) const VERSION: &str = "1.2.3";

#[derive(Clone)]
struct Served {
    account: Account,
    flaws: Arc<BTreeMap<String, Flaw>>,
    /// Address to password.
    users: Arc<Mutex<BTreeMap<String, String>>>,
    point: Arc<AtomicU32>,
}

/// Serves the account's Worker; answers the address.
pub(crate) fn start(account: &Account, flaws: &[(&str, Flaw)]) -> String {
    let flaws = flaws.iter().map(|(commit, flaw)| ((*commit).to_owned(), *flaw)).collect();
    let state = Served {
        account: account.clone(),
        flaws: Arc::new(flaws),
        users: Arc::default(),
        point: Arc::default(),
    };
    let router = Router::new()
        .route("/health", get(health))
        .route("/api/auth/register", post(register))
        .route("/api/auth/login", post(login))
        .with_state(state);
    serve_in_background(router)
}

/// Serves until the process ends; answers the address.
pub(crate) fn serve_in_background(router: Router) -> String {
    let (sender, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(listener.local_addr().unwrap()).unwrap();
            serve(listener, router).await.unwrap();
        });
    });
    format!("http://{}", address.recv().unwrap())
}

impl Served {
    /// Which version this request reaches, and its flaw.
    fn reach(&self, headers: &HeaderMap) -> Result<(Version, Option<Flaw>), StatusCode> {
        let header = headers.get("cloudflare-workers-version-overrides");
        // A Worker's name, `=`, the version in quotes.
        let wanted = header.and_then(|value| value.to_str().ok()?.split('"').nth(1));
        // Goes round the whole of 0 to 99 evenly.
        let point = self.point.fetch_add(37, Ordering::Relaxed) % 100;
        let Some(version) = self.account.serving(wanted, point) else {
            return Err(StatusCode::NOT_FOUND);
        };
        let flaw = self.flaws.get(&version.commit).copied();
        if flaw == Some(Flaw::Traffic) && wanted.is_none() {
            return Err(StatusCode::INTERNAL_SERVER_ERROR);
        }
        Ok((version, flaw))
    }
}

async fn health(State(served): State<Served>, headers: HeaderMap) -> Response {
    let (version, flaw) = match served.reach(&headers) {
        Ok(reached) => reached,
        Err(status) => return status.into_response(),
    };
    match flaw {
        Some(Flaw::Health) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Some(Flaw::OtherCommit) => {
            Json(json!({"status": "ok", "version": VERSION, "commit": "other"})).into_response()
        }
        _ => Json(json!({"status": "ok", "version": VERSION, "commit": version.commit}))
            .into_response(),
    }
}

fn credentials(body: &Value) -> (String, String) {
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    (text("email"), text("password"))
}

async fn register(
    State(served): State<Served>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    if let Err(status) = served.reach(&headers) {
        return status.into_response();
    }
    let (email, password) = credentials(&body);
    served.users.lock().unwrap().entry(email).or_insert(password);
    (StatusCode::CREATED, Json(json!({}))).into_response()
}

async fn login(
    State(served): State<Served>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let flaw = match served.reach(&headers) {
        Ok((_, flaw)) => flaw,
        Err(status) => return status.into_response(),
    };
    let (email, password) = credentials(&body);
    let is_known = served.users.lock().unwrap().get(&email) == Some(&password);
    if flaw == Some(Flaw::Login) || !is_known {
        return (StatusCode::UNAUTHORIZED, Json(json!({"detail": "no"}))).into_response();
    }
    Json(json!({"access_token": "t"})).into_response()
}
