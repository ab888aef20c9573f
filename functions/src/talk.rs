//! The talk page (`/talk`): which of its files a request means, and the headers that they go out
//! with. The files are built from `console/`; the runtime holds them and sends their bytes.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use nexus_core::cell::Cell;
use serde_json::json;

use crate::config::Config;

/// Where the files with names of their content are.
const ASSETS: &str = "/talk/assets/";
/// Hosts that only this machine reaches.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// What is answered to a request for the talk page.
#[derive(Debug)]
pub enum Talk {
    /// A built file.
    File {
        /// Its path in the folder that was built.
        path: String,
        /// The answer's headers.
        headers: HeaderMap,
    },
    /// Bytes that are at hand.
    Bytes {
        /// The answer's headers.
        headers: HeaderMap,
        /// Its body.
        bytes: Bytes,
    },
}

/// What the talk page has under this address, if it is one of its own.
pub fn find(config: &Config, method: &Method, uri: &Uri) -> Option<Talk> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return None;
    }
    match uri.path() {
        "/talk" | "/talk/" => Some(page(config)),
        "/talk/demo.json" => demo(config, uri),
        path => asset(path.strip_prefix(ASSETS)?),
    }
}

fn headers(content_type: &'static str, cache: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, cache),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::STRICT_TRANSPORT_SECURITY, "max-age=63072000; includeSubDomains"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
}

fn page(config: &Config) -> Talk {
    let mut headers = headers("text/html; charset=utf-8", "no-cache");
    if let Ok(policy) = HeaderValue::from_str(&policy(config)) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    let microphone = HeaderValue::from_static("microphone=(self), camera=(), geolocation=()");
    headers.insert("permissions-policy", microphone);
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    Talk::File { path: "/index.html".to_owned(), headers }
}

/// Our own scripts and styles from files, our own API, and the voice servers: nothing else. The page's
/// icon is an empty `data:` address, or browsers would ask for one that is not there.
fn policy(config: &Config) -> String {
    let mut connect = "'self'".to_owned();
    for cell in [Cell::Us, Cell::Eu] {
        if let Some(origin) = config.addresses(cell).voice_url.as_deref().and_then(origin) {
            connect.push(' ');
            connect.push_str(&origin);
        }
    }
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src {connect}; \
         img-src data:; media-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'"
    )
}

/// Scheme, host and port of an address: with a path, a policy would allow that path alone.
fn origin(address: &str) -> Option<String> {
    let uri: Uri = address.parse().ok()?;
    Some(format!("{}://{}", uri.scheme_str()?, uri.authority()?))
}

/// A file whose name changes with its content.
fn asset(name: &str) -> Option<Talk> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.starts_with('.') || !name.bytes().all(plain) {
        return None;
    }
    let content_type = match name.rsplit_once('.')?.1 {
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        _ => return None,
    };
    let headers = headers(content_type, "public, max-age=31536000, immutable");
    Some(Talk::File { path: format!("/assets/{name}"), headers })
}

/// The demo account of a system on one's own machine, for the page to offer. A foreign page cannot
/// read it, and one that has its own name lead here does not get it.
fn demo(config: &Config, uri: &Uri) -> Option<Talk> {
    let account = config.demo.as_ref()?;
    let host = uri.host()?;
    if !LOOPBACK.contains(&host) {
        return None;
    }
    let body = json!({"email": account.email, "password": account.password});
    Some(Talk::Bytes {
        headers: headers("application/json", "no-store"),
        bytes: Bytes::from(body.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DemoAccount;

    fn config() -> Config {
        let mut config = crate::config::tests::complete();
        config.demo = Some(DemoAccount { email: "d@example.com".into(), password: "s".into() });
        config
    }

    fn get(config: &Config, address: &str) -> Option<Talk> {
        find(config, &Method::GET, &address.parse().unwrap())
    }

    #[test]
    fn the_page_may_reach_its_own_origin_and_the_voice_servers_alone() {
        let Some(Talk::File { path, headers }) = get(&config(), "https://edge.example/talk") else {
            panic!("no page");
        };
        assert_eq!(path, "/index.html");
        assert_eq!(headers["cache-control"], "no-cache");
        assert!(headers["permissions-policy"].to_str().unwrap().starts_with("microphone=(self)"));
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("connect-src 'self' wss://voice.example wss://eu.example:8081;"));
        assert!(policy.contains("img-src data:;"), "the icon's: {policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
    }

    #[test]
    fn the_page_has_one_address_with_and_without_a_slash() {
        for address in ["/talk", "/talk/"] {
            let found = get(&config(), address);
            assert!(matches!(found, Some(Talk::File { path, .. }) if path == "/index.html"));
        }
        assert!(get(&config(), "/talk/x").is_none());
    }

    #[test]
    fn files_are_kept_for_ever_and_nothing_outside_of_them_is_reached() {
        for (name, content_type) in [
            ("main-AB12.js", "text/javascript; charset=utf-8"),
            ("s.css", "text/css; charset=utf-8"),
        ] {
            let Some(Talk::File { path, headers }) =
                get(&config(), &format!("/talk/assets/{name}"))
            else {
                panic!("{name} is not found");
            };
            assert_eq!(path, format!("/assets/{name}"));
            assert_eq!(headers["content-type"], content_type);
            assert_eq!(headers["cache-control"], "public, max-age=31536000, immutable");
        }
        for path in ["", "../index.html", "a/b.js", "%2e%2e.js", ".js", "main.html", "main"] {
            assert!(get(&config(), &format!("/talk/assets/{path}")).is_none(), "{path}");
        }
        assert!(find(&config(), &Method::POST, &Uri::from_static("/talk")).is_none());
        assert!(get(&config(), "/api/agents").is_none());
    }

    #[test]
    fn the_demo_account_is_offered_on_this_machine_alone() {
        for host in ["127.0.0.1:8787", "localhost:8787", "[::1]:8787"] {
            let found = get(&config(), &format!("http://{host}/talk/demo.json"));
            let Some(Talk::Bytes { headers, bytes }) = found else { panic!("not at {host}") };
            assert_eq!(&bytes[..], br#"{"email":"d@example.com","password":"s"}"#);
            assert_eq!(headers["cache-control"], "no-store");
        }
        for address in ["https://edge.example/talk/demo.json", "/talk/demo.json"] {
            assert!(get(&config(), address).is_none(), "{address}");
        }
        let mut without = config();
        without.demo = None;
        assert!(get(&without, "http://localhost/talk/demo.json").is_none());
    }
}
