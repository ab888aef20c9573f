use nexus_core::provider::deepgram::ListenQuery;

use super::*;

const QUERY: &str = "model=nova-3&encoding=linear16&sample_rate=16000&punctuate=true";
const LIVE: &str = "&interim_results=true&endpointing=300&utterance_end_ms=1000&vad_events=true";

/// Hears every loud sample as speech, at once; silence ends it after 120 ms.
#[derive(Default)]
struct Loudness {
    heard_ms: u64,
    speaking: bool,
    loud_until_ms: u64,
}

impl Activity for Loudness {
    fn rate(&self) -> u32 {
        RATE
    }

    fn hear(&mut self, samples: &[i16], out: &mut Vec<Detection>) {
        let loud = samples.iter().any(|sample| sample.unsigned_abs() > 1_000);
        let at_ms = self.heard_ms;
        self.heard_ms += samples.len() as u64 / 16;
        if loud {
            self.loud_until_ms = self.heard_ms;
            if !std::mem::replace(&mut self.speaking, true) {
                out.push(Detection::SpeechStarted { at_ms });
            }
        } else if self.speaking && self.heard_ms - self.loud_until_ms >= 120 {
            self.speaking = false;
            out.push(Detection::SpeechEnded { at_ms: self.loud_until_ms });
        }
    }
}

/// A session and a recogniser that gives a word for every 200 ms of sound.
struct Line {
    session: Session<Loudness>,
    said: Vec<Value>,
    waiting: Vec<Decoding>,
    longest_ms: u64,
    ended: bool,
}

fn words_in(samples: &[i16]) -> String {
    let loud = samples.iter().filter(|sample| sample.unsigned_abs() > 1_000).count();
    let count = loud / 3_200;
    (1..=count).map(|n| format!("w{n}")).collect::<Vec<_>>().join(" ")
}

impl Line {
    fn new(more: &str) -> Self {
        let messages = Messages {
            request_id: "request".to_owned(),
            model_uuid: "model".to_owned(),
            created: "2026-01-01T00:00:00.000Z".to_owned(),
            query: ListenQuery::parse(&format!("{QUERY}{more}")).unwrap(),
        };
        let session = Session::new(messages, Loudness::default()).unwrap();
        Self { session, said: Vec::new(), waiting: Vec::new(), longest_ms: 0, ended: false }
    }

    fn take(&mut self, actions: Actions) {
        self.said.extend(actions.say);
        self.ended |= actions.ended;
        for decoding in actions.decode {
            self.longest_ms = self.longest_ms.max(decoding.samples.len() as u64 / 16);
            self.waiting.push(decoding);
        }
    }

    /// Speech or silence; nothing is recognised meanwhile.
    fn push(&mut self, level: i16, ms: usize) {
        for _ in 0..ms / 20 {
            let mut actions = Actions::default();
            let bytes: Vec<u8> = std::iter::repeat_n(level.to_le_bytes(), 320).flatten().collect();
            self.session.push(&bytes, &mut actions);
            self.take(actions);
        }
    }

    fn recognise(&mut self) {
        for decoding in std::mem::take(&mut self.waiting) {
            let mut actions = Actions::default();
            self.session.decoded(decoding.id, &words_in(&decoding.samples), &mut actions);
            self.take(actions);
        }
    }

    /// Speech or silence, recognised at once.
    fn live(&mut self, level: i16, ms: usize) {
        for _ in 0..ms / 20 {
            self.push(level, 20);
            self.recognise();
        }
    }

    fn act(&mut self, act: impl FnOnce(&mut Session<Loudness>, &mut Actions)) {
        let mut actions = Actions::default();
        act(&mut self.session, &mut actions);
        self.take(actions);
    }

    /// What was said: kind, text, how final.
    fn story(&self) -> Vec<String> {
        let line = |message: &Value| {
            let kind = message["type"].as_str().unwrap();
            if kind != "Results" {
                return kind.to_owned();
            }
            let text = message["channel"]["alternatives"][0]["transcript"].as_str().unwrap();
            let end = match (&message["is_final"], &message["speech_final"]) {
                (Value::Bool(false), _) => "~",
                (_, Value::Bool(false)) => ",",
                _ if message["from_finalize"] == true => "!",
                _ => ".",
            };
            format!("{text}{end}")
        };
        self.said.iter().map(line).collect()
    }
}

#[test]
fn an_utterance_is_shown_as_it_grows_and_final_after_the_pause_asked_for() {
    let mut line = Line::new(LIVE);
    line.live(0, 400);
    line.live(9_000, 1_200);
    assert_eq!(line.story(), ["SpeechStarted", "w1 w2~", "w1 w2 w3 w4 w5~"]);
    line.live(0, 280);
    let paused = line.story().len();
    assert_eq!(line.story().last().unwrap(), "w1 w2 w3 w4 w5 w6~");
    line.live(0, 40);
    assert_eq!(line.story()[paused..], ["w1 w2 w3 w4 w5 w6."]);
    line.live(0, 660);
    assert_eq!(line.story().len(), paused + 1);
    line.live(0, 60);
    assert_eq!(line.story()[paused + 1..], ["UtteranceEnd"]);
    let result = &line.said[paused];
    let words = result["channel"]["alternatives"][0]["words"].as_array().unwrap();
    assert_eq!((&words[0]["start"], &words[5]["end"]), (&0.4.into(), &1.6.into()));
    assert_eq!((&result["start"], &result["duration"]), (&0.0.into(), &1.9.into()));
}

#[test]
fn a_short_pause_ends_nothing() {
    let mut line = Line::new(LIVE);
    line.live(9_000, 400);
    line.live(0, 200);
    line.live(9_000, 400);
    line.live(0, 320);
    let finals: Vec<String> = line.story().into_iter().filter(|l| l.ends_with('.')).collect();
    assert_eq!(finals, ["w1 w2 w3 w4."]);
    assert_eq!(line.story().iter().filter(|l| *l == "SpeechStarted").count(), 1);
}

#[test]
fn interim_results_go_on_after_a_breath() {
    let mut line = Line::new(LIVE);
    line.live(9_000, 400);
    line.live(0, 200);
    let before = line.story().len();
    line.live(9_000, 1_200);
    let fresh = line.story().split_off(before);
    assert!(fresh.len() >= 2 && fresh.iter().all(|said| said.ends_with('~')), "{fresh:?}");
    assert!(fresh.last().unwrap().contains("w6"), "{fresh:?}");
}

#[test]
fn an_interim_decoding_that_a_pause_overtakes_holds_nothing_up() {
    let mut line = Line::new(LIVE);
    line.push(9_000, 520);
    assert!(line.waiting[0].interim);
    line.push(0, 200);
    // Both are done by now, the pause's first.
    line.waiting.reverse();
    line.recognise();
    let before = line.story().len();
    line.live(9_000, 1_200);
    assert!(line.story().len() >= before + 2, "{:?}", line.story());
}

#[test]
fn without_interim_results_and_events_only_results_are_said() {
    let mut line = Line::new("&endpointing=300");
    line.live(9_000, 1_200);
    line.live(0, 400);
    assert_eq!(line.story(), ["w1 w2 w3 w4 w5 w6."]);
}

#[test]
fn late_words_keep_their_order_and_nothing_overtakes_them() {
    let mut line = Line::new(LIVE);
    line.push(9_000, 400);
    line.push(0, 400);
    line.push(9_000, 600);
    line.push(0, 400);
    assert_eq!(line.story(), ["SpeechStarted"]);
    assert_eq!(line.session.waiting(), 2);
    // The second utterance is recognised first.
    line.waiting.reverse();
    line.recognise();
    assert_eq!(line.story(), ["SpeechStarted", "w1 w2.", "SpeechStarted", "w1 w2 w3."]);
}

#[test]
fn long_speech_becomes_final_in_parts_and_no_decoding_is_longer_than_its_limit() {
    let mut line = Line::new("&endpointing=300");
    line.live(9_000, 30_000);
    line.live(0, 400);
    let story = line.story();
    assert_eq!(story.len(), 3, "{story:?}");
    assert!(story[0].ends_with(',') && story[1].ends_with(',') && story[2].ends_with('.'));
    let words: usize = story.iter().map(|part| part.split(' ').count()).sum();
    assert!((147..=150).contains(&words), "{words}");
    assert!(line.longest_ms <= AUDIO_MS_MAX + 20, "{}", line.longest_ms);
    // Nothing of it is kept.
    assert!(line.session.audio.len() < 16_000);
}

#[test]
fn a_long_segment_ends_at_its_next_short_pause() {
    let mut line = Line::new("&endpointing=1000");
    line.live(9_000, 6_000);
    line.live(0, 200);
    line.live(9_000, 1_000);
    line.live(0, 1_100);
    let story = line.story();
    assert_eq!(story.len(), 2, "{story:?}");
    assert!(story[0].ends_with("w30,") && story[1].ends_with("w5."), "{story:?}");
}

#[test]
fn finalize_says_what_there_is() {
    let mut line = Line::new(LIVE);
    line.live(9_000, 440);
    line.act(Session::finalize);
    line.recognise();
    assert_eq!(line.story(), ["SpeechStarted", "w1 w2!"]);
    // The speech goes on as a new result.
    line.live(9_000, 440);
    line.live(0, 320);
    assert_eq!(line.story().last().unwrap(), "w1 w2.");
    line.act(Session::finalize);
    let before = line.story().len();
    line.live(0, 200);
    line.act(Session::finalize);
    assert_eq!(line.story().len(), before + 1);
    assert_eq!(line.story().last().unwrap(), "!");
}

#[test]
fn the_end_of_the_stream_says_the_rest_and_then_what_it_was() {
    let mut line = Line::new("&endpointing=300");
    line.live(9_000, 440);
    line.act(Session::close);
    assert!(!line.ended && line.said.is_empty());
    line.recognise();
    assert_eq!(line.story(), ["w1 w2.", "Metadata"]);
    assert!(line.ended);
    assert_eq!(line.said[1]["duration"], 0.44);
}

#[test]
fn silence_is_reported_now_and_then_by_an_empty_result() {
    let mut line = Line::new("&endpointing=300&interim_results=true&utterance_end_ms=1000");
    line.live(0, 9_000);
    assert_eq!(line.story(), [".", "."]);
    assert!(line.waiting.is_empty() && line.session.audio.len() < 16_000);
    let mut open = Line::new("&endpointing=false");
    open.live(9_000, 400);
    open.live(0, 4_000);
    assert_eq!(open.story()[0], "w1 w2,");
}

#[test]
fn an_interim_decoding_that_nobody_had_time_for_is_tried_again() {
    let mut line = Line::new(LIVE);
    line.push(9_000, 520);
    assert!(line.waiting[0].interim);
    let skipped = line.waiting.remove(0).id;
    line.push(9_000, 600);
    assert!(line.waiting.is_empty());
    line.session.skipped(skipped);
    line.push(9_000, 20);
    assert_eq!(line.waiting.len(), 1);
}

#[test]
fn every_rate_and_encoding_is_heard_at_the_recognisers_rate() {
    for (query, bytes_per_ms) in [
        ("mulaw&sample_rate=8000", 8),
        ("linear16&sample_rate=44100", 88),
        ("linear16&sample_rate=48000", 96),
    ] {
        let query = format!("model=nova-3&encoding={query}&endpointing=300");
        let messages = Messages {
            request_id: String::new(),
            model_uuid: String::new(),
            created: String::new(),
            query: ListenQuery::parse(&query).unwrap(),
        };
        let mut session = Session::new(messages, Loudness::default()).unwrap();
        let mut actions = Actions::default();
        // Half of full scale in either encoding.
        session.push(&vec![0x10; bytes_per_ms * 600], &mut actions);
        session.close(&mut actions);
        let length = actions.decode[0].samples.len();
        assert!(length.abs_diff(9_600) < 400, "{query}: {length}");
    }
}
