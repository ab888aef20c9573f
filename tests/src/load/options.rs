//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use lexopt::Arg::{Long, Short, Value};
use lexopt::{Parser, ValueExt as _};
use nexus_core::wire::AudioFormat;

use super::soak;
use crate::client::Outcome;

/// What is asked for.
pub(super) enum Command {
    Help,
    Voice(Voice),
    /// So many crowds, one after another.
    Soak(Voice, usize),
    /// Interruptions in speech, and so many noises of each kind.
    Noises(Voice, usize),
    Edge(Requests),
    Table(Kind, PathBuf),
}

/// Whose results a table shows.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Voice,
    Noises,
    Edge,
}

/// How calls come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    /// `nexus.v1` with this audio.
    Browser(AudioFormat),
    /// Media Streams.
    Phone,
}

impl Transport {
    /// As in results.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Browser(AudioFormat::PHONE) => "browser mulaw",
            Self::Browser(_) => "browser pcm16",
            Self::Phone => "phone",
        }
    }

    /// The audio both ways.
    pub(super) const fn format(self) -> AudioFormat {
        match self {
            Self::Browser(format) => format,
            Self::Phone => AudioFormat::PHONE,
        }
    }
}

/// A crowd of calls.
#[derive(Clone)]
pub(super) struct Voice {
    pub(super) edge: String,
    /// The voice server's metrics.
    pub(super) metrics: String,
    /// The voice server's process.
    pub(super) pid: u32,
    pub(super) transport: Transport,
    pub(super) calls: usize,
    /// How long all of them talk.
    pub(super) seconds: Duration,
    /// What the simulated providers take for an answer, in ms.
    pub(super) configured_ms: f64,
}

/// Requests.
#[derive(Clone)]
pub(super) struct Requests {
    pub(super) url: String,
    /// The edge's process; its children count too.
    pub(super) pid: u32,
    pub(super) connections: usize,
    /// How long each route is asked.
    pub(super) seconds: Duration,
}

#[derive(Default)]
struct Flags {
    edge: String,
    metrics: String,
    pid: u32,
    phone: bool,
    pcm16: bool,
    count: usize,
    seconds: u64,
    configured_ms: f64,
    rounds: usize,
    noises: usize,
}

/// Reads the command line.
pub(super) fn read(mut parser: Parser) -> Outcome<Command> {
    let command = match parser.next()? {
        Some(Value(command)) => command.string()?,
        Some(Long("help") | Short('h')) | None => return Ok(Command::Help),
        Some(other) => return Err(other.unexpected().into()),
    };
    match command.as_str() {
        "voice" => {
            let flags = flags(parser)?;
            let crowd = voice(&flags)?;
            Ok(match flags.rounds {
                0 if flags.noises > 0 => Command::Noises(crowd, flags.noises),
                0 => Command::Voice(crowd),
                rounds if soak::tells(rounds) => Command::Soak(crowd, rounds),
                _ => return Err("--rounds takes 10, 15, 20, …".into()),
            })
        }
        "edge" => Ok(Command::Edge(edge(flags(parser)?))),
        "table" => {
            let kind = match parser.value()?.string()?.as_str() {
                "voice" => Kind::Voice,
                "noises" => Kind::Noises,
                "edge" => Kind::Edge,
                other => return Err(format!("there is no table `{other}`").into()),
            };
            Ok(Command::Table(kind, parser.value()?.into()))
        }
        other => Err(format!("there is no command `{other}`").into()),
    }
}

fn flags(mut parser: Parser) -> Outcome<Flags> {
    let mut flags = Flags { count: 1, seconds: 30, ..Flags::default() };
    while let Some(argument) = parser.next()? {
        match argument {
            Long("edge") => flags.edge = parser.value()?.string()?,
            Long("metrics") => flags.metrics = parser.value()?.string()?,
            Long("pid") => flags.pid = parser.value()?.parse()?,
            Long("calls" | "connections") => flags.count = parser.value()?.parse()?,
            Long("seconds") => flags.seconds = parser.value()?.parse()?,
            Long("noises") => flags.noises = parser.value()?.parse()?,
            Long("rounds") => flags.rounds = parser.value()?.parse()?,
            Long("configured-ms") => flags.configured_ms = parser.value()?.parse()?,
            Long("transport") => {
                flags.phone = one_of(&parser.value()?.string()?, ["browser", "phone"])?;
            }
            Long("audio") => flags.pcm16 = one_of(&parser.value()?.string()?, ["mulaw", "pcm16"])?,
            other => return Err(other.unexpected().into()),
        }
    }
    if flags.edge.is_empty() || flags.pid == 0 || flags.count == 0 || flags.seconds == 0 {
        return Err("--edge, --pid, a number of calls and --seconds are needed".into());
    }
    Ok(flags)
}

/// Whether `value` is the second of two words.
fn one_of(value: &str, [first, second]: [&str; 2]) -> Outcome<bool> {
    match value {
        _ if value == first => Ok(false),
        _ if value == second => Ok(true),
        other => Err(format!("{other} is neither {first} nor {second}").into()),
    }
}

fn voice(flags: &Flags) -> Outcome<Voice> {
    if flags.metrics.is_empty() {
        return Err("--metrics is needed".into());
    }
    let transport = match (flags.phone, flags.pcm16) {
        (true, _) => Transport::Phone,
        (false, true) => Transport::Browser(AudioFormat::BROWSER),
        (false, false) => Transport::Browser(AudioFormat::PHONE),
    };
    Ok(Voice {
        edge: flags.edge.clone(),
        metrics: flags.metrics.clone(),
        pid: flags.pid,
        transport,
        calls: flags.count,
        seconds: Duration::from_secs(flags.seconds),
        configured_ms: flags.configured_ms,
    })
}

fn edge(flags: Flags) -> Requests {
    Requests {
        url: flags.edge,
        pid: flags.pid,
        connections: flags.count,
        seconds: Duration::from_secs(flags.seconds),
    }
}
