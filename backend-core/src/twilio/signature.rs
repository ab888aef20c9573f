//! `X-Twilio-Signature`: what proves that a request comes from Twilio.
//!
//! `base64(HMAC-SHA1(auth token, URL + each form name and value))`, over the URL as configured: raw,
//! never normalised, userinfo included. Twilio is not consistent about ports, so that a validator
//! tries the URL with and without one. A body that is no form is covered through the query's
//! `bodySHA256`. Since 2026 a second header may name HMAC-SHA256 and a shared key instead.
//! Source: twilio.com/docs/usage/webhooks/webhooks-security, the official libraries' validators.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

use data_encoding::{BASE64, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Form;

/// Header with the signature.
pub const SIGNATURE_HEADER: &str = "x-twilio-signature";
/// Header that names another key and algorithm than auth token and HMAC-SHA1.
pub const SETTINGS_HEADER: &str = "x-twilio-webhooks-signature-settings";
/// Query parameter with the lower-case hex SHA-256 of a body that is no form.
pub const BODY_HASH_PARAMETER: &str = "bodySHA256";

/// A key that signs webhooks: an account's auth token or a shared key. Not printable.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret(String);

impl SigningSecret {
    /// Wraps the text as given; `None` when it is empty, since anybody can sign with that.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        (!text.is_empty()).then_some(Self(text))
    }

    /// The text, for Basic authentication.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

/// Everything that one account's requests may be signed with.
#[derive(Clone, Debug, Default)]
pub struct SigningKeys {
    auth_tokens: Vec<SigningSecret>,
    shared: Vec<(String, SigningSecret)>,
}

impl SigningKeys {
    /// An account with one auth token.
    pub fn new(auth_token: SigningSecret) -> Self {
        Self { auth_tokens: vec![auth_token], shared: Vec::new() }
    }

    /// The same with one more auth token: during a rotation either may sign.
    #[must_use]
    pub fn with_auth_token(mut self, auth_token: SigningSecret) -> Self {
        self.auth_tokens.push(auth_token);
        self
    }

    /// The same with a shared key for HMAC-SHA256; `id` is its `webhooks_sharedkey_…`.
    #[must_use]
    pub fn with_shared_key(mut self, id: impl Into<String>, secret: SigningSecret) -> Self {
        self.shared.push((id.into(), secret));
        self
    }
}

/// Why a request is not Twilio's. The official middleware answers 400 to the first and 403 to the
/// others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No signature header.
    #[error("the signature header is missing")]
    Missing,
    /// The settings header is malformed or names a key or an algorithm that we do not have.
    #[error("the signature's key or algorithm is unknown")]
    Settings,
    /// A body that is no form, and no or another hash of it in the query.
    #[error("the body does not fit its hash")]
    BodyHash,
    /// The signature does not fit.
    #[error("the signature is wrong")]
    Mismatch,
}

/// What a request carries besides its URL.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// Nothing: GET, and a stream's WebSocket handshake.
    None,
    /// A form in a POST.
    Form(&'a Form),
    /// Any other body, such as JSON.
    Body(&'a [u8]),
}

/// What is signed of a request.
#[derive(Clone, Copy, Debug)]
pub struct SignedRequest<'a> {
    /// The whole URL as Twilio was told it, query included. Behind a proxy it is built from the
    /// configured public base, never from the `Host` header alone.
    pub url: &'a str,
    /// The rest.
    pub content: Content<'a>,
}

impl SignedRequest<'_> {
    /// The value of [`SIGNATURE_HEADER`] with an auth token.
    pub fn sign(&self, auth_token: &SigningSecret) -> String {
        let mac = keyed::<Hmac<Sha1>>(auth_token);
        mac.map_or_else(String::new, |mac| {
            BASE64.encode(&self.feed(mac, self.url).finalize().into_bytes())
        })
    }

    /// The values of [`SIGNATURE_HEADER`] and [`SETTINGS_HEADER`] with a shared key.
    pub fn sign_shared(&self, id: &str, secret: &SigningSecret) -> (String, String) {
        let mac = keyed::<Hmac<Sha256>>(secret);
        let signature = mac.map_or_else(String::new, |mac| {
            BASE64.encode(&self.feed(mac, self.url).finalize().into_bytes())
        });
        (signature, format!("key={id},algorithm=HMAC_SHA256"))
    }

    /// Checks the values of [`SIGNATURE_HEADER`] and [`SETTINGS_HEADER`].
    pub fn verify(
        &self,
        signature: Option<&str>,
        settings: Option<&str>,
        keys: &SigningKeys,
    ) -> Result<(), SignatureError> {
        let signature = signature.ok_or(SignatureError::Missing)?;
        self.verify_body()?;
        let settings = settings.map_or(Ok(Settings::AUTH_TOKEN), Settings::parse)?;
        let tag = BASE64.decode(signature.as_bytes()).map_err(|_| SignatureError::Mismatch)?;
        let fits = match settings.algorithm {
            Algorithm::HmacSha1 => self.fits_any::<Hmac<Sha1>>(&tag, keys.auth_tokens.iter()),
            Algorithm::HmacSha256 => {
                let id = settings.key.ok_or(SignatureError::Settings)?;
                let mut shared = keys.shared.iter().filter(|(known, _secret)| known == id);
                let (_id, secret) = shared.next().ok_or(SignatureError::Settings)?;
                self.fits_any::<Hmac<Sha256>>(&tag, [secret].into_iter())
            }
        };
        if fits { Ok(()) } else { Err(SignatureError::Mismatch) }
    }

    fn verify_body(&self) -> Result<(), SignatureError> {
        let Content::Body(body) = self.content else { return Ok(()) };
        let told = body_hash_of(self.url).ok_or(SignatureError::BodyHash)?;
        let hash = HEXLOWER.encode(&Sha256::digest(body));
        let fits = bool::from(hash.as_bytes().ct_eq(told.as_bytes()));
        if fits { Ok(()) } else { Err(SignatureError::BodyHash) }
    }

    fn fits_any<'k, M: Mac + KeyInit>(
        &self,
        tag: &[u8],
        secrets: impl Iterator<Item = &'k SigningSecret>,
    ) -> bool {
        let urls = spellings(self.url);
        let mut fits = false;
        for secret in secrets {
            for url in &urls {
                let mac = keyed::<M>(secret).map(|mac| self.feed(mac, url));
                fits |= mac.is_some_and(|mac| mac.verify_slice(tag).is_ok());
            }
        }
        fits
    }

    /// The text that is signed: the URL, then each name with its distinct values, all sorted.
    fn feed<M: Mac>(&self, mut mac: M, url: &str) -> M {
        mac.update(url.as_bytes());
        let Content::Form(form) = self.content else { return mac };
        let mut fields = BTreeMap::<&str, BTreeSet<&str>>::new();
        for (name, value) in form.iter() {
            fields.entry(name).or_default().insert(value);
        }
        for (name, values) in fields {
            for value in values {
                mac.update(name.as_bytes());
                mac.update(value.as_bytes());
            }
        }
        mac
    }
}

/// `url` with [`BODY_HASH_PARAMETER`] for `body`, as Twilio adds it before it signs.
pub fn with_body_hash(url: &str, body: &[u8]) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    let hash = HEXLOWER.encode(&Sha256::digest(body));
    format!("{url}{separator}{BODY_HASH_PARAMETER}={hash}")
}

/// HMAC takes a key of any length, so this never is `None`.
fn keyed<M: KeyInit>(secret: &SigningSecret) -> Option<M> {
    M::new_from_slice(secret.0.as_bytes()).ok()
}

fn body_hash_of(url: &str) -> Option<&str> {
    let (_path, query) = url.split_once('?')?;
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(name, _hash)| *name == BODY_HASH_PARAMETER).map(|(_name, hash)| hash).next_back()
}

#[derive(Clone, Copy)]
enum Algorithm {
    HmacSha1,
    HmacSha256,
}

/// The settings header: `key=webhooks_sharedkey_…,algorithm=HMAC_SHA256`.
struct Settings<'a> {
    key: Option<&'a str>,
    algorithm: Algorithm,
}

impl<'a> Settings<'a> {
    const AUTH_TOKEN: Self = Self { key: None, algorithm: Algorithm::HmacSha1 };

    fn parse(header: &'a str) -> Result<Self, SignatureError> {
        let mut settings = Self::AUTH_TOKEN;
        for part in header.split(',') {
            let (name, value) = part.trim().split_once('=').ok_or(SignatureError::Settings)?;
            match (name, value) {
                ("key", key) => settings.key = Some(key),
                ("algorithm", "HMAC_SHA1") => settings.algorithm = Algorithm::HmacSha1,
                ("algorithm", "HMAC_SHA256") => settings.algorithm = Algorithm::HmacSha256,
                ("algorithm", _) => return Err(SignatureError::Settings),
                // A setting that comes to be later.
                _ => {}
            }
        }
        Ok(settings)
    }
}

/// The URLs that the signature may be over: as configured, then with its query normalised as
/// browsers do; each with its port (or the scheme's) and without.
fn spellings(url: &str) -> Vec<String> {
    let mut spellings = vec![url.to_owned()];
    let normal = normal_query(url);
    for url in [url, &normal] {
        let ports = Authority::find(url).map(|at| [at.with_port(url), at.without_port(url)]);
        spellings.extend(ports.into_iter().flatten().flatten());
    }
    spellings.push(normal);
    spellings.sort_unstable();
    spellings.dedup();
    spellings
}

/// The URL with what WHATWG URL §4.4 encodes in the query of `https`, such as `'`.
fn normal_query(url: &str) -> String {
    let Some((path, query)) = url.split_once('?') else { return url.to_owned() };
    let mut normal = format!("{path}?");
    for byte in query.bytes() {
        match byte {
            0..=b' ' | b'"' | b'#' | b'\'' | b'<' | b'>' | 0x7F.. => {
                // Writing to a string cannot fail.
                _ = write!(normal, "%{byte:02X}");
            }
            _ => normal.push(char::from(byte)),
        }
    }
    normal
}

/// Where a URL's host ends and its port stands.
struct Authority {
    host_end: usize,
    /// Behind the port; the same as `host_end` without one.
    end: usize,
    default_port: u16,
}

impl Authority {
    /// Host and port, after any userinfo; an IPv6 host stands in brackets.
    fn find(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let start = scheme.len() + 3;
        let authority = rest.split(['/', '?', '#']).next()?;
        let host = authority.rfind('@').map_or(0, |at| at + 1);
        let brackets = authority.get(host..)?.rfind(']').map_or(host, |at| host + at + 1);
        let colon = authority.get(brackets..)?.rfind(':').map(|at| brackets + at);
        let end = start + authority.len();
        let default_port = if matches!(scheme, "https" | "wss") { 443 } else { 80 };
        Some(Self { host_end: colon.map_or(end, |at| start + at), end, default_port })
    }

    /// `None` where the URL has a port already.
    fn with_port(&self, url: &str) -> Option<String> {
        let (before, after) = url.split_at_checked(self.end)?;
        let missing = self.host_end == self.end;
        missing.then(|| format!("{before}:{}{after}", self.default_port))
    }

    /// `None` where the URL has no port.
    fn without_port(&self, url: &str) -> Option<String> {
        let present = self.host_end < self.end;
        present.then(|| Some(format!("{}{}", url.get(..self.host_end)?, url.get(self.end..)?)))?
    }
}

#[cfg(test)]
mod tests;
