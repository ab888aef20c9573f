//! What proves that a stream's handshake comes from Twilio.

use http::HeaderMap;
use nexus_core::twilio::signature::{
    Content, SETTINGS_HEADER, SIGNATURE_HEADER, SignedRequest, SigningKeys, SigningSecret,
};
use url::Url;

use super::{Reader, providers::is_loopback};
use crate::providers::socket::socket_url;

/// Where Twilio's streams come in.
pub const STREAM_PATH: &str = "/v1/twilio";

/// How the handshakes of streams are checked.
#[derive(Clone, Debug)]
pub struct SignedStreams {
    /// The address as Twilio was told it: behind a proxy the `Host` header proves nothing.
    url: String,
    keys: SigningKeys,
}

impl SignedStreams {
    /// Whether Twilio signed a handshake with these headers.
    pub fn has_signed(&self, headers: &HeaderMap) -> bool {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let request = SignedRequest { url: &self.url, content: Content::None };
        request.verify(header(SIGNATURE_HEADER), header(SETTINGS_HEADER), &self.keys).is_ok()
    }
}

/// `None` unless both the token and the address are known; a stream's ticket is checked in any case.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<SignedStreams> {
    const NAME: &str = "NEXUS_PUBLIC_URL";
    let token = reader.get("TWILIO_AUTH_TOKEN").and_then(SigningSecret::new);
    let Some(base) = reader.get(NAME) else {
        if token.is_some() {
            reader.fault(NAME, "is missing: without it TWILIO_AUTH_TOKEN checks nothing");
        }
        return None;
    };
    let base = Url::parse(&base).ok().filter(|url| match url.scheme() {
        "https" | "wss" => url.host().is_some(),
        "http" | "ws" => is_loopback(url),
        _ => false,
    });
    let Some(base) = base else {
        reader.fault(NAME, "must be https or wss (http or ws only on loopback)");
        return None;
    };
    let url = socket_url(&base, STREAM_PATH).into();
    token.map(|token| SignedStreams { url, keys: SigningKeys::new(token) })
}
