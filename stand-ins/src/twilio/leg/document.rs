//! Where documents come from.

use std::sync::Arc;

use nexus_core::twilio::Form;
use url::Url;

use super::{Leave, Leg};
use crate::faults::Service;
use crate::twilio::call::Script;
use crate::twilio::line::{Event, Webhook};
use crate::twilio::markup::{Markup, Target};
use crate::twilio::webhook::Answer;

/// Errors of api/errors.
const ERROR_URL: u32 = 11_100;
const ERROR_FETCH: u32 = 11_200;
const ERROR_MARKUP: u32 = 12_100;
const ERROR_CONTENT_TYPE: u32 = 12_300;

impl Leg {
    /// A document, or `None` when neither it nor the fallback can be had.
    pub(super) async fn read(
        &mut self,
        script: Script,
        fields: Form,
    ) -> Result<Option<Markup>, Leave> {
        let target = match script {
            Script::At(target) => target,
            Script::Markup(xml) => return Ok(self.parse(&xml).ok()),
        };
        let code = match self.fetch(&target, fields).await? {
            Ok(markup) => return Ok(Some(markup)),
            Err(code) => code,
        };
        let Some(fallback) = self.fallback.take() else { return Ok(None) };
        let fields = Form::default()
            .with("ErrorCode", code.to_string())
            .with("ErrorUrl", target.url.as_str());
        Ok(self.fetch(&fallback, fields).await?.ok())
    }

    /// Asks for a document; an error is Twilio's code and has been told.
    async fn fetch(&mut self, target: &Target, fields: Form) -> Result<Result<Markup, u32>, Leave> {
        let Some(url) = self.resolve(&target.url) else {
            self.fail(ERROR_URL, "the document's address is no URL");
            return Ok(Err(ERROR_URL));
        };
        let mut form = self.call.fields(self.network.account.sid());
        for (name, value) in fields.iter() {
            form.push(name, value);
        }
        let (network, method) = (Arc::clone(&self.network), target.method);
        network.note(Service::Twilio, "webhook", &url, &form);
        let answer = self.during(network.webhooks.send(method, &url, &form)).await?;
        let (status, body) = match &answer {
            Ok(answer) => (Some(answer.status), String::from_utf8_lossy(&answer.body).into_owned()),
            Err(_) => (None, String::new()),
        };
        let webhook = Webhook { url: url.clone(), method, form, status, body };
        self.see(Event::Webhook(webhook));
        let outcome = match check(answer) {
            Ok(xml) => self.parse(&xml),
            Err((code, detail)) => {
                self.fail(code, &detail);
                Err(code)
            }
        };
        if outcome.is_ok() {
            self.base = url;
        }
        Ok(outcome)
    }

    fn parse(&self, xml: &str) -> Result<Markup, u32> {
        xml.parse().map_err(|error: crate::twilio::MarkupError| {
            self.fail(ERROR_MARKUP, &error.to_string());
            ERROR_MARKUP
        })
    }

    /// An address as it stands in a document, made absolute; absolute ones stay as written, because
    /// that is what is signed.
    pub(super) fn resolve(&self, url: &str) -> Option<String> {
        let is_web = |url: &Url| matches!(url.scheme(), "http" | "https");
        if let Ok(absolute) = Url::parse(url) {
            return is_web(&absolute).then(|| url.to_owned());
        }
        let joined = Url::parse(&self.base).ok()?.join(url).ok()?;
        is_web(&joined).then(|| joined.to_string())
    }
}

/// The XML of an answer, or what is wrong with it.
fn check(answer: Result<Answer, String>) -> Result<String, (u32, String)> {
    let answer = answer.map_err(|detail| (ERROR_FETCH, detail))?;
    if !(200..300).contains(&answer.status) {
        return Err((ERROR_FETCH, format!("status {}", answer.status)));
    }
    let media_type = answer.content_type.split(';').next().unwrap_or_default().trim();
    if !matches!(media_type, "text/xml" | "application/xml") {
        return Err((ERROR_CONTENT_TYPE, format!("content type {media_type:?}")));
    }
    String::from_utf8(answer.body).map_err(|_| (ERROR_MARKUP, "not UTF-8".to_owned()))
}
