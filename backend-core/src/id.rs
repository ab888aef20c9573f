//! Public ids: a prefix that says what it is, then a `UUIDv7` (RFC 9562 §5.7) in base32.
//!
//! The 128 bits stand in 26 characters of Crockford's alphabet in lower case, so ids of one kind sort
//! by creation time as text.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::time::UnixMs;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const DIGITS: usize = 26;

/// Why a text is not an id of the kind asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Another prefix, or none.
    #[error("the id has another prefix")]
    Prefix,
    /// Not 26 characters of the alphabet, or more than 128 bits.
    #[error("the id is malformed")]
    Digits,
}

/// The bits of a `UUIDv7`: 48 bits of Unix milliseconds, version, variant, 74 random bits.
fn uuid_v7(at: UnixMs, random: [u8; 10]) -> u128 {
    let mut bits = (u128::from(at.0.max(0) as u64) & 0xFFFF_FFFF_FFFF) << 80;
    let noise = random.iter().fold(0u128, |all, byte| (all << 8) | u128::from(*byte));
    bits |= noise;
    bits &= !(0xF << 76);
    bits |= 0x7 << 76;
    bits &= !(0x3 << 62);
    bits | (0x2 << 62)
}

fn write_digits(bits: u128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for place in (0..DIGITS).rev() {
        let digit = ((bits >> (place * 5)) & 31) as usize;
        let letter = ALPHABET.get(digit).copied().unwrap_or(b'0');
        fmt::Write::write_char(f, char::from(letter))?;
    }
    Ok(())
}

fn read_digits(text: &str) -> Result<u128, IdError> {
    if text.len() != DIGITS {
        return Err(IdError::Digits);
    }
    let mut bits = 0u128;
    for (at, byte) in text.bytes().enumerate() {
        let digit = ALPHABET.iter().position(|&letter| letter == byte).ok_or(IdError::Digits)?;
        if at == 0 && digit > 7 {
            return Err(IdError::Digits);
        }
        bits = (bits << 5) | digit as u128;
    }
    Ok(bits)
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// What the text form begins with.
            pub const PREFIX: &'static str = $prefix;

            /// A new id from the time and ten unpredictable bytes.
            pub fn new(at: UnixMs, random: [u8; 10]) -> Self {
                Self(uuid_v7(at, random))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(Self::PREFIX)?;
                f.write_str("_")?;
                write_digits(self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let digits = text
                    .strip_prefix(Self::PREFIX)
                    .and_then(|rest| rest.strip_prefix('_'))
                    .ok_or(IdError::Prefix)?;
                read_digits(digits).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "pattern": concat!("^", $prefix, "_[0-7][0-9a-hjkmnp-tv-z]{25}$"),
                })
            }
        }
    )*};
}

ids! {
    /// An organisation.
    OrgId = "org";
    /// A person who can log in.
    UserId = "usr";
    /// A login of a person: one family of refresh tokens.
    SessionId = "ses";
    /// An agent.
    AgentId = "agt";
    /// A call.
    CallId = "call";
    /// A registration attempt (architecture: the random `reg`).
    RegistrationId = "reg";
    /// One start of a voice server process.
    ServerId = "srv";
    /// One connection that claims a call.
    ClaimantId = "clm";
    /// A phone number that leads to an agent.
    PhoneNumberId = "phn";
    /// One HTTP request at the edge.
    RequestId = "req";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_is_stable_and_sorts_by_time() {
        let early = CallId::new(UnixMs(1_700_000_000_000), [0; 10]);
        let late = CallId::new(UnixMs(1_700_000_000_001), [255; 10]);
        assert_eq!(early.to_string(), "call_01hf7yat00e008000000000000");
        assert!(early.to_string() < late.to_string());
        assert_eq!(early.to_string().parse(), Ok(early));
    }

    #[test]
    fn another_kind_and_garbage_are_refused() {
        let id = OrgId::new(UnixMs(1), [1; 10]).to_string();
        assert_eq!(id.parse::<UserId>(), Err(IdError::Prefix));
        assert_eq!("org_".parse::<OrgId>(), Err(IdError::Digits));
        assert_eq!("org_zzzzzzzzzzzzzzzzzzzzzzzzzz".parse::<OrgId>(), Err(IdError::Digits));
        assert_eq!("org_0000000000000000000000000U".parse::<OrgId>(), Err(IdError::Digits));
    }
}
