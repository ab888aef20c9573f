//! The public API, as a client of ours uses it.

use std::time::Duration;

use serde_json::{Value, json};
use ureq::{Agent, RequestBuilder};

use crate::error::Fault;

/// The API behind one address.
#[derive(Debug)]
pub struct Api {
    agent: Agent,
    base: String,
    token: Option<String>,
    header: Option<(&'static str, String)>,
}

fn agent() -> Agent {
    Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(30)))
        .http_status_as_error(false)
        .build()
        .new_agent()
}

impl Api {
    /// The API at `base`.
    pub fn at(base: &str) -> Self {
        Self { agent: agent(), base: base.to_owned(), token: None, header: None }
    }

    /// The same, with a header on every request.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.header = Some((name, value));
        self
    }

    /// Whether a GET of `url` succeeds at once.
    pub fn answers(url: &str) -> bool {
        agent().get(url).call().is_ok_and(|answer| answer.status().is_success())
    }

    fn read(
        what: &str,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Value, Fault> {
        let mut answer = answer.map_err(|error| Fault::of(what, &error))?;
        let status = answer.status();
        let text = answer.body_mut().read_to_string().map_err(|e| Fault::of(what, &e))?;
        let value: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(value);
        }
        let detail = value.get("detail").and_then(Value::as_str).unwrap_or_default();
        Err(Fault(format!("{what}: {status} {detail}")))
    }

    /// `request` with what goes with every one.
    fn with_headers<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        let bearer = format!("Bearer {}", self.token.as_deref().unwrap_or_default());
        let request = request.header("authorization", bearer);
        match &self.header {
            Some((name, value)) => request.header(*name, value),
            None => request,
        }
    }

    /// A POST of JSON.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, Fault> {
        let request = self.agent.post(format!("{}{path}", self.base));
        Self::read(path, self.with_headers(request).send_json(body))
    }

    /// A GET of JSON.
    pub fn get(&self, path: &str) -> Result<Value, Fault> {
        let request = self.agent.get(format!("{}{path}", self.base));
        Self::read(path, self.with_headers(request).call())
    }

    /// Registers the account if it is not there, and logs in.
    pub fn log_in(
        &mut self,
        email: &str,
        password: &str,
        org: &str,
        cell: &str,
    ) -> Result<(), Fault> {
        let credentials = json!({"email": email, "password": password});
        let mut answer = self.post("/api/auth/login", &credentials);
        if answer.is_err() {
            let account =
                json!({"email": email, "password": password, "org_name": org, "cell": cell});
            self.post("/api/auth/register", &account)?;
            answer = self.post("/api/auth/login", &credentials);
        }
        let token = answer?.get("access_token").and_then(Value::as_str).map(str::to_owned);
        self.token = Some(token.ok_or_else(|| Fault("login answered no token".to_owned()))?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;

    use super::*;

    /// A deployment is checked over the internet.
    #[test]
    fn https_is_spoken() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let first = std::thread::spawn(move || {
            let mut byte = [0];
            listener.accept().unwrap().0.read_exact(&mut byte).unwrap();
            byte[0]
        });
        assert!(!Api::answers(&format!("https://127.0.0.1:{port}/")));
        assert_eq!(first.join().unwrap(), 22, "not a TLS handshake");
    }
}
