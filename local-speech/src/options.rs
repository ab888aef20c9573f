//! How the server is started.

use std::path::PathBuf;

use lexopt::Arg::Long;
use lexopt::ValueExt as _;

/// The command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Port on the loopback address; 0 takes a free one.
    pub port: u16,
    /// The recogniser's model.
    pub model: PathBuf,
    /// ONNX Runtime's shared library.
    pub runtime: PathBuf,
    /// The Python that runs the neural voice.
    pub python: PathBuf,
    /// The neural voice's packages, if they are there.
    pub packages: Option<PathBuf>,
    /// Most connections of each kind at once.
    pub calls_max: usize,
    /// Threads that recognise.
    pub threads: usize,
}

/// For `--help`.
pub const HELP: &str = "\
nexus-local-speech --model DIR --runtime FILE [flags]   a recogniser and a voice on one address
  --model DIR       encoder_model.ort, decoder_model_merged.ort and tokenizer.bin of Moonshine tiny-en
  --runtime FILE    the shared library of ONNX Runtime
  --packages DIR    Python packages with the voice hibari; else flite or espeak-ng speaks
  --python FILE     the Python that runs them (default python3)
  --port N          port on 127.0.0.1 (default 0: a free one, printed as JSON)
  --calls N         most connections of each kind at once (default 64)
  --threads N       threads that recognise (default: one for each processor, at most 4)";

/// Most threads that recognise unless a flag says more.
const THREADS_MAX: usize = 4;

impl Options {
    /// Reads the flags; `None` if help is asked for.
    pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Option<Self>, lexopt::Error> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let mut options = Self {
            port: 0,
            model: PathBuf::new(),
            runtime: PathBuf::new(),
            python: PathBuf::from("python3"),
            packages: None,
            calls_max: 64,
            threads: processors.min(THREADS_MAX),
        };
        let mut parser = lexopt::Parser::from_args(args);
        while let Some(arg) = parser.next()? {
            match arg {
                Long("help") => return Ok(None),
                Long("port") => options.port = parser.value()?.parse()?,
                Long("model") => options.model = parser.value()?.into(),
                Long("runtime") => options.runtime = parser.value()?.into(),
                Long("python") => options.python = parser.value()?.into(),
                Long("packages") => options.packages = Some(parser.value()?.into()),
                Long("calls") => options.calls_max = parser.value()?.parse()?,
                Long("threads") => options.threads = parser.value()?.parse::<usize>()?.max(1),
                _ => return Err(arg.unexpected()),
            }
        }
        for (flag, path) in [("--model", &options.model), ("--runtime", &options.runtime)] {
            if path.as_os_str().is_empty() {
                return Err(format!("{flag} is missing").into());
            }
        }
        Ok(Some(options))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Option<Options>, lexopt::Error> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn flags_are_read_and_mistakes_named() {
        let options = parse("--model m --runtime r.so --packages p --calls 3 --threads 0");
        let options = options.unwrap().unwrap();
        assert_eq!((options.calls_max, options.threads, options.port), (3, 1, 0));
        assert_eq!(options.packages, Some(PathBuf::from("p")));
        assert!(parse("--help").unwrap().is_none());
        for bad in ["--model m", "--runtime r", "--modle m", "--model m --runtime r --port x"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
