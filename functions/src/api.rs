//! The way of every request: find the route, check who asks, run it, dress the answer.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use nexus_core::id::RequestId;
use nexus_core::service_auth::{BODY_HASH_HEADER, body_hash};

use crate::error::{Kind, Problem};
use crate::exchange::{Answer, Incoming};
use crate::identity::StoresOf;
use crate::port::{Level, Reply, RequestBody, World};
use crate::route::{self, Access, Found, Operation, Route, Takes};
use crate::telephony::{self, Webhook, numbers};
use crate::{agents, auth, calls, docs, health, identity, orgs, recordings, voice_link};

/// Methods that browsers of allowed origins may use.
const CORS_METHODS: &str = "GET, POST, PUT, PATCH, DELETE";
/// Headers that they may send.
const CORS_HEADERS: &str = "authorization, content-type, idempotency-key, range";
/// Headers that their scripts may read.
const CORS_EXPOSED: &str = "accept-ranges, content-range, etag, retry-after, x-request-id";

/// Answers one request.
pub async fn handle<W: World>(world: &W, request: Request<W::Body>) -> Response<Reply<W::Stream>> {
    let id = RequestId::new(world.now(), world.random());
    let origin = allowed_origin(world, request.headers());
    let head = request.method() == Method::HEAD;
    let docs = request.uri().path() == "/docs";
    let answer = match answer(world, request, id).await {
        Ok(answer) => answer,
        Err(problem) => refuse(world, &problem, id),
    };
    dress(answer, id, origin, head, docs)
}

async fn answer<W: World>(
    world: &W,
    request: Request<W::Body>,
    id: RequestId,
) -> Result<Answer<W::Stream>, Problem> {
    if request.method() == Method::OPTIONS {
        return Ok(preflight());
    }
    let (route, params) = match route::find(request.method(), request.uri().path()) {
        Found::Route(route, params) => (route, params),
        Found::OtherMethods(methods) => {
            return Err(Problem::new(Kind::MethodNotAllowed, "use one of the allowed methods")
                .header("allow", methods.join(", ")));
        }
        Found::Nothing => return Err(Problem::not_found()),
    };
    let (parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let target = target.to_owned();
    let incoming =
        Incoming { id, method: parts.method, target, params, headers: parts.headers, body };
    check_type(route, &incoming)?;
    dispatch(world, route, incoming).await
}

/// A route takes its type alone, so that no form of a foreign page reaches one that takes JSON.
fn check_type<B>(route: &Route, request: &Incoming<B>) -> Result<(), Problem> {
    let wanted: &[&str] = match route.takes {
        Takes::Json(_) => &["application/json"],
        Takes::Patch(_) => &["application/json", "application/merge-patch+json"],
        Takes::Form(_) => &["application/x-www-form-urlencoded"],
        Takes::Nothing | Takes::Stream => return Ok(()),
    };
    let sent = request.header("content-type").unwrap_or_default();
    let sent = sent.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if wanted.contains(&sent.as_str()) {
        return Ok(());
    }
    Err(Problem::new(Kind::UnsupportedMediaType, format!("send {}", wanted.join(" or "))))
}

async fn dispatch<W: World>(
    world: &W,
    route: &'static Route,
    request: Incoming<W::Body>,
) -> Result<Answer<W::Stream>, Problem> {
    match route.access {
        Access::Public => public(world, route, request).await,
        Access::User(least) => {
            let (person, stores) = identity::person(world, &request, least)?;
            for_person(world, &stores, &person, route, request).await
        }
        Access::Service => {
            let stores = identity::service(world, &request)?;
            for_service(world, &stores, route, request).await
        }
        Access::Twilio => {
            let webhook = Webhook::verified(world, request, limit(route)).await?;
            for_twilio(world, &webhook, route).await
        }
    }
}

/// The most bytes that a body may have which is read into memory.
const fn limit(route: &Route) -> usize {
    match route.takes {
        Takes::Json(limit) | Takes::Patch(limit) | Takes::Form(limit) => limit,
        Takes::Nothing | Takes::Stream => 0,
    }
}

async fn public<W: World>(
    world: &W,
    route: &'static Route,
    request: Incoming<W::Body>,
) -> Result<Answer<W::Stream>, Problem> {
    let limit = limit(route);
    match route.operation {
        Operation::Health => health::health(world, &request).await,
        Operation::OpenApi => Ok(docs::openapi()),
        Operation::Docs => Ok(docs::page()),
        Operation::Register => auth::register(world, request.json(limit).await?).await,
        Operation::Login => auth::login(world, request.json(limit).await?).await,
        Operation::Refresh => auth::refresh(world, request.json(limit).await?).await,
        Operation::Logout => auth::logout(world, request.json(limit).await?).await,
        other => Err(misplaced(other)),
    }
}

async fn for_person<W: World>(
    world: &W,
    stores: &StoresOf<'_, W>,
    person: &identity::Person,
    route: &'static Route,
    request: Incoming<W::Body>,
) -> Result<Answer<W::Stream>, Problem> {
    let sql = stores.sql;
    let limit = limit(route);
    match route.operation {
        Operation::Me => auth::me(sql, person).await,
        Operation::GetOrg => orgs::get(sql, person).await,
        Operation::PatchOrg => orgs::patch(sql, person, request.json(limit).await?).await,
        Operation::ListAgents => agents::list(sql, person, &request).await,
        Operation::CreateAgent => agents::create(world, sql, person, request, limit).await,
        Operation::GetAgent => agents::get(sql, person, request.param(0)?).await,
        Operation::PatchAgent => {
            let agent = request.param(0)?;
            agents::patch(world, sql, person, agent, request.json(limit).await?).await
        }
        Operation::DeleteAgent => agents::delete(world, sql, person, request.param(0)?).await,
        Operation::ListAgentVersions => agents::versions(sql, person, &request).await,
        Operation::ListCalls => calls::list(sql, person, &request).await,
        Operation::CreateCall => calls::create(world, sql, person, request, limit).await,
        Operation::GetCall => calls::get(sql, person, request.param(0)?).await,
        Operation::ResumeCall => calls::resume(world, sql, person, request.param(0)?).await,
        Operation::EndCall => calls::end(world, sql, person, request.param(0)?).await,
        Operation::GetTranscript => calls::transcript(stores, person, request.param(0)?).await,
        Operation::ListCallEvents => calls::events(stores, person, &request).await,
        Operation::GetRecording => recordings::get(stores, person, &request).await,
        Operation::PutClientRecording => recordings::put_client(stores, person, request).await,
        Operation::ListPhoneNumbers => numbers::list(sql, person, &request).await,
        Operation::CreatePhoneNumber => {
            numbers::create(world, stores, person, request, limit).await
        }
        Operation::GetPhoneNumber => numbers::get(sql, person, request.param(0)?).await,
        Operation::DeletePhoneNumber => {
            numbers::delete(world, sql, person, request.param(0)?).await
        }
        other => Err(misplaced(other)),
    }
}

async fn for_service<W: World>(
    world: &W,
    stores: &StoresOf<'_, W>,
    route: &'static Route,
    request: Incoming<W::Body>,
) -> Result<Answer<W::Stream>, Problem> {
    if route.operation == Operation::PutSegment {
        return voice_link::put_segment(stores, request).await;
    }
    let promised = request.header(BODY_HASH_HEADER).unwrap_or_default().to_owned();
    let params = request.params.clone();
    let bytes = request.body.bytes(limit(route)).await?;
    if body_hash(&bytes) != promised {
        return Err(Problem::new(Kind::HashMismatch, "the body is not what was signed"));
    }
    match route.operation {
        Operation::ClaimCall => voice_link::claim(world, stores, &params, &bytes).await,
        Operation::AppendJournal => voice_link::journal(world, stores, &params, &bytes).await,
        Operation::ReportCall => voice_link::report(world, stores, &params, &bytes).await,
        Operation::Heartbeat => voice_link::heartbeat(world, stores, &params, &bytes).await,
        other => Err(misplaced(other)),
    }
}

async fn for_twilio<W: World>(
    world: &W,
    webhook: &Webhook<'_, W>,
    route: &'static Route,
) -> Result<Answer<W::Stream>, Problem> {
    match route.operation {
        Operation::TwilioVoice => telephony::voice(world, webhook).await,
        Operation::TwilioResume => telephony::resume(world, webhook).await,
        Operation::TwilioStatus => telephony::status(world, webhook).await,
        other => Err(misplaced(other)),
    }
}

/// A line of the route table whose access and operation do not belong together.
fn misplaced(operation: Operation) -> Problem {
    Problem::internal(format!("{operation:?} is not reached with this access"))
}

fn refuse<W: World>(world: &W, problem: &Problem, id: RequestId) -> Answer<W::Stream> {
    let id = id.to_string();
    let level = if problem.kind.status() >= 500 { Level::Error } else { Level::Info };
    if level == Level::Error {
        world.log(level, problem.kind.code(), &id, problem.cause.as_deref().unwrap_or_default());
    }
    let body = Bytes::from(problem.body(&id));
    let mut answer = Answer::bytes(problem.status(), "application/problem+json", body);
    for (name, value) in &problem.headers {
        answer = answer.header(HeaderName::from_static(name), value);
    }
    answer
}

fn allowed_origin<W: World>(world: &W, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    let allowed = world.config().allowed_origins.iter().any(|o| o.as_bytes() == origin.as_bytes());
    allowed.then(|| origin.clone())
}

fn preflight<S>() -> Answer<S> {
    Answer::no_content()
        .header(header::ACCESS_CONTROL_ALLOW_METHODS, CORS_METHODS)
        .header(header::ACCESS_CONTROL_ALLOW_HEADERS, CORS_HEADERS)
        .header(header::ACCESS_CONTROL_MAX_AGE, "600")
}

/// Headers of every answer (OWASP ASVS 5 §3.4), the request's id, and CORS for an allowed origin.
fn dress<S>(
    answer: Answer<S>,
    id: RequestId,
    origin: Option<HeaderValue>,
    head: bool,
    docs: bool,
) -> Response<Reply<S>> {
    let Answer { status, mut headers, body } = answer;
    let policy = if docs { docs::POLICY } else { "default-src 'none'; frame-ancestors 'none'" };
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::STRICT_TRANSPORT_SECURITY, "max-age=63072000; includeSubDomains"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-site"),
        (header::VARY, "origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        headers.insert("x-request-id", id);
    }
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers
            .insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(CORS_EXPOSED));
    } else {
        headers.remove(header::ACCESS_CONTROL_ALLOW_METHODS);
        headers.remove(header::ACCESS_CONTROL_ALLOW_HEADERS);
        headers.remove(header::ACCESS_CONTROL_MAX_AGE);
    }
    let body = if head || status == StatusCode::NOT_MODIFIED {
        keep_length(&mut headers, &body);
        Reply::Empty
    } else {
        body
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// A HEAD answer names the length that GET would have.
fn keep_length<S>(headers: &mut HeaderMap, body: &Reply<S>) {
    let length = match body {
        Reply::Empty => return,
        Reply::Bytes(bytes) => bytes.len() as u64,
        Reply::Stream { length, .. } => *length,
    };
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
}
