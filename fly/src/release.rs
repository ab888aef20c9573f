//! What was built. The build's environment says it: `NEXUS_COMMIT`, and `NEXUS_VERSION` where it is not
//! the package's.

/// The version.
pub const VERSION: &str = given(option_env!("NEXUS_VERSION"), env!("CARGO_PKG_VERSION"));
/// The git commit.
pub const COMMIT: &str = given(option_env!("NEXUS_COMMIT"), "unknown");

/// An image's build argument that nobody gave is an empty variable.
const fn given(value: Option<&'static str>, otherwise: &'static str) -> &'static str {
    match value {
        Some(value) if !value.is_empty() => value,
        _ => otherwise,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_argument_is_none() {
        assert_eq!(given(Some("0.2.0"), "0.1.0"), "0.2.0");
        assert_eq!(given(Some(""), "unknown"), "unknown");
        assert_eq!(given(None, "unknown"), "unknown");
    }
}
