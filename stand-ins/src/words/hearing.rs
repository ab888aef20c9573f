//! Audio to words: the streaming decoder.

use super::alphabet;
use super::runs::{Kind, Run, Runs};
use super::tones::{RATE, Tones, step_ms};
use nexus_core::audio::resample::{RateError, Resampler};

/// Most steps (2.5 ms) between two symbols of one word.
const WITHIN_WORD: u64 = 5;
/// Steps without a symbol that end a word (the pause between words is 36).
const WORD_END: u64 = 20;
/// Steps of sound, not words, that are more than the border between two symbols.
const SOUND_STEPS: u64 = 8;
/// Sound this long makes the listener report that somebody speaks.
const SPEECH_STEPS: u64 = 24;
/// Sound in all that is worth reporting once it has ended (100 ms).
const UNCLEAR_STEPS: u64 = 40;
/// Steps of silence that end a stretch of sound or speech (200 ms).
const SPEECH_END: u64 = 80;
/// A word's neighbourhood in which loud sound means that it was no word.
const NEAR: u64 = 24;
const NEAR_SOUND: u64 = 10;
/// Share of a word's loudness from which sound beside it counts as loud.
const NEAR_LOUDNESS: f32 = 0.35;

/// What a listener noticed. Times are milliseconds since the first sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Somebody began to speak (words or not).
    SpeechStart {
        /// The beginning of the sound.
        at_ms: u64,
    },
    /// A word, as it was written. A word cut short has the letters that were played to their end.
    Word {
        /// The word with its punctuation; empty for a word without characters.
        text: String,
        /// Its beginning.
        start_ms: u64,
        /// Its end, without the pause.
        end_ms: u64,
    },
    /// Sound that is no audible word, such as real speech.
    Unclear {
        /// Its beginning.
        start_ms: u64,
        /// Its end.
        end_ms: u64,
    },
    /// Nobody has spoken for 200 ms.
    SpeechEnd {
        /// The end of the last sound.
        at_ms: u64,
    },
}

impl Heard {
    fn move_back(&mut self, ms: u64) {
        let (first, second) = match self {
            Self::SpeechStart { at_ms } | Self::SpeechEnd { at_ms } => (at_ms, None),
            Self::Word { start_ms, end_ms, .. } | Self::Unclear { start_ms, end_ms } => {
                (start_ms, Some(end_ms))
            }
        };
        *first = first.saturating_sub(ms);
        if let Some(second) = second {
            *second = second.saturating_sub(ms);
        }
    }
}

/// A listener: give it audio as it comes, in pieces of any length, and it reports what it hears.
pub struct Hearing {
    resampler: Resampler,
    tones: Tones,
    runs: Runs,
    words: Words,
    resampled: Vec<i16>,
    /// Silence that [`Hearing::finish`] put in, which no time counts.
    added_ms: u64,
}

/// Silence after which nothing is open any more.
const FINISH_MS: u64 = 250;

impl Hearing {
    /// A listener for mono audio at `rate` samples a second.
    pub fn new(rate: u32) -> Result<Self, RateError> {
        Ok(Self {
            resampler: Resampler::new(rate, RATE)?,
            tones: Tones::new(),
            runs: Runs::default(),
            words: Words::default(),
            resampled: Vec::new(),
            added_ms: 0,
        })
    }

    /// One that takes whatever is no word for noise: it reports words, and speech from their second symbol on (two
    /// tones by themselves may be chance).
    pub fn of_words(rate: u32) -> Result<Self, RateError> {
        let mut hearing = Self::new(rate)?;
        hearing.words.only = true;
        Ok(hearing)
    }

    /// Listens to more samples and appends what it noticed to `heard`.
    pub fn push(&mut self, samples: &[i16], heard: &mut Vec<Heard>) {
        self.resampled.clear();
        self.resampler.process(samples, &mut self.resampled);
        self.listen(heard);
    }

    /// Appends what was still open, as if silence followed. The listener stays usable.
    pub fn finish(&mut self, heard: &mut Vec<Heard>) {
        self.resampled.clear();
        self.resampler.flush(&mut self.resampled);
        let silence = FINISH_MS * u64::from(RATE) / 1000;
        self.resampled.resize(self.resampled.len() + silence as usize, 0);
        self.listen(heard);
        self.added_ms += FINISH_MS;
    }

    fn listen(&mut self, heard: &mut Vec<Heard>) {
        let known = heard.len();
        let (runs, words) = (&mut self.runs, &mut self.words);
        self.tones.push(&self.resampled, |index, moment| {
            runs.push(index, moment, |run| words.push(run, heard));
        });
        for event in heard.iter_mut().skip(known) {
            event.move_back(self.added_ms);
        }
    }

    /// Audio listened to so far, in milliseconds.
    pub fn position_ms(&self) -> u64 {
        (self.tones.steps() * 5 / 2).saturating_sub(self.added_ms)
    }

    /// Milliseconds since the last sound ended; 0 while there is sound.
    pub fn silence_ms(&self) -> u64 {
        if self.runs.is_open() {
            return 0;
        }
        let silent = self.tones.steps().saturating_sub(self.words.sound_end);
        silent * 5 / 2
    }
}

/// Everything heard in a whole piece of audio.
pub fn hear(samples: &[i16], rate: u32) -> Result<Vec<Heard>, RateError> {
    let mut hearing = Hearing::new(rate)?;
    let mut heard = Vec::new();
    hearing.push(samples, &mut heard);
    hearing.finish(&mut heard);
    Ok(heard)
}

/// What was heard as text: words with a space between them; other sound as `(speech, 1.2 s)`.
pub fn text_of(heard: &[Heard]) -> String {
    let words = heard.iter().filter_map(|event| match event {
        Heard::Word { text, .. } => Some(text.clone()),
        Heard::Unclear { start_ms, end_ms } => {
            Some(format!("(speech, {:.1} s)", (end_ms - start_ms) as f64 / 1000.0))
        }
        Heard::SpeechStart { .. } | Heard::SpeechEnd { .. } => None,
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A word being heard.
struct OpenWord {
    symbols: Vec<u8>,
    start: u64,
    end: u64,
    loudness: f32,
    /// Steps of loud sound directly before and after it.
    sound_near: u64,
}

/// A stretch of sound that is no word.
#[derive(Clone, Copy)]
struct Sound {
    start: u64,
    end: u64,
    steps: u64,
    loudness: f32,
}

/// Runs to words.
#[derive(Default)]
struct Words {
    word: Option<OpenWord>,
    sound: Option<Sound>,
    /// Sound since the last symbol or silence, which may be no more than a border.
    border: Option<Sound>,
    speaking: bool,
    sound_end: u64,
    /// Other sound is not worth reporting.
    only: bool,
}

impl Words {
    fn push(&mut self, run: Run, heard: &mut Vec<Heard>) {
        match run.kind {
            Kind::Symbol(symbol) => self.symbol(symbol, run, heard),
            Kind::Fragment => self.fragment(run, heard),
            Kind::Sound => self.sound(run, heard),
            Kind::Silence => self.silence(run.end, heard),
        }
    }

    fn symbol(&mut self, symbol: u8, run: Run, heard: &mut Vec<Heard>) {
        self.border = None;
        self.sound_end = run.end;
        if !self.only {
            self.start_speech(run.start, heard);
        }
        if let Some(word) = &mut self.word
            && run.start.saturating_sub(word.end) <= WITHIN_WORD
        {
            word.symbols.push(symbol);
            word.end = run.end;
            let start = word.start;
            self.start_speech(start, heard);
            return;
        }
        self.end_word(heard);
        let near = |sound: &Sound| {
            let loud = sound.loudness >= NEAR_LOUDNESS * run.loudness;
            if loud && run.start.saturating_sub(sound.end) <= NEAR { sound.steps } else { 0 }
        };
        self.word = Some(OpenWord {
            symbols: vec![symbol],
            start: run.start,
            end: run.end,
            loudness: run.loudness,
            sound_near: self.sound.as_ref().map_or(0, near),
        });
    }

    /// A cut left a piece of a symbol. The word before it ends: what follows is too late to join.
    fn fragment(&mut self, run: Run, heard: &mut Vec<Heard>) {
        self.sound_end = run.end;
        if self.border.is_some_and(|border| border.steps >= SOUND_STEPS) {
            self.sound(run, heard);
        }
    }

    fn sound(&mut self, run: Run, heard: &mut Vec<Heard>) {
        self.sound_end = run.end;
        let steps = run.end - run.start;
        let border = self.border.get_or_insert(Sound {
            start: run.start,
            end: run.end,
            steps: 0,
            loudness: 0.0,
        });
        let was_border = border.steps < SOUND_STEPS;
        border.steps += steps;
        border.end = run.end;
        border.loudness = border.loudness.max(run.loudness);
        if border.steps < SOUND_STEPS {
            return;
        }
        let fresh = if was_border { *border } else { Sound { steps, ..*border } };
        if let Some(word) = &mut self.word
            && fresh.end.saturating_sub(word.end) <= NEAR + steps
            && fresh.loudness >= NEAR_LOUDNESS * word.loudness
        {
            word.sound_near += fresh.steps;
        }
        let sound = self.sound.get_or_insert(Sound { steps: 0, loudness: 0.0, ..fresh });
        sound.steps += fresh.steps;
        sound.end = fresh.end;
        sound.loudness = sound.loudness.max(fresh.loudness);
        let (start, steps) = (sound.start, sound.steps);
        if steps >= SPEECH_STEPS && !self.only {
            self.start_speech(start, heard);
        }
        if self.word.as_ref().is_some_and(|word| run.end - word.end > WORD_END) {
            self.end_word(heard);
        }
    }

    fn silence(&mut self, now: u64, heard: &mut Vec<Heard>) {
        self.border = None;
        if self.word.as_ref().is_some_and(|word| now.saturating_sub(word.end) > WORD_END) {
            self.end_word(heard);
        }
        if now.saturating_sub(self.sound_end) < SPEECH_END {
            return;
        }
        self.end_sound(heard);
        if self.speaking {
            self.speaking = false;
            heard.push(Heard::SpeechEnd { at_ms: step_ms(self.sound_end) });
        }
    }

    fn start_speech(&mut self, start: u64, heard: &mut Vec<Heard>) {
        if !self.speaking {
            self.speaking = true;
            heard.push(Heard::SpeechStart { at_ms: step_ms(start) });
        }
    }

    fn end_word(&mut self, heard: &mut Vec<Heard>) {
        let Some(word) = self.word.take() else { return };
        if word.sound_near >= NEAR_SOUND {
            // Two tones in the midst of other sound are chance: part of the sound.
            let sound = self.sound.get_or_insert(Sound {
                start: word.start,
                end: word.end,
                steps: 0,
                loudness: word.loudness,
            });
            sound.start = sound.start.min(word.start);
            sound.end = sound.end.max(word.end);
            sound.steps += word.end - word.start;
            return;
        }
        if self.sound.is_some_and(|sound| sound.end <= word.start) {
            self.end_sound(heard);
        }
        if let Some(text) = alphabet::text_of(&word.symbols) {
            let (start_ms, end_ms) = (step_ms(word.start), step_ms(word.end));
            heard.push(Heard::Word { text, start_ms, end_ms });
        }
    }

    fn end_sound(&mut self, heard: &mut Vec<Heard>) {
        if let Some(sound) = self.sound.take()
            && sound.steps >= UNCLEAR_STEPS
            && !self.only
        {
            heard.push(Heard::Unclear {
                start_ms: step_ms(sound.start),
                end_ms: step_ms(sound.end),
            });
        }
    }
}
