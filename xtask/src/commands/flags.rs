//! What stands behind a command on the command line.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::Arg::{Long, Short, Value};
use lexopt::{Parser, ValueExt};
use xtask::cell::Cell;
use xtask::deploy::Patience;
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
    /// Tones in the place of speech where a key is missing.
    pub(crate) simulated_speech: bool,
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
    /// Calls at once, level by level; none: as many as is usual.
    pub(crate) calls: Vec<u32>,
    /// `browser` or `phone`; what it is if it is not chosen, the level says.
    pub(crate) transport: Option<String>,
    /// `mulaw` or `pcm16`, of a browser.
    pub(crate) audio: Option<String>,
    /// Connections to the edge.
    pub(crate) connections: u32,
    /// How long all calls talk, or each route is asked.
    pub(crate) seconds: u32,
    /// Crowds one after another on one server, to see what they leave behind; 0: one fresh server a level.
    pub(crate) rounds: u32,
    /// Noises of each kind that callers make while the agent speaks; 0: a crowd that only talks.
    pub(crate) noises: u32,
}

/// What is deployed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deployed {
    /// The Worker.
    Edge,
    /// The voice servers.
    Voice,
    /// Both, in the order that keeps old and new compatible.
    All,
}

/// Of `deploy`.
#[derive(Debug)]
pub(crate) struct Deploy {
    pub(crate) what: Deployed,
    /// `preview`, `staging`, `us` or `eu`.
    pub(crate) environment: String,
    /// A preview's.
    pub(crate) name: Option<String>,
    /// Say what would be done, and do nothing.
    pub(crate) dry_run: bool,
    /// Go back to what was deployed before.
    pub(crate) rollback: bool,
    /// Remove the preview.
    pub(crate) remove: bool,
    /// How long each share of the traffic is watched.
    pub(crate) watch: Duration,
}

/// Of `smoke-call`.
#[derive(Debug)]
pub(crate) struct SmokeCall {
    /// `staging`, `us` or `eu`.
    pub(crate) environment: String,
    /// Whose voice servers.
    pub(crate) cell: Cell,
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
            "simulated-speech" => flags.simulated_speech = true,
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
        calls: Vec::new(),
        transport: None,
        audio: None,
        connections: 8,
        seconds,
        rounds: 0,
        noises: 0,
    };
    // Every port is a free one.
    each(parser, &mut Ports::default(), |name, parser| {
        match name {
            "calls" => flags.calls = numbers(&parser.value()?.string()?)?,
            "transport" => flags.transport = Some(parser.value()?.string()?),
            "audio" => flags.audio = Some(parser.value()?.string()?),
            "connections" => flags.connections = parser.value()?.parse()?,
            "seconds" => flags.seconds = parser.value()?.parse()?,
            "rounds" => flags.rounds = parser.value()?.parse()?,
            "noises" => flags.noises = parser.value()?.parse()?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    if flags.rounds > 0 && flags.noises > 0 {
        return Err(Fault("--rounds and --noises are two benchmarks".to_owned()));
    }
    Ok(flags)
}

/// `1,50,100`.
fn numbers(list: &str) -> Result<Vec<u32>, lexopt::Error> {
    list.split(',').map(|number| OsStr::new(number).to_owned().parse()).collect()
}

/// The flags of `deploy`.
pub(crate) fn deploy(mut parser: Parser) -> Result<Deploy, Fault> {
    let what = match command(&mut parser)?.as_deref() {
        Some("edge") => Deployed::Edge,
        Some("voice") => Deployed::Voice,
        Some("all") => Deployed::All,
        _ => return Err(Fault("deploy takes edge, voice or all".to_owned())),
    };
    let mut flags = Deploy {
        what,
        environment: String::new(),
        name: None,
        dry_run: false,
        rollback: false,
        remove: false,
        watch: Patience::default().watch,
    };
    each(parser, &mut Ports::default(), |name, parser| {
        match name {
            "env" => flags.environment = parser.value()?.string()?,
            "name" => flags.name = Some(parser.value()?.string()?),
            "dry-run" => flags.dry_run = true,
            "rollback" => flags.rollback = true,
            "remove" => flags.remove = true,
            "watch-seconds" => flags.watch = Duration::from_secs(parser.value()?.parse()?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    if flags.environment.is_empty() {
        return Err(Fault("deploy wants --env preview, staging, us or eu".to_owned()));
    }
    if flags.rollback && (flags.dry_run || flags.remove) {
        return Err(Fault("--rollback stands alone".to_owned()));
    }
    if flags.remove && (flags.what != Deployed::Edge || flags.dry_run) {
        return Err(Fault("--remove goes with `deploy edge` alone".to_owned()));
    }
    Ok(flags)
}

/// The flags of `smoke-call`.
pub(crate) fn smoke_call(parser: Parser) -> Result<SmokeCall, Fault> {
    let (mut environment, mut cell) = (String::new(), String::new());
    each(parser, &mut Ports::default(), |name, parser| {
        match name {
            "env" => environment = parser.value()?.string()?,
            "cell" => cell = parser.value()?.string()?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    match Cell::ALL.into_iter().find(|one| one.name() == cell) {
        Some(cell) => Ok(SmokeCall { environment, cell }),
        None => Err(Fault("smoke-call wants --cell us or eu".to_owned())),
    }
}

/// The flags of `neighbours`: the earlier commit.
pub(crate) fn neighbours(parser: Parser) -> Result<String, Fault> {
    let mut earlier = "HEAD~1".to_owned();
    each(parser, &mut Ports::default(), |name, parser| {
        if name == "earlier" {
            earlier = parser.value()?.string()?;
        }
        Ok(name == "earlier")
    })?;
    Ok(earlier)
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
            (flags.calls, flags.transport.as_deref(), flags.seconds),
            (vec![1, 20], Some("phone"), 5)
        );
        assert!(matches!(bench("edge").unwrap().what, Benched::Edge));
        assert_eq!(bench("voice --noises 300").unwrap().noises, 300);
        for line in [
            "voice --calls 1,x",
            "voice --cals 1",
            "voice --noises 9 --rounds 10",
            "tea",
            "--calls 1",
        ] {
            assert!(bench(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_deployment_names_its_environment() {
        let deploy = |line: &str| deploy(Parser::from_args(line.split(' ')));
        let flags = deploy("edge --env preview --name pr-1 --dry-run").unwrap();
        assert_eq!((flags.what, flags.name.as_deref()), (Deployed::Edge, Some("pr-1")));
        assert!(flags.dry_run && !flags.remove);
        assert!(deploy("edge --env preview --name pr-1 --remove").unwrap().remove);
        for line in [
            "edge",
            "--env us",
            "all --env us --remove",
            "all --env us --rollback --dry-run",
            "edge --env us --force",
        ] {
            assert!(deploy(line).is_err(), "{line}");
        }
    }
}
