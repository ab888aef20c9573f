//! Where a deployment goes.

use crate::cell::Cell;
use crate::error::Fault;

/// Longest name of a preview: the Worker's name is part of a host name, of at most 63 characters.
const PREVIEW_MAX: usize = 40;

/// One of `wrangler.toml`'s environments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Environment {
    /// Of a pull request; the name tells previews apart (`pr-12`).
    Preview(String),
    /// Both cells, before production.
    Staging,
    /// Production of one cell.
    Production(Cell),
}

impl Environment {
    /// The environment `--env NAME`; a preview has a name of its own.
    pub fn parse(name: &str, preview: Option<&str>) -> Result<Self, Fault> {
        let environment = match name {
            "staging" => Self::Staging,
            "us" => Self::Production(Cell::Us),
            "eu" => Self::Production(Cell::Eu),
            "preview" => return Self::preview(preview),
            other => {
                return Err(Fault(format!(
                    "there is no environment `{other}`: preview, staging, us or eu"
                )));
            }
        };
        match preview {
            None => Ok(environment),
            Some(_) => Err(Fault("--name is a preview's".to_owned())),
        }
    }

    fn preview(name: Option<&str>) -> Result<Self, Fault> {
        let name = name.ok_or_else(|| Fault("a preview wants --name, as in pr-12".to_owned()))?;
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let is_name = !name.is_empty() && name.len() <= PREVIEW_MAX && name.chars().all(fits);
        // Another environment's name would make it that environment's Worker.
        let is_taken = ["preview", "staging", "us", "eu"].contains(&name);
        if !is_name || is_taken || name.starts_with('-') || name.ends_with('-') {
            return Err(Fault(format!(
                "`{name}` cannot name a preview: lower-case letters, digits and hyphens, as in pr-12"
            )));
        }
        Ok(Self::Preview(name.to_owned()))
    }

    /// As in `wrangler.toml`.
    pub const fn section(&self) -> &'static str {
        match self {
            Self::Preview(_) => "preview",
            Self::Staging => "staging",
            Self::Production(cell) => cell.name(),
        }
    }

    /// What tells its Worker from the others.
    pub fn name(&self) -> &str {
        match self {
            Self::Preview(name) => name,
            Self::Staging | Self::Production(_) => self.section(),
        }
    }

    /// The cells that it serves.
    pub const fn cells(&self) -> &'static [Cell] {
        match self {
            Self::Preview(_) | Self::Staging => &Cell::ALL,
            Self::Production(Cell::Us) => &[Cell::Us],
            Self::Production(Cell::Eu) => &[Cell::Eu],
        }
    }

    /// Whether it goes away with its pull request, so that nobody need be moved over gradually.
    pub const fn is_preview(&self) -> bool {
        matches!(self, Self::Preview(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn production_is_one_cell_and_a_preview_has_a_name() {
        let parse = Environment::parse;
        assert_eq!(parse("eu", None).unwrap().cells(), [Cell::Eu]);
        assert_eq!(parse("staging", None).unwrap().cells(), Cell::ALL);
        assert_eq!(parse("preview", Some("pr-12")).unwrap().name(), "pr-12");
        for (name, preview) in [
            ("production", None),
            ("us", Some("pr-1")),
            ("preview", None),
            ("preview", Some("")),
            ("preview", Some("us")),
            ("preview", Some("Pr 1")),
            ("preview", Some("-x")),
        ] {
            assert!(parse(name, preview).is_err(), "{name} {preview:?}");
        }
    }
}
