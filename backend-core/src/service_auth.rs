//! How a voice server signs its requests to the edge.
//!
//! `x-nexus-signature: <kid>:<unix ms>:<hex HMAC-SHA-256>` over method, path with query, time and the
//! body's SHA-256 in hex, each on a line. No nonce: every internal route is idempotent. The body's
//! hash travels in `x-content-sha256`, so that a recording is checked by the bucket and not here.

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::time::UnixMs;

/// Header with key id, time and signature.
pub const SIGNATURE_HEADER: &str = "x-nexus-signature";
/// Header with the SHA-256 of the body in lower-case hex.
pub const BODY_HASH_HEADER: &str = "x-content-sha256";
/// How far the two clocks may differ, in milliseconds.
pub const SKEW_MS: i64 = 300_000;

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServiceAuthError {
    /// A header is missing or malformed.
    #[error("the signature headers are missing or malformed")]
    Malformed,
    /// No voice deployment has this key.
    #[error("the signing key is unknown")]
    UnknownKey,
    /// The clocks differ too much; the answer carries the edge's time.
    #[error("the request's time is too far off")]
    Clock,
    /// The signature does not fit the request.
    #[error("the signature is wrong")]
    Signature,
}

/// SHA-256 of `body` in lower-case hex.
pub fn body_hash(body: &[u8]) -> String {
    let mut hash = BodyHash::default();
    hash.update(body);
    hash.finish()
}

/// The same of a body that comes piece by piece.
#[derive(Clone, Debug, Default)]
pub struct BodyHash(Sha256);

impl BodyHash {
    /// The next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The value of [`BODY_HASH_HEADER`].
    pub fn finish(self) -> String {
        HEXLOWER.encode(&self.0.finalize())
    }
}

/// What is signed of a request.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// `PUT`, `POST`.
    pub method: &'a str,
    /// Path and query as sent.
    pub path: &'a str,
    /// The value of [`BODY_HASH_HEADER`].
    pub body_hash: &'a str,
}

impl Signed<'_> {
    fn mac(&self, key: &[u8], at: UnixMs) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
        mac.update(self.method.as_bytes());
        mac.update(b"\n");
        mac.update(self.path.as_bytes());
        mac.update(b"\n");
        mac.update(at.0.to_string().as_bytes());
        mac.update(b"\n");
        mac.update(self.body_hash.as_bytes());
        Some(mac)
    }

    /// The value of [`SIGNATURE_HEADER`].
    pub fn sign(&self, kid: &str, key: &[u8], at: UnixMs) -> String {
        // HMAC takes a key of any length; there is no other failure.
        let tag = self.mac(key, at).map(|mac| mac.finalize().into_bytes());
        format!("{kid}:{}:{}", at.0, HEXLOWER.encode(tag.as_ref().map_or(&[], |tag| &tag[..])))
    }

    /// Verifies `header`, looking the key up by its id; answers what `keys` gave for it.
    pub fn verify<'k, T>(
        &self,
        header: &str,
        now: UnixMs,
        keys: impl FnOnce(&str) -> Option<(T, &'k [u8])>,
    ) -> Result<T, ServiceAuthError> {
        let mut parts = header.split(':');
        let (Some(kid), Some(at), Some(tag), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(ServiceAuthError::Malformed);
        };
        let at = UnixMs(at.parse().map_err(|_| ServiceAuthError::Malformed)?);
        let tag = HEXLOWER.decode(tag.as_bytes()).map_err(|_| ServiceAuthError::Malformed)?;
        let (owner, key) = keys(kid).ok_or(ServiceAuthError::UnknownKey)?;
        let mac = self.mac(key, at).ok_or(ServiceAuthError::UnknownKey)?;
        mac.verify_slice(&tag).map_err(|_| ServiceAuthError::Signature)?;
        // After the signature, so that only a true peer learns of its clock.
        if now.since(at).abs() > SKEW_MS {
            return Err(ServiceAuthError::Clock);
        }
        Ok(owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = UnixMs(1_700_000_000_000);

    fn request<'a>(path: &'a str, hash: &'a str) -> Signed<'a> {
        Signed { method: "POST", path, body_hash: hash }
    }

    fn verify(signed: Signed<'_>, header: &str, now: UnixMs) -> Result<(), ServiceAuthError> {
        signed.verify(header, now, |kid| (kid == "v1").then_some(((), &b"secret"[..])))
    }

    #[test]
    fn a_signed_request_verifies_and_no_other() {
        let hash = body_hash(b"{}");
        let header = request("/internal/x", &hash).sign("v1", b"secret", NOW);
        assert_eq!(verify(request("/internal/x", &hash), &header, NOW), Ok(()));
        assert_eq!(
            verify(request("/internal/y", &hash), &header, NOW),
            Err(ServiceAuthError::Signature)
        );
        assert_eq!(
            verify(request("/internal/x", &body_hash(b"[]")), &header, NOW),
            Err(ServiceAuthError::Signature)
        );
        let foreign = request("/internal/x", &hash).sign("v2", b"secret", NOW);
        assert_eq!(
            verify(request("/internal/x", &hash), &foreign, NOW),
            Err(ServiceAuthError::UnknownKey)
        );
        for bad in ["", "v1", "v1:1", "v1:x:00", "v1:1:zz", "v1:1:00:1"] {
            assert_eq!(
                verify(request("/internal/x", &hash), bad, NOW),
                Err(ServiceAuthError::Malformed),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn clocks_may_differ_by_five_minutes() {
        let hash = body_hash(b"");
        let header = request("/p", &hash).sign("v1", b"secret", NOW);
        assert_eq!(verify(request("/p", &hash), &header, NOW.plus(SKEW_MS)), Ok(()));
        assert_eq!(
            verify(request("/p", &hash), &header, NOW.plus(SKEW_MS + 1)),
            Err(ServiceAuthError::Clock)
        );
    }
}
