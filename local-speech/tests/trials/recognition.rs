//! How well, how soon and in which messages speech is recognised.

use std::time::Duration;

use nexus_core::audio::resample::Resampler;
use nexus_core::audio::{g711, pcm, wav};
use serde_json::Value;

use crate::server::{Server, block_on, long, packages};
use crate::texts::{TEXTS, errors};
use crate::voice::spoken;
use crate::wire::{Frame, Socket};

/// A dialogue's usual query.
const LIVE: &str =
    "punctuate=true&interim_results=true&endpointing=300&utterance_end_ms=1000&vad_events=true";
pub(crate) const WIDE: &str = "encoding=linear16&sample_rate=16000";
pub(crate) const NARROW: &str = "encoding=mulaw&sample_rate=8000";

/// Speech in the encoding of a line, without silence at its end.
pub(crate) fn encoded(samples: &[i16], rate: u32, line: &str) -> Vec<u8> {
    let last = samples.iter().rposition(|sample| sample.unsigned_abs() > 300).unwrap_or(0);
    let to = if line == NARROW { 8_000 } else { 16_000 };
    let mut resampler = Resampler::new(rate, to).unwrap();
    let mut converted = Vec::new();
    resampler.process(&samples[..=last], &mut converted);
    resampler.flush(&mut converted);
    let mut bytes = Vec::new();
    if line == NARROW {
        g711::encode_onto(&converted, &mut bytes);
    } else {
        pcm::encode_onto(&converted, &mut bytes);
    }
    bytes
}

/// What is heard of a whole recording, sent as fast as it is taken.
async fn dictated(address: &str, line: &str, audio: &[u8]) -> String {
    let mut socket = Socket::listen(address, &format!("{LIVE}&{line}")).await;
    for bytes in audio.chunks(8_000) {
        socket.audio(bytes.to_vec()).await;
    }
    socket.say(r#"{"type":"CloseStream"}"#).await;
    let mut text = String::new();
    loop {
        match socket.next().await {
            Frame::Text(message) if message["is_final"] == true => {
                let part = message["channel"]["alternatives"][0]["transcript"].as_str().unwrap();
                format!("{text} {part}").trim().clone_into(&mut text);
            }
            Frame::Text(_) => {}
            Frame::Closed(code, reason) => {
                assert_eq!(code, 1000, "{reason}");
                return text;
            }
        }
    }
}

/// The share of words that come out wrong over all clips, and what was wrong.
fn word_errors(line: &str) -> f64 {
    let address = Server::shared();
    let speeds: &[f64] = if long() { &[1.0, 0.9, 1.15] } else { &[1.0] };
    let (mut wrong, mut all) = (0, 0);
    block_on(async {
        for speed in speeds {
            for said in TEXTS {
                let (samples, rate) = spoken(&address, said, *speed).await;
                let heard = dictated(&address, line, &encoded(&samples, rate, line)).await;
                let (errors, words) = errors(said, &heard);
                if errors > 0 {
                    println!("  {errors}: {said}\n     {heard}");
                }
                wrong += errors;
                all += words;
            }
        }
    });
    let share = wrong as f64 / all as f64;
    println!("  {line}: {wrong} of {all} words wrong, {:.1} %", share * 100.0);
    share
}

pub(crate) fn words_at_16_khz() {
    let share = word_errors(WIDE);
    assert!(share <= 0.06, "{share}");
    latency(WIDE, 0, 32);
}

pub(crate) fn words_through_a_telephone() {
    let share = word_errors(NARROW);
    assert!(share <= 0.08, "{share}");
    latency(NARROW, g711::SILENCE, 8);
}

/// How long after the end of speech its words are final, endpointing of 300 ms included.
fn latency(line: &str, silence: u8, bytes_per_ms: usize) {
    let address = Server::shared();
    let step = if long() { 4 } else { 11 };
    let mut delays: Vec<Duration> = block_on(async {
        let mut delays = Vec::new();
        for said in TEXTS.iter().step_by(step) {
            let (samples, rate) = spoken(&address, said, 1.0).await;
            let audio = encoded(&samples, rate, line);
            let mut socket = Socket::listen(&address, &format!("{LIVE}&{line}")).await;
            let (_text, delay) = socket.dictate(&audio, silence, bytes_per_ms).await;
            delays.push(delay);
        }
        delays
    });
    delays.sort_unstable();
    let median = delays[delays.len() / 2];
    println!("  {line}: end of speech to final words {delays:?}");
    assert!(median <= Duration::from_millis(550), "{median:?}");
}

/// What a person reads in the recording that the model's package brings.
const NOVEL: &str = "It was the best of times, it was the worst of times, it was the age of wisdom, \
    it was the age of foolishness, it was the epoch of belief, it was the epoch of incredulity, it \
    was the season of Light, it was the season of Darkness, it was the spring of hope, it was the \
    winter of despair, we had everything before us, we had nothing before us, we were all going \
    direct to Heaven, we were all going direct the other way, in short, the period was so far like \
    the present period, that some of its noisiest authorities insisted on its being received, for \
    good or for evil, in the superlative degree of comparison only.";

pub(crate) fn human_speech() {
    let bytes = std::fs::read(packages().folder().join("model/two_cities.wav")).unwrap();
    let audio = wav::parse(&bytes).unwrap();
    let samples: Vec<i16> = pcm::samples(audio.data).collect();
    for line in [WIDE, NARROW] {
        let audio = encoded(&samples, audio.format.sample_rate, line);
        let heard = block_on(dictated(&Server::shared(), line, &audio));
        let (wrong, all) = errors(NOVEL, &heard);
        println!("  {line}: {wrong} of {all} words wrong: {heard}");
        assert!(wrong * 100 <= all * 10);
    }
}

pub(crate) fn the_protocol_s_own_messages() {
    let address = Server::shared();
    block_on(async {
        let (samples, rate) = spoken(&address, "I would like to book a table.", 1.0).await;
        let audio = encoded(&samples, rate, NARROW);
        let mut socket = Socket::listen(&address, &format!("{LIVE}&{NARROW}")).await;
        socket.say(r#"{"type":"KeepAlive"}"#).await;
        socket.audio(vec![g711::SILENCE; 4_000]).await;
        socket.audio(audio).await;
        socket.audio(vec![g711::SILENCE; 12_000]).await;
        let mut kinds = Vec::new();
        loop {
            let message = socket.text().await;
            let kind = message["type"].as_str().unwrap().to_owned();
            if kind == "Results" && message["speech_final"] == true {
                let best = &message["channel"]["alternatives"][0];
                let (wrong, _) =
                    errors("I would like to book a table.", best["transcript"].as_str().unwrap());
                assert_eq!(wrong, 0, "{message}");
                let first = best["words"][0]["start"].as_f64().unwrap();
                assert!((0.4..0.9).contains(&first), "{first}");
            }
            kinds.push(kind);
            if kinds.last().is_some_and(|kind| kind == "UtteranceEnd") {
                break;
            }
        }
        assert_eq!(kinds[0], "SpeechStarted");
        socket.say(r#"{"type":"Finalize"}"#).await;
        assert_eq!(socket.text().await["from_finalize"], true);
        socket.say(r#"{"type":"CloseStream"}"#).await;
        let last: Value = socket.text().await;
        assert_eq!((&last["type"], &last["channels"]), (&"Metadata".into(), &1.into()));
        assert!(matches!(socket.next().await, Frame::Closed(1000, _)));
    });
}
