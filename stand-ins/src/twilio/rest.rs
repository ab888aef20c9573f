//! The REST API's calls: `/2010-04-01/Accounts/{AC}/Calls.json` and `…/Calls/{CA}.json`.

mod create;
mod resource;
mod update;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use nexus_core::twilio::Form;
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;

use super::account::is_sid;
use super::call::Call;
use super::exchange::Exchange;
use crate::faults::Service;
use crate::server::Shared;

pub(super) use create::{Outbound, Placed};

/// Calls in one page of a list, unless asked otherwise, and at most.
const PAGE_SIZE: usize = 50;
const PAGE_SIZE_MAX: usize = 1_000;

/// A refused request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RestError {
    status: StatusCode,
    code: u32,
    message: String,
}

impl RestError {
    fn bad(code: u32, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, message: message.into() }
    }

    fn not_found(path: &str) -> Self {
        let message = format!("The requested resource {path} was not found");
        Self { status: StatusCode::NOT_FOUND, code: 20_404, message }
    }

    fn of_status(status: u16) -> Self {
        let (code, message) = match status {
            401 => (20_003, "Authenticate"),
            404 => (20_404, "The requested resource was not found"),
            429 => (20_429, "Too Many Requests"),
            400..=499 => (20_001, "Bad request"),
            _ => (20_500, "An internal server error has occurred"),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, code, message: message.to_owned() }
    }

    fn response(&self) -> Response {
        let body = json!({
            "code": self.code, "message": self.message, "status": self.status.as_u16(),
            "more_info": format!("https://www.twilio.com/docs/errors/{}", self.code),
        });
        let mut response = (self.status, Json(body)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"Twilio API\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// `POST …/Calls.json`: calls somebody.
pub(crate) async fn create(
    State(shared): State<Arc<Shared>>,
    Path(account): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let exchange = &shared.exchange;
    let outcome = admit(&shared, &account, &headers).await.and_then(|()| {
        let form = Form::parse(&body);
        exchange.network.note(Service::Twilio, "create", "Calls.json", &form);
        let placed = Placed::read(&form)?;
        Ok((StatusCode::CREATED, call_json(exchange, &exchange.place(placed))))
    });
    answer(&shared, outcome)
}

/// `GET …/Calls.json`: calls, newest first.
pub(crate) async fn list(
    State(shared): State<Arc<Shared>>,
    Path(account): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let outcome = admit(&shared, &account, &headers).await.map(|()| {
        let query = Form::parse(query.unwrap_or_default().as_bytes());
        (StatusCode::OK, page(&shared.exchange, &query))
    });
    answer(&shared, outcome)
}

/// `GET …/Calls/{CA}.json`.
pub(crate) async fn fetch(
    State(shared): State<Arc<Shared>>,
    Path((account, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let outcome = admit(&shared, &account, &headers).await.and_then(|()| {
        let call = find(&shared.exchange, &name)?;
        Ok((StatusCode::OK, call_json(&shared.exchange, &call)))
    });
    answer(&shared, outcome)
}

/// `POST …/Calls/{CA}.json`: ends a call or gives it another document.
pub(crate) async fn update(
    State(shared): State<Arc<Shared>>,
    Path((account, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let outcome = async {
        admit(&shared, &account, &headers).await?;
        let call = find(&shared.exchange, &name)?;
        let form = Form::parse(&body);
        shared.exchange.network.note(Service::Twilio, "update", &name, &form);
        update::apply(&call, &form).await?;
        Ok((StatusCode::OK, call_json(&shared.exchange, &call)))
    };
    let outcome = outcome.await;
    answer(&shared, outcome)
}

fn answer(shared: &Shared, outcome: Result<(StatusCode, Value), RestError>) -> Response {
    match outcome {
        Ok((status, body)) => (status, Json(body)).into_response(),
        Err(error) => {
            shared.count_refused(Service::Twilio);
            error.response()
        }
    }
}

/// Checks the account and who asks; faults come first.
async fn admit(shared: &Shared, account: &str, headers: &HeaderMap) -> Result<(), RestError> {
    if let Some(delay) = shared.switchboard.faults(Service::Twilio).delay {
        tokio::time::sleep(delay).await;
    }
    if let Some(status) = shared.switchboard.take_refusal(Service::Twilio) {
        return Err(RestError::of_status(status));
    }
    let known = shared.exchange.account();
    let expected = format!("{}:{}", known.sid(), known.auth_token().expose());
    let given = credentials(headers).unwrap_or_default();
    let fits = bool::from(given.as_bytes().ct_eq(expected.as_bytes()));
    if shared.options.refuse_keys || !fits || account != known.sid() {
        return Err(RestError::of_status(401));
    }
    Ok(())
}

/// User and password of Basic authentication (RFC 7617).
fn credentials(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    let decoded = STANDARD.decode(encoded.trim()).ok()?;
    scheme.eq_ignore_ascii_case("basic").then(|| String::from_utf8(decoded).ok())?
}

fn find(exchange: &Exchange, name: &str) -> Result<Arc<Call>, RestError> {
    // Without `.json` Twilio speaks XML, which nobody here wants.
    let sid = name.strip_suffix(".json").filter(|sid| is_sid(sid, "CA"));
    let calls = exchange.network.calls();
    let found = sid.and_then(|sid| calls.iter().rev().find(|call| call.sid == sid).cloned());
    found.ok_or_else(|| {
        let account = exchange.account().sid();
        RestError::not_found(&format!("/2010-04-01/Accounts/{account}/Calls/{name}"))
    })
}

fn call_json(exchange: &Exchange, call: &Call) -> Value {
    resource::call_json(call, exchange.account().sid())
}

fn page(exchange: &Exchange, query: &Form) -> Value {
    let size = query.get("PageSize").and_then(|size| size.parse().ok()).unwrap_or(PAGE_SIZE);
    let size = size.clamp(1, PAGE_SIZE_MAX);
    let number: usize = query.get("Page").and_then(|page| page.parse().ok()).unwrap_or(0);
    let wanted = |call: &Call| {
        let fits = |name, value: &str| query.get(name).is_none_or(|wanted| wanted == value);
        fits("Status", call.status().as_str()) && fits("To", &call.to) && fits("From", &call.from)
    };
    let calls: Vec<Arc<Call>> =
        exchange.network.calls().iter().rev().filter(|call| wanted(call)).cloned().collect();
    let start = number.saturating_mul(size);
    let chosen: Vec<Value> =
        calls.iter().skip(start).take(size).map(|call| call_json(exchange, call)).collect();
    let path = format!("/2010-04-01/Accounts/{}/Calls.json", exchange.account().sid());
    let uri = |page: usize| format!("{path}?PageSize={size}&Page={page}");
    json!({
        "page": number, "page_size": size, "start": start,
        "end": (start + chosen.len()).saturating_sub(1),
        "uri": uri(number), "first_page_uri": uri(0),
        "next_page_uri": (start + size < calls.len()).then(|| uri(number + 1)),
        "previous_page_uri": number.checked_sub(1).map(uri),
        "calls": chosen,
    })
}
