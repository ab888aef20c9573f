//! `cargo xtask keys new | add | use | drop`: the keys of a deployment in a file. Their values are never printed.

use std::path::PathBuf;

use lexopt::Arg::Value;
use lexopt::{Parser, ValueExt};
use xtask::cell::Cell;
use xtask::error::Fault;
use xtask::keyfile::{KeyFile, Ring, Step};

/// Of `keys`.
#[derive(Debug)]
pub(crate) enum Keys {
    /// A fresh set.
    New(PathBuf),
    /// A step of a change.
    Change(Step, Ring, PathBuf),
}

fn word(parser: &mut Parser, what: &str) -> Result<String, Fault> {
    let wrong = |error: &lexopt::Error| Fault::of("command line", error);
    match parser.next().map_err(|error| wrong(&error))? {
        Some(Value(word)) => word.string().map_err(|error| wrong(&error)),
        Some(other) => Err(wrong(&other.unexpected())),
        None => Err(Fault(format!("keys wants {what}"))),
    }
}

/// What stands behind `keys`.
pub(crate) fn flags(mut parser: Parser) -> Result<Keys, Fault> {
    let keys = match word(&mut parser, "new, add, use or drop")?.as_str() {
        "new" => Keys::New(word(&mut parser, "a file")?.into()),
        name @ ("add" | "use" | "drop") => {
            let step = match name {
                "add" => Step::Add,
                "use" => Step::Use,
                _ => Step::Drop,
            };
            let ring = match word(&mut parser, "access, ticket, pepper, service-us or service-eu")?
                .as_str()
            {
                "access" => Ring::Access,
                "ticket" => Ring::Ticket,
                "pepper" => Ring::Pepper,
                "service-us" => Ring::Service(Cell::Us),
                "service-eu" => Ring::Service(Cell::Eu),
                other => return Err(Fault(format!("there are no keys `{other}`"))),
            };
            Keys::Change(step, ring, word(&mut parser, "a file")?.into())
        }
        other => return Err(Fault(format!("keys takes new, add, use or drop, not `{other}`"))),
    };
    match parser.next() {
        Ok(None) => Ok(keys),
        _ => Err(Fault("keys takes nothing more".to_owned())),
    }
}

/// Writes the file.
pub(crate) fn run(keys: &Keys) -> Result<(), Fault> {
    match keys {
        Keys::New(file) => {
            KeyFile::generate()?.create(file)?;
            println!("{}: new keys, for your eyes only", file.display());
        }
        Keys::Change(step, ring, file) => {
            let mut keys = KeyFile::read(file)?;
            let next = keys.step(*ring, *step)?;
            keys.replace(file)?;
            println!("{}: done; now read it into the shell and {next}", file.display());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_names_step_keys_and_file() {
        let flags = |line: &str| flags(Parser::from_args(line.split(' ')));
        assert!(matches!(
            flags("add service-eu a.env").unwrap(),
            Keys::Change(Step::Add, Ring::Service(Cell::Eu), _)
        ));
        assert!(matches!(flags("new a.env").unwrap(), Keys::New(_)));
        for line in ["new", "add access", "add colour a.env", "turn access a.env", "new a.env b"] {
            assert!(flags(line).is_err(), "{line}");
        }
    }
}
