//! What stands behind a command on the command line.

use std::ffi::OsStr;
use std::path::PathBuf;

use lexopt::Arg::{Long, Short, Value};
use lexopt::{Parser, ValueExt};
use xtask::error::Fault;
use xtask::ports::Ports;

/// Of `up`.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag on the command line")]
#[derive(Debug, Default)]
pub(crate) struct Up {
    /// No demo account, no demo call.
    pub(crate) no_demo: bool,
    /// Wipe local data first.
    pub(crate) fresh: bool,
    /// Build the servers optimised.
    pub(crate) release: bool,
    /// Keep the servers' lines out of the terminal.
    pub(crate) quiet: bool,
    /// Where everything listens.
    pub(crate) ports: Ports,
}

/// Of `call`.
#[derive(Debug, Default)]
pub(crate) struct Call {
    /// Audio to say.
    pub(crate) files: Vec<PathBuf>,
    /// Over the simulated telephone company.
    pub(crate) phone: bool,
    /// Words to say as tones.
    pub(crate) words: Vec<String>,
    /// Where the agent's audio goes.
    pub(crate) out: Option<PathBuf>,
    /// Where everything listens.
    pub(crate) ports: Ports,
}

/// What a benchmark measures.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Benched {
    /// Calls to a voice server.
    Voice,
    /// Requests to an edge.
    Edge,
}

/// Of `bench`.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) what: Benched,
    /// Calls at once, level by level.
    pub(crate) calls: Vec<u32>,
    /// `browser` or `phone`.
    pub(crate) transport: String,
    /// `mulaw` or `pcm16`, of a browser.
    pub(crate) audio: String,
    /// Connections to the edge.
    pub(crate) connections: u32,
    /// How long all calls talk, or each route is asked.
    pub(crate) seconds: u32,
}

fn wrong(error: &lexopt::Error) -> Fault {
    Fault::of("command line", error)
}

/// The command's name.
pub(crate) fn command(parser: &mut Parser) -> Result<Option<String>, Fault> {
    match parser.next().map_err(|error| wrong(&error))? {
        Some(Value(name)) => Ok(Some(name.to_string_lossy().into_owned())),
        Some(Long("help") | Short('h')) | None => Ok(None),
        Some(other) => Err(wrong(&other.unexpected())),
    }
}

/// Reads flags until the end; `take` says whether it knew one.
fn each(
    mut parser: Parser,
    ports: &mut Ports,
    mut take: impl FnMut(&str, &mut Parser) -> Result<bool, lexopt::Error>,
) -> Result<(), Fault> {
    while let Some(argument) = parser.next().map_err(|error| wrong(&error))? {
        let name = match argument {
            Long(name) => name.to_owned(),
            other => return Err(wrong(&other.unexpected())),
        };
        let known = take(&name, &mut parser).map_err(|error| wrong(&error))?;
        if known {
            continue;
        }
        let mut named = ports.named();
        let Some((_, port)) = named.iter_mut().find(|(flag, _)| *flag == name) else {
            return Err(Fault(format!("there is no flag --{name}")));
        };
        let value = parser.value().map_err(|error| wrong(&error))?;
        **port = value.parse().map_err(|error| wrong(&error))?;
    }
    Ok(())
}

/// The flags of `up`.
pub(crate) fn up(parser: Parser) -> Result<Up, Fault> {
    let mut flags = Up::default();
    let mut ports = Ports::default();
    each(parser, &mut ports, |name, _| {
        match name {
            "no-demo" => flags.no_demo = true,
            "fresh" => flags.fresh = true,
            "release" => flags.release = true,
            "quiet" => flags.quiet = true,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(Up { ports, ..flags })
}

/// The flags of `call`.
pub(crate) fn call(parser: Parser) -> Result<Call, Fault> {
    let mut flags = Call::default();
    let mut ports = Ports::default();
    each(parser, &mut ports, |name, parser| {
        match name {
            "say" => flags.files.push(parser.value()?.into()),
            "phone" => flags.phone = true,
            "words" => flags.words.push(parser.value()?.string()?),
            "out" => flags.out = Some(parser.value()?.into()),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(Call { ports, ..flags })
}

/// The flags of `bench`.
pub(crate) fn bench(mut parser: Parser) -> Result<Bench, Fault> {
    let (what, seconds) = match command(&mut parser)?.as_deref() {
        Some("voice") => (Benched::Voice, 30),
        Some("edge") => (Benched::Edge, 10),
        _ => return Err(Fault("bench takes voice or edge".to_owned())),
    };
    let mut flags = Bench {
        what,
        calls: vec![1, 50, 100],
        transport: "browser".to_owned(),
        audio: "mulaw".to_owned(),
        connections: 8,
        seconds,
    };
    // Every port is a free one.
    each(parser, &mut Ports::default(), |name, parser| {
        match name {
            "calls" => flags.calls = numbers(&parser.value()?.string()?)?,
            "transport" => flags.transport = parser.value()?.string()?,
            "audio" => flags.audio = parser.value()?.string()?,
            "connections" => flags.connections = parser.value()?.parse()?,
            "seconds" => flags.seconds = parser.value()?.parse()?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(flags)
}

/// `1,50,100`.
fn numbers(list: &str) -> Result<Vec<u32>, lexopt::Error> {
    list.split(',').map(|number| OsStr::new(number).to_owned().parse()).collect()
}

/// The flags of `test`: whether the long trials run too.
pub(crate) fn test(parser: Parser) -> Result<bool, Fault> {
    let mut long = false;
    each(parser, &mut Ports::default(), |name, _| {
        long |= name == "long";
        Ok(name == "long")
    })?;
    Ok(long)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_a_list_of_numbers() {
        let bench = |line: &str| bench(Parser::from_args(line.split(' ')));
        let flags = bench("voice --calls 1,20 --transport phone --seconds 5").unwrap();
        assert_eq!(
            (flags.calls, flags.transport.as_str(), flags.seconds),
            (vec![1, 20], "phone", 5)
        );
        assert!(matches!(bench("edge").unwrap().what, Benched::Edge));
        for line in ["voice --calls 1,x", "voice --cals 1", "tea", "--calls 1"] {
            assert!(bench(line).is_err(), "{line}");
        }
    }
}
