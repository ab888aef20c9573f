//! Phone numbers.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

/// Most digits of a number, country code included (ITU-T E.164 §6).
pub const PHONE_DIGITS_MAX: usize = 15;

/// A phone number that can be dialled from anywhere. Invariant: `+`, then 2 to 15 digits of which
/// the first is not 0 (ITU-T E.164; Twilio's documents give the same pattern).
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct E164(String);

/// The text is no phone number with its country code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a phone number is + and 2 to 15 digits, the country code first")]
pub struct E164Error;

impl E164 {
    /// The number with its `+`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Shows nothing of the number: it is personal data.
impl fmt::Debug for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("E164(+…)")
    }
}

impl TryFrom<&str> for E164 {
    type Error = E164Error;

    fn try_from(raw: &str) -> Result<Self, E164Error> {
        let digits = raw.strip_prefix('+').ok_or(E164Error)?;
        let fits = (2..=PHONE_DIGITS_MAX).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        if fits { Ok(Self(raw.to_owned())) } else { Err(E164Error) }
    }
}

impl<'de> Deserialize<'de> for E164 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::try_from(text.as_ref()).map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for E164 {
    fn schema_name() -> Cow<'static, str> {
        "PhoneNumberText".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A phone number as E.164 writes it, such as `+15551234567`.",
            "pattern": r"^\+[1-9][0-9]{1,14}$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_taken_as_e164_writes_them_or_refused() {
        for good in ["+15551234567", "+4930123456", "+29022222", "+99", "+123456789012345"] {
            assert_eq!(E164::try_from(good).unwrap().as_str(), good);
        }
        let bad = [
            "",
            "+",
            "+1",
            "15551234567",
            "+05551234567",
            "+1 555 1234567",
            "+1555123456x",
            "+1234567890123456",
            "++15551234567",
            "+٤٩٣٠١٢٣",
            "sip:a@b",
            " +15551234567",
        ];
        for bad in bad {
            assert_eq!(E164::try_from(bad), Err(E164Error), "{bad:?}");
        }
    }

    #[test]
    fn json_is_the_text_and_faults_do_not_quote_it() {
        let number: E164 = serde_json::from_str("\"+15551234567\"").unwrap();
        assert_eq!(serde_json::to_string(&number).unwrap(), "\"+15551234567\"");
        let error = serde_json::from_str::<E164>("\"+1555-123\"").unwrap_err().to_string();
        assert!(error.contains("country code") && !error.contains("555"), "{error}");
        assert!(!format!("{number:?}").contains("555"));
    }
}
