//! The query of `/v1/listen`, checked as strictly as the service does at the upgrade.

use crate::cell::Cell;

use super::Refusal;

/// Encodings that the service takes; only the first two are decoded by those who stand in for it.
const ENCODINGS: [&str; 11] = [
    "linear16", "mulaw", "linear32", "flac", "alaw", "amr-nb", "amr-wb", "opus", "ogg-opus",
    "speex", "g729",
];
/// Parameters that may stand more than once.
const REPEATABLE: [&str; 8] =
    ["keyterm", "keywords", "language_hint", "redact", "search", "replace", "tag", "extra"];
/// Words that are true or false and change nothing that a stand-in could show.
const UNUSED_BOOLEANS: [&str; 6] =
    ["numerals", "dictation", "profanity_filter", "diarize", "detect_entities", "multichannel"];
/// Base languages of Nova-3 in single-language mode, as released until November 2026.
const NOVA_3_LANGUAGES: &str = "en de nl sv da es fr pt it tr no id bg cs fi hi hu ja ko pl ru uk \
     vi ca et el lv lt ms ro sk be bn bs hr kn mk mr sr sl ta te tl he fa ur zh th gu pa ne ar";
/// Base languages of Nova-2.
const NOVA_2_LANGUAGES: &str = "en bg ca zh cs da nl et fi fr de el hi hu id it ja ko lv lt ms no \
     pl pt ro ru sk es sv th tr uk vi";
/// Shortest `utterance_end_ms`.
const UTTERANCE_END_MS_MIN: u64 = 1_000;
/// Silence after which speech is final unless the query says otherwise, in ms.
const ENDPOINTING_MS: u64 = 10;

/// How audio comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Signed 16-bit little-endian.
    Linear16,
    /// G.711 mu-law.
    Mulaw,
}

/// What a connection asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the service's own switches, one by one")]
pub struct ListenQuery {
    /// The model's name.
    pub model: String,
    /// A language tag, or `multi`.
    pub language: String,
    /// How audio comes.
    pub encoding: Encoding,
    /// Samples a second, 8,000 to 48,000.
    pub sample_rate: u32,
    /// Results that may still change are wanted.
    pub interim_results: bool,
    /// Silence after which speech is final; `None`: never by silence.
    pub endpointing_ms: Option<u64>,
    /// Silence after which `UtteranceEnd` is said; `None`: never.
    pub utterance_end_ms: Option<u64>,
    /// `SpeechStarted` is wanted.
    pub vad_events: bool,
    /// Case and punctuation as spoken (`punctuate` or `smart_format`).
    pub punctuate: bool,
    /// The audio may not be kept.
    pub mip_opt_out: bool,
}

/// The pairs as they came, before they mean anything.
#[derive(Default)]
struct Raw {
    pairs: Vec<(String, String)>,
}

impl Raw {
    fn text(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn boolean(&self, name: &str) -> Result<bool, Refusal> {
        match self.text(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(Refusal::bad(format!("{name} cannot be {other}: true or false"))),
        }
    }

    fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let parse = |text: &str| {
            text.parse().map_err(|_error| Refusal::bad(format!("{name} must be a whole number")))
        };
        self.text(name).map(parse).transpose()
    }
}

impl ListenQuery {
    /// Reads a query string; the first mistake is the answer.
    pub fn parse(query: &str) -> Result<Self, Refusal> {
        let raw = read_pairs(query)?;
        let model = raw.text("model").unwrap_or("base").to_owned();
        let language = raw.text("language").unwrap_or("en").to_owned();
        check_model(&raw, &model, &language)?;
        let (encoding, sample_rate) = audio(&raw)?;
        let interim_results = raw.boolean("interim_results")?;
        let endpointing_ms = match raw.text("endpointing") {
            Some("false") => None,
            Some("true") | None => Some(ENDPOINTING_MS),
            Some(_) => raw.number("endpointing")?,
        };
        let utterance_end_ms = raw.number("utterance_end_ms")?;
        if utterance_end_ms.is_some_and(|ms| ms < UTTERANCE_END_MS_MIN) {
            return Err(Refusal::bad("utterance_end_ms must be 1000 or more"));
        }
        if utterance_end_ms.is_some() && !interim_results {
            return Err(Refusal::bad("utterance_end_ms needs interim_results=true"));
        }
        for name in UNUSED_BOOLEANS {
            raw.boolean(name)?;
        }
        if raw.boolean("multichannel")? || raw.number("channels")?.unwrap_or(1) != 1 {
            return Err(Refusal::bad("only one channel is heard here"));
        }
        let punctuate = raw.boolean("punctuate")? || raw.boolean("smart_format")?;
        Ok(Self {
            model,
            language,
            encoding,
            sample_rate,
            interim_results,
            endpointing_ms,
            utterance_end_ms,
            vad_events: raw.boolean("vad_events")?,
            punctuate,
            mip_opt_out: raw.boolean("mip_opt_out")?,
        })
    }

    /// Audio of the EU cell may not be kept for training, which can happen elsewhere.
    pub fn check_cell(&self, cell: Cell) -> Result<(), Refusal> {
        if cell == Cell::Eu && !self.mip_opt_out {
            return Err(Refusal::bad("mip_opt_out=true is required on this host"));
        }
        Ok(())
    }

    /// Whether the model follows keyterms.
    pub fn is_nova_3(&self) -> bool {
        is_nova_3(&self.model)
    }
}

fn is_nova_3(model: &str) -> bool {
    model == "nova-3" || model.starts_with("nova-3-")
}

fn read_pairs(query: &str) -> Result<Raw, Refusal> {
    const SINGLE: [&str; 19] = [
        "model",
        "language",
        "encoding",
        "sample_rate",
        "channels",
        "interim_results",
        "endpointing",
        "utterance_end_ms",
        "vad_events",
        "smart_format",
        "punctuate",
        "diarize_model",
        "callback",
        "callback_method",
        "version",
        "mip_opt_out",
        "filler_words",
        "no_delay",
        "measurements",
    ];
    let mut raw = Raw::default();
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        let repeatable = REPEATABLE.contains(&&*key);
        if !repeatable && !SINGLE.contains(&&*key) && !UNUSED_BOOLEANS.contains(&&*key) {
            return Err(Refusal::bad(format!("unknown query parameter {key}")));
        }
        if !repeatable && raw.text(&key).is_some() {
            return Err(Refusal::bad(format!("{key} stands twice")));
        }
        raw.pairs.push((key.into_owned(), value.into_owned()));
    }
    Ok(raw)
}

fn check_model(raw: &Raw, model: &str, language: &str) -> Result<(), Refusal> {
    let nova_3 = matches!(model, "nova-3" | "nova-3-general" | "nova-3-medical");
    let nova_2 = model == "nova-2" || model.starts_with("nova-2-");
    let older = matches!(model, "base" | "enhanced" | "nova");
    if !nova_3 && !nova_2 && !older {
        return Err(Refusal::bad(format!("no such model {model} for streaming")));
    }
    let base = language.split('-').next().unwrap_or_default();
    let known = match (language, model) {
        ("multi", _) => nova_3 && model != "nova-3-medical" || nova_2,
        (_, "nova-3-medical") => base == "en",
        _ if nova_3 => NOVA_3_LANGUAGES.split_whitespace().any(|known| known == base),
        _ => NOVA_2_LANGUAGES.split_whitespace().any(|known| known == base),
    };
    if !known {
        return Err(Refusal::bad(format!("no such model/language combination: {language}")));
    }
    if raw.text("keywords").is_some() && nova_3 {
        return Err(Refusal::bad("keywords are not supported by nova-3; use keyterm"));
    }
    if raw.text("keyterm").is_some() && !nova_3 {
        return Err(Refusal::bad("keyterm is supported by nova-3 only"));
    }
    if raw.text("language_hint").is_some() && !(nova_3 && language == "multi") {
        return Err(Refusal::bad("language_hint needs nova-3 and language=multi"));
    }
    Ok(())
}

fn audio(raw: &Raw) -> Result<(Encoding, u32), Refusal> {
    let (encoding, rate) = (raw.text("encoding"), raw.number("sample_rate")?);
    let (encoding, rate) = match (encoding, rate) {
        (Some(encoding), Some(rate)) => (encoding, rate),
        (None, None) => {
            let reason = "raw audio only is taken here: encoding and sample_rate";
            return Err(Refusal::bad(reason));
        }
        (Some(_), None) => return Err(Refusal::bad("encoding needs sample_rate")),
        (None, Some(_)) => return Err(Refusal::bad("sample_rate needs encoding")),
    };
    let rate = u32::try_from(rate).ok().filter(|rate| (8_000..=48_000).contains(rate));
    let rate = rate.ok_or_else(|| Refusal::bad("sample_rate must be 8000 to 48000"))?;
    match encoding {
        "linear16" => Ok((Encoding::Linear16, rate)),
        "mulaw" => Ok((Encoding::Mulaw, rate)),
        other if ENCODINGS.contains(&other) => {
            Err(Refusal::bad(format!("{other} is not decoded here")))
        }
        other => Err(Refusal::bad(format!("unknown encoding {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "model=nova-3&language=en&encoding=linear16&sample_rate=16000";

    #[test]
    fn a_dialogue_s_query_is_understood() {
        let query = ListenQuery::parse(&format!(
            "{GOOD}&interim_results=true&endpointing=300&utterance_end_ms=1000&vad_events=true\
             &punctuate=true&keyterm=Nexus&keyterm=Global+Voice&mip_opt_out=true&tag=a"
        ))
        .unwrap();
        assert_eq!(query.encoding, Encoding::Linear16);
        assert_eq!(query.sample_rate, 16_000);
        assert_eq!((query.endpointing_ms, query.utterance_end_ms), (Some(300), Some(1_000)));
        assert!(query.interim_results && query.vad_events && query.punctuate && query.mip_opt_out);
        assert_eq!(query.check_cell(Cell::Eu), Ok(()));
    }

    #[test]
    fn the_service_s_defaults_hold() {
        let query = ListenQuery::parse(GOOD).unwrap();
        assert_eq!(query.endpointing_ms, Some(10));
        assert!(!query.interim_results && !query.punctuate && !query.vad_events);
        assert!(query.check_cell(Cell::Us).is_ok() && query.check_cell(Cell::Eu).is_err());
        let off = ListenQuery::parse(&format!("{GOOD}&endpointing=false")).unwrap();
        assert_eq!(off.endpointing_ms, None);
    }

    #[test]
    fn mistakes_are_refused() {
        let cases = [
            format!("{GOOD}&interm_results=true"),
            format!("{GOOD}&interim_results=1"),
            format!("{GOOD}&interim_results=true&interim_results=true"),
            format!("{GOOD}&utterance_end_ms=1000"),
            format!("{GOOD}&interim_results=true&utterance_end_ms=500"),
            format!("{GOOD}&endpointing=soon"),
            format!("{GOOD}&keywords=a"),
            format!("{GOOD}&channels=2"),
            format!("{GOOD}&language_hint=de"),
            "model=nova-9&encoding=linear16&sample_rate=16000".to_owned(),
            "model=nova-3&language=xx&encoding=linear16&sample_rate=16000".to_owned(),
            "model=nova-2&keyterm=a&encoding=linear16&sample_rate=16000".to_owned(),
            "model=nova-3&encoding=linear16".to_owned(),
            "model=nova-3&sample_rate=16000".to_owned(),
            "model=nova-3".to_owned(),
            "model=nova-3&encoding=mp3&sample_rate=16000".to_owned(),
            "model=nova-3&encoding=flac&sample_rate=16000".to_owned(),
            "model=nova-3&encoding=mulaw&sample_rate=800".to_owned(),
            "model=nova-3&encoding=mulaw&sample_rate=x".to_owned(),
        ];
        for query in cases {
            let refusal = ListenQuery::parse(&query).unwrap_err();
            assert_eq!(refusal.status, 400, "{query}");
        }
    }
}
