//! How well speech is told from everything else, over whole lines.
//!
//! The short tests use the two recordings kept here. With `NEXUS_LONG_TESTS=1` the synthesisers of
//! this machine (flite, espeak-ng) speak hundreds of utterances more; what it finds is printed
//! (`cargo test … -- --nocapture`). Own recordings can be judged too: `NEXUS_CLIPS` names a folder
//! of WAV files, an utterance each, `NEXUS_SOUNDS` one of WAV files in which nobody speaks.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on fails, and the figures are printed for who runs it"
)]

mod events;
mod report;
mod speech;
mod trial;

use std::path::Path;
use std::sync::Arc;

use nexus_core::audio::detector::Model;
use nexus_core::audio::sounds::{Event, Noise, Random, Sound, sound};
use nexus_core::audio::{pcm, wav};
use nexus_core::wire::{AudioFormat, Encoding};

use report::{Report, percentile};
use speech::{Clip, Voice};
use trial::Background;

const CLEAN: Background = Background { noise: Noise::Clean, snr_db: 0.0 };
const BACKGROUNDS: [Background; 8] = [
    CLEAN,
    Background { noise: Noise::White, snr_db: 20.0 },
    Background { noise: Noise::White, snr_db: 10.0 },
    Background { noise: Noise::Pink, snr_db: 10.0 },
    Background { noise: Noise::Pink, snr_db: 5.0 },
    Background { noise: Noise::Brown, snr_db: 5.0 },
    Background { noise: Noise::Hum, snr_db: 10.0 },
    Background { noise: Noise::Music, snr_db: 10.0 },
];

fn model() -> Arc<Model> {
    Arc::new(Model::load().unwrap())
}

fn formats() -> [AudioFormat; 5] {
    let pcm = |rate| AudioFormat::new(Encoding::Pcm16, rate).unwrap();
    [AudioFormat::PHONE, pcm(8_000), AudioFormat::BROWSER, pcm(24_000), pcm(48_000)]
}

fn is_long() -> bool {
    std::env::var_os("NEXUS_LONG_TESTS").is_some_and(|value| value == "1")
}

/// The phrases of one recording, as it is at either rate.
fn recordings() -> Vec<Clip> {
    let files = [&include_bytes!("data/speech_8k.wav")[..], include_bytes!("data/speech_16k.wav")];
    files.into_iter().flat_map(|file| Clip::from_wav(file).unwrap().phrases()).collect()
}

#[test]
fn every_phrase_is_heard_on_every_line() {
    let model = model();
    let clips = recordings();
    let mut all = Report::default();
    for format in formats() {
        for background in BACKGROUNDS {
            let line = trial::line(&clips, format, background, &mut Random::new(7));
            let mut report = Report::default();
            trial::run(&model, &line, &mut report);
            println!("{format:?} {background:?}: {report}");
            all.add(&report);
        }
    }
    println!("{}\n{all}", Report::HEAD);
    assert_eq!((all.missed, all.false_starts), (0, 0));
    assert!(percentile(&all.start_delay, 0.5) <= 100.0, "starts are reported late");
    assert!(percentile(&all.end_delay, 0.5) <= 500.0, "ends are reported late");
}

/// What comes after silence, at a usual and at a high level. (A hum is there from the beginning: one
/// that sets in at once, at full level, is taken for speech by the network at 16 kHz.)
#[test]
fn other_sounds_are_not_speech() {
    let model = model();
    let seeds = if is_long() { 40 } else { 4 };
    let (mut lines, mut wrong) = (0, Vec::new());
    for format in [AudioFormat::PHONE, AudioFormat::BROWSER] {
        for kind in Sound::ALL {
            let mut report = Report::default();
            for (seed, level) in (0..seeds).flat_map(|seed| [(seed, 1_000.0), (seed, 6_000.0)]) {
                let mut random = Random::new(100 + seed * 7_919);
                let rate = format.sample_rate();
                let is_steady = kind == Sound::Noise(Noise::Hum);
                let before = if is_steady { 0.0 } else { random.between(0.0, 3.0) };
                let faint = Sound::Noise(Noise::White);
                let mut samples = sound(faint, rate, before, 12.0, &mut random);
                samples.extend(sound(kind, rate, 5.0, level, &mut random));
                let heard = trial::listen(&model, format, &trial::encode(&samples, format));
                report.steps += heard.steps;
                report.audio_ms += samples.len() as u64 * 1_000 / u64::from(rate);
                lines += 1;
                if heard.starts() > 0 {
                    report.false_starts += heard.starts();
                    wrong.push((format, kind, level, seed));
                }
            }
            let awake = report.awake();
            println!("{format:?} {kind:?}: {} starts, awake {awake:.0} %", report.false_starts);
        }
    }
    println!("{} of {lines} lines", wrong.len());
    assert!(wrong.len() * 200 <= lines, "{wrong:?}");
}

/// What a server takes for an interruption, were it to happen while the agent speaks.
#[test]
fn what_happens_beside_a_telephone_is_not_speech() {
    let model = model();
    let (lines, mut made, mut taken) = (if is_long() { 100 } else { 10 }, 0, 0);
    for format in [AudioFormat::PHONE, AudioFormat::BROWSER] {
        for kind in Event::ALL {
            let of_kind = events::play(&model, format, kind, lines);
            println!("{format:?} {}: {of_kind}", kind.name());
            // Few of a kind are no measure of it.
            assert!(
                !is_long() || of_kind.taken * 50 <= of_kind.made,
                "{format:?} {kind:?}: {of_kind}"
            );
            made += of_kind.made;
            taken += of_kind.taken;
        }
    }
    assert!(taken * 100 <= made, "{taken} of {made}");
}

/// Sounds that were no speech are in the network's memory and must not make it deaf to what follows.
#[test]
fn speech_is_heard_at_once_after_other_sounds() {
    let model = model();
    let mut clips = recordings();
    clips.extend(Voice::all().iter().take(4).flat_map(Voice::clips));
    let lines = if is_long() { 30 } else { 6 };
    for format in [AudioFormat::PHONE, AudioFormat::BROWSER] {
        let mut report = Report::default();
        for seed in 0..lines {
            let line = events::speech_among_events(&clips, format, 77 + 7_919 * seed);
            trial::run(&model, &line, &mut report);
        }
        println!("{}\n{report} {format:?}", Report::HEAD);
        assert!(report.missed * 100 <= report.utterances, "{} missed", report.missed);
        assert!(percentile(&report.start_delay, 0.5) <= 110.0, "starts are reported late");
        assert!(percentile(&report.start_delay, 0.9) <= 300.0, "starts are reported late");
    }
}

fn table(title: &str, model: &Arc<Model>, clips: &[Clip], formats: &[AudioFormat]) -> Report {
    println!("\n{title}: {} utterances\n{:44} {}", clips.len(), "", Report::HEAD);
    let mut all = Report::default();
    for format in formats {
        let mut sum = Report::default();
        for (n, background) in BACKGROUNDS.into_iter().enumerate() {
            let mut report = Report::default();
            for (m, clips) in clips.chunks(10).enumerate() {
                let mut random = Random::new(1 + 1000 * n as u64 + m as u64);
                let line = trial::line(clips, *format, background, &mut random);
                trial::run(model, &line, &mut report);
            }
            let name = format!("{:?} {:>2.0} dB", background.noise, background.snr_db);
            println!("{:?} {:5} {name:30} {report}", format.encoding(), format.sample_rate());
            sum.add(&report);
        }
        println!("{:?} {:5} {:30} {sum}", format.encoding(), format.sample_rate(), "all");
        all.add(&sum);
    }
    all
}

/// Every voice of this machine on every kind of line over every background; a short run takes four voices
/// of flite on a phone's and a browser's line.
#[test]
fn synthetic_voices_are_heard() {
    let mut voices = Voice::all();
    if voices.is_empty() && std::env::var_os("NEXUS_FLITE").is_none() && !is_long() {
        eprintln!("neither flite nor espeak-ng is installed; see NEXUS_FLITE");
        return;
    }
    assert!(!voices.is_empty(), "neither flite nor espeak-ng speaks");
    let mut lines = formats().to_vec();
    if !is_long() {
        voices.truncate(4);
        lines.retain(|line| [AudioFormat::PHONE, AudioFormat::BROWSER].contains(line));
    }
    let model = model();
    let clips: Vec<Clip> = voices.iter().flat_map(Voice::clips).collect();
    assert!(clips.len() >= 60, "only {} clips", clips.len());
    let all = table("flite and espeak-ng", &model, &clips, &lines);
    println!("{:44} {all}", "all lines");
    assert!(all.missed * 100 <= all.utterances, "{} missed", all.missed);
    assert!(all.false_starts * 200 <= all.utterances, "{} false starts", all.false_starts);
    assert!(percentile(&all.start_delay, 0.5) <= 100.0, "starts are reported late");
}

/// The user's own files, if there are any.
#[test]
fn own_recordings_are_judged() {
    let model = model();
    if let Some(folder) = std::env::var_os("NEXUS_CLIPS") {
        let read = |path: &std::path::PathBuf| Clip::from_wav(&std::fs::read(path).ok()?);
        let clips: Vec<Clip> = speech::files(Path::new(&folder)).iter().filter_map(read).collect();
        assert!(!clips.is_empty(), "no WAV files in NEXUS_CLIPS");
        table("own", &model, &clips, &[AudioFormat::PHONE, AudioFormat::BROWSER]);
    }
    if let Some(folder) = std::env::var_os("NEXUS_SOUNDS") {
        for path in speech::files(Path::new(&folder)) {
            let file = std::fs::read(&path).unwrap();
            let Ok(wav) = wav::parse(&file) else { continue };
            let step = usize::from(wav.format.channels);
            let samples: Vec<f64> = pcm::samples(wav.data).step_by(step).map(f64::from).collect();
            let format = AudioFormat::new(Encoding::Pcm16, wav.format.sample_rate).unwrap();
            let heard = trial::listen(&model, format, &trial::encode(&samples, format));
            let seconds = samples.len() as f64 / f64::from(format.sample_rate());
            let awake = (heard.steps * 32) as f64 / (seconds * 10.0);
            println!(
                "{}: {seconds:.0} s, {} starts, awake {awake:.0} %",
                path.display(),
                heard.starts()
            );
        }
    }
}
