use super::*;
use crate::words::speak;
use nexus_core::audio::sounds::{Event, Random, event};
use nexus_core::provider::deepgram::ListenQuery;
use serde_json::json;

const QUERY: &str = "model=nova-3&encoding=linear16&sample_rate=8000";

fn session(more: &str) -> Session {
    with(Hearing::new(8_000).unwrap(), more)
}

fn with(hearing: Hearing, more: &str) -> Session {
    let query = ListenQuery::parse(&format!("{QUERY}{more}")).unwrap();
    let messages = Messages {
        request_id: "request".to_owned(),
        model_uuid: "model".to_owned(),
        created: "2026-01-01T00:00:00.000Z".to_owned(),
        query,
    };
    Session::new(messages, hearing)
}

fn say(session: &mut Session, text: &str, silence_ms: usize) -> Vec<Value> {
    let mut samples = speak(text, 8_000).samples;
    samples.resize(samples.len() + silence_ms * 8, 0);
    let mut out = Vec::new();
    session.hear(samples, &mut out);
    out
}

fn transcript(message: &Value) -> &str {
    message["channel"]["alternatives"][0]["transcript"].as_str().unwrap()
}

fn flags(message: &Value) -> (bool, bool, bool) {
    let flag = |name: &str| message[name].as_bool().unwrap();
    (flag("is_final"), flag("speech_final"), flag("from_finalize"))
}

#[test]
fn interims_grow_and_a_pause_makes_them_final() {
    let mut session = session("&interim_results=true&endpointing=300&punctuate=true");
    let out = say(&mut session, "Hello there, you.", 500);
    let seen: Vec<_> = out.iter().map(|m| (transcript(m), flags(m).0, flags(m).1)).collect();
    assert_eq!(
        seen,
        [
            ("Hello", false, false),
            ("Hello there,", false, false),
            ("Hello there, you.", false, false),
            ("Hello there, you.", true, true),
        ]
    );
    let word = &out[3]["channel"]["alternatives"][0]["words"][1];
    assert_eq!((&word["word"], &word["punctuated_word"]), (&json!("there"), &json!("there,")));
    assert!(word["start"].as_f64().unwrap() > 0.3);
}

#[test]
fn without_punctuate_words_are_plain() {
    let mut session = session("&endpointing=300");
    let out = say(&mut session, "Hello, \"World\"! It's", 500);
    assert_eq!(out.len(), 1);
    assert_eq!(transcript(&out[0]), "hello world it's");
    assert!(out[0]["channel"]["alternatives"][0]["words"][0].get("punctuated_word").is_none());
}

#[test]
fn the_default_endpointing_is_too_eager_for_dialogue() {
    let mut session = session("");
    let out = say(&mut session, "one two three", 300);
    assert!(out.iter().all(|message| flags(message) == (true, true, false)));
    assert_eq!(out.len(), 3, "{out:?}");
}

#[test]
fn without_endpointing_only_length_and_finalize_make_speech_final() {
    let mut session = session("&endpointing=false&punctuate=true");
    let out = say(&mut session, "one two", 2_000);
    assert_eq!(out, [] as [Value; 0]);
    let mut out = Vec::new();
    session.finalize(&mut out);
    assert_eq!(flags(&out[0]), (true, true, true));
    assert_eq!(transcript(&out[0]), "one two");
}

#[test]
fn long_speech_becomes_final_in_segments() {
    let mut session = session("&endpointing=300&punctuate=true");
    let text = "seventeen honest carpenters ".repeat(10);
    let out = say(&mut session, &text, 500);
    let (last, segments) = out.split_last().unwrap();
    assert!(segments.len() >= 2, "{}", segments.len());
    assert!(segments.iter().all(|message| flags(message) == (true, false, false)));
    assert_eq!(flags(last), (true, true, false));
    let whole: Vec<&str> = out.iter().map(transcript).collect();
    assert_eq!(whole.join(" "), text.trim_end());
    let mut end = 0.0;
    for message in &out {
        assert!((message["start"].as_f64().unwrap() - end).abs() < 0.001, "segments join");
        end = message["start"].as_f64().unwrap() + message["duration"].as_f64().unwrap();
    }
}

#[test]
fn speech_start_and_utterance_end_come_when_asked_for() {
    let mut session =
        session("&interim_results=true&utterance_end_ms=1000&vad_events=true&endpointing=300");
    let mut samples = vec![0; 8_000];
    samples.extend(speak("hello you", 8_000).samples);
    samples.resize(samples.len() + 16_000, 0);
    let mut out = Vec::new();
    session.hear(samples, &mut out);
    let kinds: Vec<_> = out.iter().map(|m| m["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        ["SpeechStarted", "Results", "Results", "Results", "UtteranceEnd"],
        "{out:?}"
    );
    assert!((out[0]["timestamp"].as_f64().unwrap() - 1.0).abs() < 0.02);
    let end = 1.0 + (5.0 * 0.044) + 0.09 + 3.0 * 0.044;
    assert!((out[4]["last_word_end"].as_f64().unwrap() - end).abs() < 0.02, "{}", out[4]);
}

#[test]
fn silence_is_reported_by_empty_final_results() {
    let mut session = session("&interim_results=true&endpointing=300");
    let mut out = Vec::new();
    session.hear(vec![0; 9 * 8_000], &mut out);
    assert_eq!(out.len(), 2);
    assert!(out.iter().all(|m| transcript(m).is_empty() && flags(m).0));
    assert_eq!(out[0]["channel"]["alternatives"][0]["words"], json!([]));
}

#[test]
fn finalize_on_next_to_nothing_is_not_answered() {
    let mut session = session("");
    let mut out = Vec::new();
    session.hear(vec![0; 8 * 40], &mut out);
    session.finalize(&mut out);
    assert_eq!(out, [] as [Value; 0]);
}

#[test]
fn closing_gives_the_open_word_and_then_metadata() {
    let mut session = session("&endpointing=300&punctuate=true");
    let mut out = Vec::new();
    session.hear(speak("good bye.", 8_000).samples[..8 * 500].to_vec(), &mut out);
    assert_eq!(out, [] as [Value; 0]);
    session.close(&mut out);
    assert_eq!(transcript(&out[0]), "good bye.");
    assert_eq!(flags(&out[0]), (true, true, false));
    assert_eq!(out[1]["type"], "Metadata");
    assert!((out[1]["duration"].as_f64().unwrap() - 0.5).abs() < 0.01);
}

#[test]
fn other_sound_is_speech_of_a_length_and_never_words() {
    let mut session = session("&endpointing=300&punctuate=true");
    let mut samples: Vec<i16> = (0..8_000_i32)
        .map(|n| ((n * n / 7 % 4_001) - 2_000) as i16 * i16::from(n / 900 % 3 != 2))
        .collect();
    samples.resize(20_000, 0);
    let mut out = Vec::new();
    session.hear(samples, &mut out);
    let text = transcript(&out[0]);
    assert!(text.starts_with("(speech, ") && text.ends_with(" s)"), "{text}");
}

/// Coughs, keys, music and the rest, one of each after the other, then words.
#[test]
fn a_recogniser_of_words_alone_says_nothing_of_other_sound() {
    let query = "&endpointing=300&punctuate=true&vad_events=true&interim_results=true";
    let mut session = with(Hearing::of_words(8_000).unwrap(), query);
    let (mut random, mut out) = (Random::new(11), Vec::new());
    for kind in Event::ALL.into_iter().cycle().take(60 * Event::ALL.len()) {
        let mut samples = event(kind, 8_000, 12_000.0, &mut random);
        samples.resize(samples.len() + 8_000, 0.0);
        session.hear(samples.into_iter().map(|sample| sample as i16).collect(), &mut out);
        let said = out.drain(..).filter(|m| m["type"] != "Results" || !transcript(m).is_empty());
        assert_eq!(said.collect::<Vec<_>>(), [] as [Value; 0], "{kind:?}");
    }
    let out = say(&mut session, "Over to you.", 500);
    let kinds: Vec<_> = out.iter().map(|m| m["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["SpeechStarted", "Results", "Results", "Results", "Results"]);
    assert_eq!(transcript(&out[4]), "Over to you.");
}

#[test]
fn mulaw_is_decoded() {
    let query = "model=nova-3&encoding=mulaw&sample_rate=8000&punctuate=true&endpointing=300";
    let mut session = session("&punctuate=true&endpointing=300");
    session.messages.query = ListenQuery::parse(query).unwrap();
    let mut codes = Vec::new();
    g711::encode_onto(&speak("Over the phone.", 8_000).samples, &mut codes);
    codes.resize(codes.len() + 4_000, g711::SILENCE);
    let samples = session.decode(&codes);
    let mut out = Vec::new();
    session.hear(samples, &mut out);
    assert_eq!(transcript(&out[0]), "Over the phone.");
}
