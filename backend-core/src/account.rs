//! Organisations, the people in them, and the rules for what they type in.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest address SMTP can carry, in bytes (RFC 5321 §4.5.3.1.3, less the two brackets).
pub const EMAIL_BYTES_MAX: usize = 254;
/// Shortest password, in characters (NIST SP 800-63B asks for 8 at least).
pub const PASSWORD_CHARS_MIN: usize = 12;
/// Longest password, in characters; refused before hashing.
pub const PASSWORD_CHARS_MAX: usize = 128;
/// Longest name of an organisation, in characters.
pub const ORG_NAME_CHARS_MAX: usize = 100;

/// A mailbox we may write to. Invariant: trimmed, lower case, at most 254 bytes, one `@`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Email(String);

/// Why a text is not an e-mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    /// More than 254 bytes.
    #[error("an e-mail address has at most 254 bytes")]
    TooLong,
    /// Not `local@domain`.
    #[error("not an e-mail address")]
    Shape,
}

impl Email {
    /// The address in its normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Shows the domain alone: an address is personal data.
impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Email(…@{})", self.0.rsplit('@').next().unwrap_or_default())
    }
}

impl TryFrom<&str> for Email {
    type Error = EmailError;

    fn try_from(raw: &str) -> Result<Self, EmailError> {
        let text = raw.trim();
        if text.len() > EMAIL_BYTES_MAX {
            return Err(EmailError::TooLong);
        }
        let (local, domain) = text.split_once('@').ok_or(EmailError::Shape)?;
        let clean = |part: &str| {
            !part.is_empty()
                && !part.chars().any(|c| c.is_whitespace() || c.is_control() || c == '@')
        };
        let labels = domain
            .split('.')
            .all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'));
        if !clean(local) || local.len() > 64 || !clean(domain) || !labels || !domain.contains('.') {
            return Err(EmailError::Shape);
        }
        Ok(Self(text.to_lowercase()))
    }
}

/// A password as typed: not trimmed, not normalised (OWASP ASVS 5 §6.2.8).
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

/// Why a password is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Fewer than 12 characters.
    #[error("a password has at least 12 characters")]
    TooShort,
    /// More than 128 characters.
    #[error("a password has at most 128 characters")]
    TooLong,
}

impl Password {
    /// A password that may be set: the length rules hold.
    pub fn to_set(raw: &str) -> Result<Self, PasswordError> {
        let chars = raw.chars().count();
        if chars < PASSWORD_CHARS_MIN {
            return Err(PasswordError::TooShort);
        }
        Self::to_check(raw)
    }

    /// A password presented at login: only too long is refused, so that hashing stays bounded.
    pub fn to_check(raw: &str) -> Result<Self, PasswordError> {
        if raw.chars().count() > PASSWORD_CHARS_MAX {
            return Err(PasswordError::TooLong);
        }
        Ok(Self(raw.to_owned()))
    }

    /// The bytes to hash.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// The name of an organisation. Invariant: trimmed, 1 to 100 characters, no control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrgName(String);

/// The text is no name of an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to 100 characters and no control characters")]
pub struct OrgNameError;

impl OrgName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for OrgName {
    type Error = OrgNameError;

    fn try_from(raw: &str) -> Result<Self, OrgNameError> {
        let text = raw.trim();
        let chars = text.chars().count();
        if chars == 0 || chars > ORG_NAME_CHARS_MAX || text.chars().any(char::is_control) {
            return Err(OrgNameError);
        }
        Ok(Self(text.to_owned()))
    }
}

/// What a person may do in the organisation; each role may do all that the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May look.
    Viewer,
    /// May work with agents and calls.
    Member,
    /// May change the organisation and its people.
    Admin,
    /// Registered it.
    Owner,
}

impl Role {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_normalised_or_refused() {
        assert_eq!(Email::try_from("  Ada@Example.COM ").unwrap().as_str(), "ada@example.com");
        for bad in ["", "a", "@b.c", "a@b", "a@b..c", "a b@c.d", "a@b@c.d", "a@-b.c", "a@b.c\n.d"] {
            assert_eq!(Email::try_from(bad), Err(EmailError::Shape), "{bad:?}");
        }
        let long = format!("a@{}.example", "b".repeat(250));
        assert_eq!(Email::try_from(long.as_str()), Err(EmailError::TooLong));
    }

    #[test]
    fn passwords_are_counted_in_characters() {
        assert_eq!(Password::to_set("short"), Err(PasswordError::TooShort));
        assert!(Password::to_set(&"é".repeat(12)).is_ok());
        assert!(Password::to_set(&"é".repeat(128)).is_ok());
        assert_eq!(Password::to_set(&"é".repeat(129)), Err(PasswordError::TooLong));
        assert!(Password::to_check("short").is_ok());
    }

    #[test]
    fn debug_shows_neither_address_nor_password() {
        let shown = format!(
            "{:?} {:?}",
            Email::try_from("ada@example.com").unwrap(),
            Password::to_set("correct horse battery").unwrap()
        );
        assert!(!shown.contains("ada") && !shown.contains("horse"), "{shown}");
    }
}
