//! Whose calls these are.

use nexus_core::twilio::signature::SigningSecret;

/// The account of a stand-in that was told no other.
pub const DEMO_ACCOUNT_SID: &str = "AC00000000000000000000000000000001";
/// Its auth token: fit for this machine alone.
pub const DEMO_AUTH_TOKEN: &str = "stand-in-auth-token";

/// A Twilio account.
#[derive(Clone, Debug)]
pub struct Account {
    sid: String,
    auth_token: SigningSecret,
}

impl Account {
    /// An account; `None` if the SID is not `AC` with 32 hexadecimal digits or the token is empty.
    pub fn new(sid: impl Into<String>, auth_token: impl Into<String>) -> Option<Self> {
        let sid = sid.into();
        let auth_token = SigningSecret::new(auth_token)?;
        is_sid(&sid, "AC").then_some(Self { sid, auth_token })
    }

    /// The account of a stand-in that was told no other.
    pub fn demo() -> Option<Self> {
        Self::new(DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN)
    }

    /// `AC…`.
    pub fn sid(&self) -> &str {
        &self.sid
    }

    /// What signs webhooks and opens the REST API.
    pub const fn auth_token(&self) -> &SigningSecret {
        &self.auth_token
    }
}

/// Two letters and 32 lower-case hexadecimal digits.
pub(super) fn is_sid(text: &str, prefix: &str) -> bool {
    let digits = text.strip_prefix(prefix);
    digits.is_some_and(|digits| {
        digits.len() == 32 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// `+`, then 7 to 15 digits that begin with no zero (ITU-T E.164).
pub(super) fn is_e164(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or_default();
    (7..=15).contains(&digits.len())
        && !digits.starts_with('0')
        && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether Twilio can call or be called under this: a number, a client or a SIP address.
pub(super) fn is_address(text: &str) -> bool {
    let named = |prefix| text.strip_prefix(prefix).is_some_and(|rest: &str| !rest.is_empty());
    is_e164(text) || named("client:") || named("sip:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_needs_a_sid_and_a_token() {
        assert!(Account::demo().is_some());
        assert!(Account::new(DEMO_ACCOUNT_SID, "").is_none());
        for sid in ["", "AC1", "CA00000000000000000000000000000001"] {
            assert!(Account::new(sid, "t").is_none(), "{sid}");
        }
    }

    #[test]
    fn numbers_are_told_from_other_texts() {
        for number in ["+15551234567", "+4930901820", "client:ann", "sip:a@b"] {
            assert!(is_address(number), "{number}");
        }
        for other in ["15551234567", "+0555123456", "+1555", "+1555123456a", "client:", "", "+"] {
            assert!(!is_address(other), "{other}");
        }
    }
}
