//! Moonshine tiny-en (MIT, <https://github.com/moonshine-ai/moonshine>) in ONNX Runtime: an encoder over
//! the whole audio, a decoder that gives one token after another.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use ort::session::builder::GraphOptimizationLevel;
use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, Tensor};

use super::tokens::Tokens;
use super::{Recogniser, RecogniserError};

/// The token that a text begins with.
const START: i64 = 1;
/// The token that a text ends with.
const END: i64 = 2;
/// People say fewer tokens than this a second; more means that the model repeats itself.
const TOKENS_PER_SECOND: f64 = 6.5;
/// Tokens granted to the shortest audio.
const TOKENS_MIN: usize = 6;
/// Shorter audio is filled up with silence, in samples: the encoder's windows need it.
const SAMPLES_MIN: usize = 4_800;

/// Shape of the decoder's memory: attention heads, and the width of each.
const HEADS: usize = 8;
const WIDTH: usize = 36;

/// Where the engine's files are.
#[derive(Clone, Debug)]
pub struct Files {
    /// The folder with `encoder_model.ort`, `decoder_model_merged.ort` and `tokenizer.bin`.
    pub model: PathBuf,
    /// ONNX Runtime's shared library.
    pub runtime: PathBuf,
}

/// One instance of the model; its thread's own.
pub struct Moonshine {
    encoder: Session,
    decoder: Session,
    /// The decoder's inputs that carry its memory, with the outputs that fill them.
    memory: Vec<Slot>,
    tokens: Tokens,
}

/// A piece of the decoder's memory.
struct Slot {
    input: String,
    output: String,
    /// Of the encoder's result: computed by the first step, kept by the others.
    fixed: bool,
}

fn load(file: &Path, why: &impl ToString) -> RecogniserError {
    RecogniserError::Load { file: file.display().to_string(), why: why.to_string() }
}

fn no_logits() -> ort::Error {
    ort::Error::new("the decoder gave nothing")
}

fn run(why: &impl ToString) -> RecogniserError {
    RecogniserError::Run(why.to_string())
}

impl Files {
    /// Loads the runtime into this process; once, before the first [`Moonshine::load`].
    pub fn start_runtime(&self) -> Result<(), RecogniserError> {
        let runtime = ort::init_from(&self.runtime).map_err(|error| load(&self.runtime, &error))?;
        runtime.with_name("nexus").commit();
        Ok(())
    }
}

impl Moonshine {
    /// Loads the model's files.
    pub fn load(files: &Files) -> Result<Self, RecogniserError> {
        let session = |name: &str| -> Result<Session, RecogniserError> {
            let path = files.model.join(name);
            let session = || -> Result<Session, String> {
                let builder = Session::builder().map_err(|error| error.to_string())?;
                // Calls share the processors, not one call's decoding.
                let builder = builder.with_intra_threads(1).map_err(|error| error.to_string())?;
                let mut builder = builder
                    .with_optimization_level(GraphOptimizationLevel::Level1)
                    .map_err(|error| error.to_string())?;
                builder.commit_from_file(&path).map_err(|error| error.to_string())
            };
            session().map_err(|error| load(&path, &error))
        };
        let (encoder, decoder) =
            (session("encoder_model.ort")?, session("decoder_model_merged.ort")?);
        let path = files.model.join("tokenizer.bin");
        let bytes = std::fs::read(&path).map_err(|error| load(&path, &error))?;
        let tokens = Tokens::read(&bytes).ok_or_else(|| load(&path, &"it is cut off"))?;
        let memory = decoder.inputs().iter().filter_map(|input| Slot::of(input.name())).collect();
        Ok(Self { encoder, decoder, memory, tokens })
    }

    fn decode(
        &mut self,
        states: &DynValue,
        mask: &Tensor<i64>,
        most: usize,
    ) -> Result<String, ort::Error> {
        let empty = |_: &Slot| {
            let shape = [1_usize, HEADS, 0, WIDTH];
            Tensor::<f32>::new(&ort::memory::Allocator::default(), shape).map(Tensor::into_dyn)
        };
        let mut memory: Vec<DynValue> = self.memory.iter().map(empty).collect::<Result<_, _>>()?;
        let mut ids = Vec::new();
        let mut last = START;
        for step in 0..most {
            let first = step == 0;
            let id = Tensor::from_array(([1_usize, 1], vec![last]))?;
            let cached = Tensor::from_array(([1_usize], vec![!first]))?;
            let mut inputs: Vec<(Cow<'_, str>, SessionInputValue<'_>)> = vec![
                ("input_ids".into(), id.into()),
                ("encoder_attention_mask".into(), mask.into()),
                ("encoder_hidden_states".into(), states.into()),
                ("use_cache_branch".into(), cached.into()),
            ];
            for (slot, value) in self.memory.iter().zip(&memory) {
                inputs.push((slot.input.as_str().into(), value.into()));
            }
            let mut outputs = self.decoder.run(inputs)?;
            let (_shape, logits) =
                outputs.get("logits").ok_or_else(no_logits)?.try_extract_tensor::<f32>()?;
            let best = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
            last = best.map_or(END, |(index, _)| index as i64);
            if last == END {
                break;
            }
            ids.push(last);
            for (slot, value) in self.memory.iter().zip(&mut memory) {
                if let Some(fresh) =
                    (first || !slot.fixed).then(|| outputs.remove(&slot.output)).flatten()
                {
                    *value = fresh;
                }
            }
        }
        Ok(self.tokens.text(&ids))
    }
}

impl Slot {
    /// Of `past_key_values.3.decoder.key`.
    fn of(input: &str) -> Option<Self> {
        let rest = input.strip_prefix("past_key_values.")?;
        Some(Self {
            input: input.to_owned(),
            output: format!("present.{rest}"),
            fixed: rest.contains(".encoder."),
        })
    }
}

impl Recogniser for Moonshine {
    fn recognise(&mut self, samples: &[i16]) -> Result<String, RecogniserError> {
        let most = (samples.len() as f64 / f64::from(super::RATE) * TOKENS_PER_SECOND) as usize;
        let mut audio: Vec<f32> = samples.iter().map(|s| f32::from(*s) / 32_768.0).collect();
        audio.resize(audio.len().max(SAMPLES_MIN), 0.0);
        let length = audio.len();
        let input = Tensor::from_array(([1, length], audio)).map_err(|error| run(&error))?;
        let mask = Tensor::from_array(([1, length], vec![1_i64; length]));
        let mask = mask.map_err(|error| run(&error))?;
        let states = {
            let inputs = ort::inputs! { "input_values" => input, "attention_mask" => &mask };
            let mut outputs = self.encoder.run(inputs).map_err(|error| run(&error))?;
            outputs.remove("last_hidden_state")
        };
        let states = states.ok_or_else(|| run(&"the encoder gave nothing"))?;
        self.decode(&states, &mask, most + TOKENS_MIN).map_err(|error| run(&error))
    }
}
