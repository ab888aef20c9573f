//! Every route of the API in one table: the router, the access rules and the API document are made
//! of it.

use std::sync::OnceLock;

use http::Method;
use matchit::Router;
use nexus_core::account::Role;

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// A person with at least this role.
    User(Role),
    /// A voice server, by signature.
    Service,
    /// Twilio, by the signature of a configured account.
    Twilio,
}

/// What body a route takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// None; one that is sent is ignored.
    Nothing,
    /// A JSON object of at most this many bytes.
    Json(usize),
    /// A JSON merge patch (RFC 7396) of at most this many bytes.
    Patch(usize),
    /// A form (`application/x-www-form-urlencoded`) of at most this many bytes.
    Form(usize),
    /// Raw bytes that are streamed into the bucket.
    Stream,
}

/// Limit of ordinary JSON bodies, in bytes.
const SMALL: usize = 256 * 1024;
/// Limit of a journal batch, in bytes.
const BATCH: usize = 1024 * 1024;
/// Limit of a webhook's form, in bytes.
const FORM: usize = 64 * 1024;

macro_rules! routes {
    ($($(#[doc = $doc:literal])* $name:ident = $method:ident $path:literal, $access:expr, $takes:expr;)*) => {
        /// What a route does; the name is the OpenAPI operation id.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Operation { $($(#[doc = $doc])* $name,)* }

        /// The table.
        pub const ROUTES: &[Route] = &[$(Route {
            operation: Operation::$name,
            id: stringify!($name),
            summary: concat!($($doc),*),
            method: Method::$method,
            path: $path,
            access: $access,
            takes: $takes,
        },)*];
    };
}

/// One line of the table.
#[derive(Debug)]
pub struct Route {
    /// What it does.
    pub operation: Operation,
    /// The operation's name.
    pub id: &'static str,
    /// In a sentence.
    pub summary: &'static str,
    /// The method.
    pub method: Method,
    /// The path, parameters in braces.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    /// What body it takes.
    pub takes: Takes,
}

routes! {
    /// Whether the edge answers; `deep=1` asks its stores too.
    Health = GET "/health", Access::Public, Takes::Nothing;
    /// This document.
    OpenApi = GET "/openapi.json", Access::Public, Takes::Nothing;
    /// This document for people.
    Docs = GET "/docs", Access::Public, Takes::Nothing;

    /// Creates an organisation and its owner.
    Register = POST "/api/auth/register", Access::Public, Takes::Json(SMALL);
    /// Trades address and password for tokens.
    Login = POST "/api/auth/login", Access::Public, Takes::Json(SMALL);
    /// Trades a refresh token for the next pair of tokens.
    Refresh = POST "/api/auth/refresh", Access::Public, Takes::Json(SMALL);
    /// Ends the login that the refresh token belongs to.
    Logout = POST "/api/auth/logout", Access::Public, Takes::Json(SMALL);
    /// Who is logged in.
    Me = GET "/api/auth/me", Access::User(Role::Viewer), Takes::Nothing;
    /// The organisation.
    GetOrg = GET "/api/org", Access::User(Role::Viewer), Takes::Nothing;
    /// Renames the organisation.
    PatchOrg = PATCH "/api/org", Access::User(Role::Admin), Takes::Patch(SMALL);

    /// The organisation's agents, newest first.
    ListAgents = GET "/api/agents", Access::User(Role::Viewer), Takes::Nothing;
    /// Creates an agent with its first version.
    CreateAgent = POST "/api/agents", Access::User(Role::Member), Takes::Json(SMALL);
    /// One agent with its current settings.
    GetAgent = GET "/api/agents/{id}", Access::User(Role::Viewer), Takes::Nothing;
    /// Makes the next version of an agent from a merge patch of its settings.
    PatchAgent = PATCH "/api/agents/{id}", Access::User(Role::Member), Takes::Patch(SMALL);
    /// Deletes an agent; its calls and versions stay.
    DeleteAgent = DELETE "/api/agents/{id}", Access::User(Role::Member), Takes::Nothing;
    /// The versions of an agent, newest first.
    ListAgentVersions = GET "/api/agents/{id}/versions", Access::User(Role::Viewer), Takes::Nothing;

    /// The organisation's calls, newest first.
    ListCalls = GET "/api/calls", Access::User(Role::Viewer), Takes::Nothing;
    /// Creates a call and the ticket that opens it.
    CreateCall = POST "/api/calls", Access::User(Role::Member), Takes::Json(SMALL);
    /// One call.
    GetCall = GET "/api/calls/{id}", Access::User(Role::Viewer), Takes::Nothing;
    /// A fresh ticket for a browser that has lost its connection to a call.
    ResumeCall = POST "/api/calls/{id}/resume", Access::User(Role::Member), Takes::Nothing;
    /// Ends a call.
    EndCall = POST "/api/calls/{id}/end", Access::User(Role::Member), Takes::Nothing;
    /// What was said and heard.
    GetTranscript = GET "/api/calls/{id}/transcript", Access::User(Role::Viewer), Takes::Nothing;
    /// The journal of a call, oldest first.
    ListCallEvents = GET "/api/calls/{id}/events", Access::User(Role::Viewer), Takes::Nothing;
    /// The recording as a WAV of two channels; takes ranges.
    GetRecording = GET "/api/calls/{id}/recording", Access::User(Role::Viewer), Takes::Nothing;
    /// Stores the browser's own recording beside the server's (`source=client`).
    PutClientRecording = PUT "/api/calls/{id}/recording", Access::User(Role::Member), Takes::Stream;

    /// The organisation's phone numbers, newest first.
    ListPhoneNumbers = GET "/api/phone-numbers", Access::User(Role::Viewer), Takes::Nothing;
    /// Leads a phone number to an agent.
    CreatePhoneNumber = POST "/api/phone-numbers", Access::User(Role::Member), Takes::Json(SMALL);
    /// One phone number.
    GetPhoneNumber = GET "/api/phone-numbers/{id}", Access::User(Role::Viewer), Takes::Nothing;
    /// Gives a phone number up; its calls stay.
    DeletePhoneNumber = DELETE "/api/phone-numbers/{id}", Access::User(Role::Member), Takes::Nothing;

    /// A phone number is called: what to do with the line.
    TwilioVoice = POST "/twilio/voice", Access::Twilio, Takes::Form(FORM);
    /// The audio stream of a call has ended: hang up, or connect the line anew.
    TwilioResume = POST "/twilio/resume/{id}", Access::Twilio, Takes::Form(FORM);
    /// What became of a line.
    TwilioStatus = POST "/twilio/status", Access::Twilio, Takes::Form(FORM);

    /// A voice server takes a call.
    ClaimCall = POST "/internal/calls/{id}/claim", Access::Service, Takes::Json(SMALL);
    /// A voice server delivers journal entries.
    AppendJournal = POST "/internal/calls/{id}/journal", Access::Service, Takes::Json(BATCH);
    /// A voice server delivers a segment of the recording.
    PutSegment = PUT "/internal/calls/{id}/recording/{epoch}/{n}", Access::Service, Takes::Stream;
    /// A voice server has delivered everything.
    ReportCall = POST "/internal/calls/{id}/report", Access::Service, Takes::Json(SMALL);
    /// A voice server is alive.
    Heartbeat = POST "/internal/servers/{id}/heartbeat", Access::Service, Takes::Json(SMALL);
}

/// What a path leads to.
#[derive(Debug)]
pub(crate) enum Found {
    /// A route, and the values of its path's parameters.
    Route(&'static Route, Vec<String>),
    /// The path exists for these methods only.
    OtherMethods(Vec<&'static str>),
    /// No such path.
    Nothing,
}

fn router() -> &'static Router<Vec<&'static Route>> {
    static ROUTER: OnceLock<Router<Vec<&'static Route>>> = OnceLock::new();
    ROUTER.get_or_init(|| {
        let mut by_path: Vec<(&str, Vec<&'static Route>)> = Vec::new();
        for route in ROUTES {
            match by_path.iter_mut().find(|(path, _)| *path == route.path) {
                Some((_, routes)) => routes.push(route),
                None => by_path.push((route.path, vec![route])),
            }
        }
        let mut router = Router::new();
        for (path, routes) in by_path {
            // A malformed table would lose a route here; the test below walks all of them.
            let _ = router.insert(path, routes);
        }
        router
    })
}

/// Looks a path up.
pub(crate) fn find(method: &Method, path: &str) -> Found {
    let Ok(matched) = router().at(path) else { return Found::Nothing };
    // HEAD is GET without the body (RFC 9110 §9.3.2).
    let wanted = if *method == Method::HEAD { &Method::GET } else { method };
    match matched.value.iter().find(|route| route.method == wanted) {
        Some(route) => {
            let params = matched.params.iter().map(|(_, value)| value.to_owned()).collect();
            Found::Route(route, params)
        }
        None => {
            Found::OtherMethods(matched.value.iter().map(|route| route.method.as_str()).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_of_the_table_is_found() {
        for route in ROUTES {
            let path = route.path.replace("{id}", "x").replace("{epoch}", "1").replace("{n}", "0");
            match find(&route.method, &path) {
                Found::Route(found, _) => assert_eq!(found.operation, route.operation),
                other => panic!("{path}: {other:?}"),
            }
        }
        assert!(matches!(find(&Method::PUT, "/health"), Found::OtherMethods(_)));
        assert!(matches!(find(&Method::GET, "/nowhere"), Found::Nothing));
    }
}
