//! Signed requests to the account's application.

use std::time::Duration;

use nexus_core::twilio::Form;
use nexus_core::twilio::signature::{Content, SIGNATURE_HEADER, SignedRequest};
use reqwest::redirect;
use serde::Deserialize;

use super::account::Account;

/// How long an application may take to answer.
const ANSWER_WAIT: Duration = Duration::from_secs(15);

/// How a webhook is requested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Fields in the query; the URL alone is signed.
    Get,
    /// Fields in a form, which is signed.
    #[default]
    Post,
}

impl Method {
    /// `GET` or `POST` in any case.
    pub fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_uppercase().as_str() {
            "GET" => Some(Self::Get),
            "POST" => Some(Self::Post),
            _ => None,
        }
    }
}

/// What an application answered.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: String,
    pub(super) body: Vec<u8>,
}

/// Sends an account's webhooks.
pub(super) struct Webhooks {
    http: reqwest::Client,
    account: Account,
}

impl Webhooks {
    pub(super) fn new(account: Account) -> reqwest::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(ANSWER_WAIT)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .user_agent("TwilioProxy/1.1")
            .build()?;
        Ok(Self { http, account })
    }

    /// Sends one request; an error says in words why there was no answer.
    pub(super) async fn send(
        &self,
        method: Method,
        url: &str,
        form: &Form,
    ) -> Result<Answer, String> {
        let request = match method {
            Method::Get => {
                let separator = if url.contains('?') { '&' } else { '?' };
                let url = format!("{url}{separator}{}", form.encode());
                let signed = SignedRequest { url: &url, content: Content::None };
                let signature = signed.sign(self.account.auth_token());
                self.http.get(&url).header(SIGNATURE_HEADER, signature)
            }
            Method::Post => {
                let signed = SignedRequest { url, content: Content::Form(form) };
                self.http
                    .post(url)
                    .header(SIGNATURE_HEADER, signed.sign(self.account.auth_token()))
                    .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
                    .body(form.encode())
            }
        };
        let failed = |error: reqwest::Error| error.without_url().to_string();
        let response = request.header("accept", "*/*").send().await.map_err(failed)?;
        let content_type = response.headers().get("content-type");
        let content_type = content_type.and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default().to_owned();
        let status = response.status().as_u16();
        let body = response.bytes().await.map_err(failed)?.to_vec();
        Ok(Answer { status, content_type, body })
    }

    /// The signature of a stream's handshake.
    pub(super) fn sign_url(&self, url: &str) -> String {
        SignedRequest { url, content: Content::None }.sign(self.account.auth_token())
    }
}
