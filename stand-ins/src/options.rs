//! How the stand-ins are started: the command line's flags.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use nexus_core::cell::Cell;
use thiserror::Error;

use crate::twilio::{Account, DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN};

/// Everything that is fixed for one run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Port on the loopback address; 0 takes a free one.
    pub port: u16,
    /// With [`Cell::Eu`] a transcription without `mip_opt_out=true` is refused.
    pub cell: Cell,
    /// Where each request is written down, one JSON line each, content included.
    pub log: Option<PathBuf>,
    /// Every key is refused, as a revoked one would be.
    pub refuse_keys: bool,
    /// The model follows the demo agent's script, for people, in the place of the rule for tests.
    pub demo_script: bool,
    /// The recogniser takes whatever is no audible word for noise: neither speech nor text.
    pub words_only: bool,
    /// How fast the services are.
    pub pace: Pace,
    /// SID of the Twilio account.
    pub twilio_account: String,
    /// Its auth token, which signs webhooks and opens the REST API.
    pub twilio_auth_token: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            cell: Cell::Us,
            log: None,
            refuse_keys: false,
            demo_script: false,
            words_only: false,
            pace: Pace::default(),
            twilio_account: DEMO_ACCOUNT_SID.to_owned(),
            twilio_auth_token: DEMO_AUTH_TOKEN.to_owned(),
        }
    }
}

/// How fast the services are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// From a piece of audio to what is said about it.
    pub transcript: Duration,
    /// From a request to the first token.
    pub first_token: Duration,
    /// From one token to the next.
    pub token: Duration,
    /// From a clause to its first audio.
    pub first_audio: Duration,
    /// Audio sent per time, as a multiple of real time.
    pub speech_speed: f64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            transcript: Duration::from_millis(100),
            first_token: Duration::from_millis(150),
            token: Duration::from_millis(12),
            first_audio: Duration::from_millis(120),
            speech_speed: 4.0,
        }
    }
}

/// What is wrong with the command line.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum OptionsError {
    /// A flag nobody knows.
    #[error("unknown flag {0}; see --help")]
    Unknown(String),
    /// A flag without its value.
    #[error("{0} needs a value")]
    Missing(String),
    /// A value of the wrong kind.
    #[error("{flag} cannot be {value:?}")]
    Invalid {
        /// The flag.
        flag: String,
        /// What stood behind it.
        value: String,
    },
}

/// Flags of the server, for `--help`.
pub const HELP: &str = "\
nexus-stand-ins [flags]   simulated Deepgram, ElevenLabs, model and Twilio on one address
  --port N                 port on 127.0.0.1 (default 0: a free one, printed as JSON)
  --cell us|eu             eu refuses transcription without mip_opt_out=true (default us)
  --log FILE               write every request down, one JSON line each, content included
  --refuse-keys            answer every key as revoked
  --demo-script            the model is the demo agent, for people (default: the rule for tests)
  --words-only             the recogniser takes all but audible words for noise (default: for speech)
  --stt-delay-ms N         from audio to transcript (default 100)
  --first-token-ms N       from request to first token (default 150)
  --token-ms N             from token to token (default 12)
  --tts-first-byte-ms N    from clause to first audio (default 120)
  --tts-speed X            audio per time, as a multiple of real time (default 4)
  --twilio-account AC…     the Twilio account
  --twilio-auth-token T    what signs its webhooks and opens its REST API";

impl Options {
    /// Reads the flags behind the program's name.
    pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Self, OptionsError> {
        let mut options = Self::default();
        let mut args = Flags::new(args);
        while let Some(flag) = args.next_flag() {
            let pace = &mut options.pace;
            match flag.as_str() {
                "--port" => options.port = args.value(&flag)?,
                "--cell" => options.cell = args.value(&flag)?,
                "--log" => options.log = Some(args.value(&flag)?),
                "--refuse-keys" => options.refuse_keys = true,
                "--demo-script" => options.demo_script = true,
                "--words-only" => options.words_only = true,
                "--stt-delay-ms" => pace.transcript = args.milliseconds(&flag)?,
                "--first-token-ms" => pace.first_token = args.milliseconds(&flag)?,
                "--token-ms" => pace.token = args.milliseconds(&flag)?,
                "--tts-first-byte-ms" => pace.first_audio = args.milliseconds(&flag)?,
                "--tts-speed" => pace.speech_speed = speed(&flag, args.value(&flag)?)?,
                "--twilio-account" => options.twilio_account = args.value(&flag)?,
                "--twilio-auth-token" => options.twilio_auth_token = args.value(&flag)?,
                _ => return Err(OptionsError::Unknown(flag)),
            }
        }
        if options.account().is_none() {
            let (flag, value) = ("--twilio-account".to_owned(), options.twilio_account);
            return Err(OptionsError::Invalid { flag, value });
        }
        Ok(options)
    }

    /// The Twilio account; `None` if its SID has not the form of one or its token is empty.
    pub fn account(&self) -> Option<Account> {
        Account::new(self.twilio_account.as_str(), self.twilio_auth_token.as_str())
    }
}

fn speed(flag: &str, value: f64) -> Result<f64, OptionsError> {
    if value.is_finite() && value >= 0.1 {
        return Ok(value);
    }
    Err(OptionsError::Invalid { flag: flag.to_owned(), value: value.to_string() })
}

/// Flags and their values, one after another.
pub struct Flags<I> {
    args: I,
}

impl<I: Iterator<Item = String>> Flags<I> {
    /// Over the arguments behind the program's name.
    pub fn new(args: impl IntoIterator<IntoIter = I>) -> Self {
        Self { args: args.into_iter() }
    }

    /// The next flag.
    pub fn next_flag(&mut self) -> Option<String> {
        self.args.next()
    }

    /// The value behind a flag.
    pub fn value<T: FromStr>(&mut self, flag: &str) -> Result<T, OptionsError> {
        let value = self.args.next().ok_or_else(|| OptionsError::Missing(flag.to_owned()))?;
        value.parse().map_err(|_error| OptionsError::Invalid { flag: flag.to_owned(), value })
    }

    /// The duration behind a flag.
    pub fn milliseconds(&mut self, flag: &str) -> Result<Duration, OptionsError> {
        self.value(flag).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, OptionsError> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn flags_are_read() {
        let options = parse("--port 9901 --cell eu --log a.jsonl --tts-speed 2.5 --token-ms 0");
        let options = options.unwrap();
        assert_eq!((options.port, options.cell), (9901, Cell::Eu));
        assert_eq!(options.log, Some(PathBuf::from("a.jsonl")));
        assert!((options.pace.speech_speed - 2.5).abs() < 1e-9);
        assert_eq!(options.pace.token, Duration::ZERO);
        assert_eq!(options.pace.transcript, Duration::from_millis(100));
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(parse("--prot 1").unwrap_err(), OptionsError::Unknown("--prot".to_owned()));
        assert_eq!(parse("--port").unwrap_err(), OptionsError::Missing("--port".to_owned()));
        for line in [
            "--port x",
            "--cell mars",
            "--tts-speed 0",
            "--stt-delay-ms -1",
            "--twilio-account AC1",
        ] {
            assert!(matches!(parse(line), Err(OptionsError::Invalid { .. })), "{line}");
        }
    }
}
