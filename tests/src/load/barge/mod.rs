//! Interruptions by real speech, and noises that are none: what stops an agent that is speaking, and how soon.
//!
//! Callers ask for a story in audible words and talk into it in real speech, which the simulated recogniser (started
//! with `--words-only`) does not take for words: the server's own detector decides alone.

mod caller;
mod clips;
mod mix;
mod report;
mod talk;

use std::sync::Arc;
use std::time::Duration;

use nexus_core::audio::sounds::{Event, Random};
use tokio::time::{Instant, sleep_until};

use super::calls::Crowd;
use super::figures::percentile;
use super::opening::Opener;
use super::options::Voice;
use super::settled;
use crate::client::Outcome;
use caller::{Asked, Heckler, QUESTION};
use clips::Clips;
use mix::Mix;
pub(super) use report::{COLUMNS, lines};
use report::{Report, SpeechStarts, Sum};

/// What everything drawn by lot begins with: two runs make the same noises.
const SEED: u64 = 2026;
/// How long a noise takes with what comes before it and after it, at the most.
const NOISE_MAX: Duration = Duration::from_secs(8);

/// Puts values in an order drawn by lot (Fisher and Yates).
fn shuffle<T>(values: &mut [T], random: &mut Random) {
    for last in (1..values.len()).rev() {
        values.swap(last, random.below(last + 1));
    }
}

/// A caller for each call; together they make so many noises of each kind, each of which is another one.
fn hecklers(options: &Voice, noises: usize, clips: &Clips) -> Vec<Heckler> {
    let format = options.transport.format();
    let mut random = Random::new(SEED);
    let mut kinds: Vec<Event> =
        Event::ALL.into_iter().flat_map(|kind| std::iter::repeat_n(kind, noises)).collect();
    shuffle(&mut kinds, &mut random);
    let (room, asked) =
        (mix::room(format.sample_rate()), Arc::new(Asked::at(format.sample_rate())));
    let mut speech: Vec<Arc<[i16]>> = clips.all.iter().map(|clip| clip.as_slice().into()).collect();
    let each = kinds.len().div_ceil(options.calls.max(1));
    let hecklers = kinds.chunks(each).zip(1..).map(|(kinds, number)| {
        let mut own = Random::new(SEED.wrapping_mul(2 * number + 1));
        shuffle(&mut speech, &mut own);
        let mix = Mix::new(format, Arc::clone(&room), &mut own);
        Heckler::new(mix, kinds, speech.clone(), Arc::clone(&asked), format, own)
    });
    hecklers.collect()
}

/// Runs a level: so many noises of each kind.
pub(super) async fn run(options: &Voice, noises: usize) -> Outcome<Report> {
    let clips = Clips::at(options.transport.format().sample_rate())?;
    // Before the first call: what takes time to be made must not make frames late.
    let hecklers = hecklers(options, noises, &clips);
    let most = (noises * Event::ALL.len()).div_ceil(hecklers.len().max(1));
    let opener = Opener::new(options).await?;
    let before = speech_starts(&options.metrics).await?;
    let crowd = Crowd::open(options, &opener, hecklers).await?;
    let (calls, refused) = (crowd.len(), crowd.refused.clone());
    if let Some(why) = refused.first() {
        return Err(format!("{} calls could not be opened: {why}", refused.len()).into());
    }
    let limit = NOISE_MAX * u32::try_from(most).unwrap_or(u32::MAX) + NOISE_MAX;
    let (begins, _) = crowd.talk(limit);
    sleep_until(begins).await;
    let (mut sum, mut late) = (Sum::default(), Vec::new());
    for (done, heckler) in crowd.done().await? {
        sum.errors.dropped += u64::from(done.dropped);
        sum.errors.unclosed += u64::from(done.unclosed);
        late.extend(done.late);
        let (score, unmade) = heckler.score();
        sum.errors.unmade_noises += unmade as u64;
        sum.add(score);
    }
    let seconds = Instant::now().duration_since(begins).as_secs_f64();
    settled::wait(&opener.team, &options.metrics, calls).await?;
    let after = speech_starts(&options.metrics).await?;
    sum.errors.invented_turns = settled::turns_but(&opener.team, QUESTION).await?;
    Ok(Report {
        transport: options.transport.name(),
        calls,
        seconds,
        interruptions: sum.interruptions(&clips.speakers),
        noises: sum.rows(),
        questions: sum.asked,
        speech_starts: SpeechStarts {
            local: after.local - before.local,
            provider: after.provider - before.provider,
        },
        errors: sum.errors(),
        own_late_ms_p99: percentile(&late, 0.99).unwrap_or_default(),
    })
}

async fn speech_starts(metrics: &str) -> Outcome<SpeechStarts> {
    let text = reqwest::get(metrics).await?.text().await?;
    let of = |source: &str| {
        let name = format!("nexus_voice_speech_starts_total{{source=\"{source}\"}}");
        settled::gauge(&text, &name).ok_or(format!("no metric {name}"))
    };
    Ok(SpeechStarts { local: of("local")?, provider: of("provider")? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::options::Transport;

    #[test]
    fn an_order_is_drawn_and_nothing_is_lost() {
        let mut values: Vec<usize> = (0..50).collect();
        shuffle(&mut values, &mut Random::new(3));
        assert_ne!(values, (0..50).collect::<Vec<_>>());
        values.sort_unstable();
        assert_eq!(values, (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn callers_share_the_noises() {
        let options = Voice {
            edge: String::new(),
            metrics: String::new(),
            pid: 1,
            transport: Transport::Phone,
            calls: 4,
            seconds: Duration::ZERO,
            configured_ms: 0.0,
        };
        let clips = Clips { all: vec![vec![1; 800]], speakers: Vec::new() };
        let hecklers = hecklers(&options, 2, &clips);
        assert_eq!(hecklers.len(), 4);
        assert_eq!(hecklers.into_iter().map(|heckler| heckler.score().1).sum::<usize>(), 12);
    }
}
