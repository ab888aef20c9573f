//! Compact JSON Web Signatures (RFC 7515), the few forms we issue: HS256 access tokens and Ed25519
//! tickets. The algorithm is chosen by who verifies, never by the token (RFC 8725 §3.1).

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// Longest token we look at, in bytes.
const TOKEN_BYTES_MAX: usize = 4096;

/// Why a token is refused. All look the same from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// Not three base64url parts of JSON.
    #[error("the token is malformed")]
    Malformed,
    /// Another algorithm or type, or a header member that we do not know.
    #[error("the token is of another kind")]
    Kind,
    /// No key of ours has this `kid`.
    #[error("the token's key is unknown")]
    UnknownKey,
    /// The signature does not fit.
    #[error("the token's signature is wrong")]
    Signature,
}

/// The protected header: exactly these members, so that `crit`, `jku`, `jwk`, `x5u` are refused.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'a> {
    alg: &'a str,
    typ: &'a str,
    kid: &'a str,
}

/// A token taken apart, its signature not yet verified.
#[derive(Debug)]
pub struct Unverified<'a> {
    signed: &'a str,
    payload: Vec<u8>,
    signature: Vec<u8>,
    header: Vec<u8>,
}

/// Which signature a verifier accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256 (RFC 7518 §3.2).
    Hs256,
    /// Ed25519 (RFC 8037).
    EdDsa,
}

impl Algorithm {
    const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl<'a> Unverified<'a> {
    /// Takes `token` apart without trusting anything in it.
    pub fn parse(token: &'a str) -> Result<Self, JwsError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(JwsError::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(JwsError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(JwsError::Malformed)?;
        let decode =
            |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| JwsError::Malformed);
        Ok(Self {
            signed,
            payload: decode(payload)?,
            signature: decode(signature)?,
            header: decode(header)?,
        })
    }

    /// The claims before verification: only for finding out *whose* token this claims to be.
    pub fn peek<T: DeserializeOwned>(&self) -> Result<T, JwsError> {
        serde_json::from_slice(&self.payload).map_err(|_| JwsError::Malformed)
    }

    /// The key id, once header and kind are as expected.
    pub fn key_id(&self, algorithm: Algorithm, typ: &str) -> Result<&str, JwsError> {
        let header: Header<'_> =
            serde_json::from_slice(&self.header).map_err(|_| JwsError::Kind)?;
        if header.alg != algorithm.name() || header.typ != typ {
            return Err(JwsError::Kind);
        }
        Ok(header.kid)
    }

    /// Verifies an HS256 signature and reads the claims.
    pub fn verify_hs256<T: DeserializeOwned>(&self, key: &[u8]) -> Result<T, JwsError> {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| JwsError::UnknownKey)?;
        mac.update(self.signed.as_bytes());
        mac.verify_slice(&self.signature).map_err(|_| JwsError::Signature)?;
        self.peek()
    }

    /// Verifies an Ed25519 signature (strictly: no small-order keys) and reads the claims.
    pub fn verify_ed25519<T: DeserializeOwned>(&self, key: &VerifyingKey) -> Result<T, JwsError> {
        let signature = Signature::from_slice(&self.signature).map_err(|_| JwsError::Signature)?;
        key.verify_strict(self.signed.as_bytes(), &signature).map_err(|_| JwsError::Signature)?;
        self.peek()
    }
}

fn signing_input(
    algorithm: Algorithm,
    typ: &str,
    kid: &str,
    claims: &impl Serialize,
) -> Result<String, JwsError> {
    let header = Header { alg: algorithm.name(), typ, kid };
    let header = serde_json::to_vec(&header).map_err(|_| JwsError::Malformed)?;
    let claims = serde_json::to_vec(claims).map_err(|_| JwsError::Malformed)?;
    Ok(format!("{}.{}", BASE64URL_NOPAD.encode(&header), BASE64URL_NOPAD.encode(&claims)))
}

/// Signs `claims` with HS256. Fails only on claims that are no JSON.
pub fn sign_hs256(
    typ: &str,
    kid: &str,
    key: &[u8],
    claims: &impl Serialize,
) -> Result<String, JwsError> {
    let mut token = signing_input(Algorithm::Hs256, typ, kid, claims)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| JwsError::UnknownKey)?;
    mac.update(token.as_bytes());
    token.push('.');
    token.push_str(&BASE64URL_NOPAD.encode(&mac.finalize().into_bytes()));
    Ok(token)
}

/// Signs `claims` with Ed25519. Fails only on claims that are no JSON.
pub fn sign_ed25519(
    typ: &str,
    kid: &str,
    key: &SigningKey,
    claims: &impl Serialize,
) -> Result<String, JwsError> {
    let mut token = signing_input(Algorithm::EdDsa, typ, kid, claims)?;
    let signature = key.sign(token.as_bytes());
    token.push('.');
    token.push_str(&BASE64URL_NOPAD.encode(&signature.to_bytes()));
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";

    fn with_header(token: &str, header: &Value) -> String {
        let rest = token.split_once('.').unwrap().1;
        format!("{}.{rest}", BASE64URL_NOPAD.encode(header.to_string().as_bytes()))
    }

    fn verify(token: &str) -> Result<Value, JwsError> {
        let token = Unverified::parse(token)?;
        if token.key_id(Algorithm::Hs256, "at+jwt")? != "k1" {
            return Err(JwsError::UnknownKey);
        }
        token.verify_hs256(KEY)
    }

    #[test]
    fn a_signed_token_reads_back() {
        let token = sign_hs256("at+jwt", "k1", KEY, &json!({"sub": "x"})).unwrap();
        assert_eq!(verify(&token).unwrap(), json!({"sub": "x"}));
    }

    #[test]
    fn every_change_is_refused() {
        let token = sign_hs256("at+jwt", "k1", KEY, &json!({"sub": "x"})).unwrap();
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(verify(&changed).is_err(), "position {at}");
        }
        for header in [
            json!({"alg": "none", "typ": "at+jwt", "kid": "k1"}),
            json!({"alg": "EdDSA", "typ": "at+jwt", "kid": "k1"}),
            json!({"alg": "HS256", "typ": "JWT", "kid": "k1"}),
            json!({"alg": "HS256", "typ": "at+jwt", "kid": "k1", "crit": ["x"]}),
            json!({"alg": "HS256", "typ": "at+jwt", "kid": "k1", "jku": "https://e.example"}),
        ] {
            assert_eq!(verify(&with_header(&token, &header)), Err(JwsError::Kind), "{header}");
        }
        for garbage in ["", ".", "..", "a.b", "a.b.c", "é.é.é"] {
            assert!(verify(garbage).is_err(), "{garbage:?}");
        }
    }

    #[test]
    fn ed25519_round_trip_and_foreign_key() {
        let ours = SigningKey::from_bytes(&[7; 32]);
        let other = SigningKey::from_bytes(&[8; 32]);
        let token = sign_ed25519("nx-ticket", "k1", &ours, &json!({"c": 1})).unwrap();
        let parsed = Unverified::parse(&token).unwrap();
        assert_eq!(parsed.verify_ed25519::<Value>(&ours.verifying_key()).unwrap()["c"], 1);
        assert_eq!(
            parsed.verify_ed25519::<Value>(&other.verifying_key()),
            Err(JwsError::Signature)
        );
    }
}
