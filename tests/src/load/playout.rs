//! A loudspeaker's clock, without the audio.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// When what has come will have been played.
#[derive(Debug, Default)]
pub(super) struct Playout {
    dry_at: Option<Instant>,
    marks: VecDeque<(Instant, String)>,
    in_reply: bool,
    /// How often a reply's audio came after what came before it had been played.
    pub(super) underruns: u64,
}

impl Playout {
    /// Audio of this length came.
    pub(super) fn audio(&mut self, now: Instant, length: Duration) {
        let dry = self.dry_at.is_none_or(|dry_at| dry_at < now);
        self.underruns += u64::from(dry && self.in_reply);
        self.in_reply = true;
        self.dry_at = Some(self.dry_at.map_or(now, |dry_at| dry_at.max(now)) + length);
    }

    /// A mark came, to be answered when everything before it has been played.
    pub(super) fn mark(&mut self, now: Instant, name: String) {
        self.marks.push_back((self.dry_at.map_or(now, |dry_at| dry_at.max(now)), name));
    }

    /// The next mark that has been played.
    pub(super) fn passed(&mut self, now: Instant) -> Option<String> {
        let played = self.marks.front().is_some_and(|(at, _)| *at <= now);
        if played { self.marks.pop_front().map(|(_, name)| name) } else { None }
    }

    /// Drops what has not been played; the marks among it.
    pub(super) fn clear(&mut self, now: Instant) -> Vec<String> {
        self.dry_at = self.dry_at.map(|dry_at| dry_at.min(now));
        self.in_reply = false;
        self.marks.drain(..).map(|(_, name)| name).collect()
    }

    /// For how long there has been nothing to play.
    pub(super) fn dry_for(&self, now: Instant) -> Duration {
        self.dry_at.map_or(Duration::ZERO, |dry_at| now.saturating_duration_since(dry_at))
    }

    /// What comes from now on belongs to another reply, if `over`.
    pub(super) const fn reply_is_over_if(&mut self, over: bool) {
        self.in_reply &= !over;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn marks_pass_with_the_audio_before_them() {
        let (mut playout, now) = (Playout::default(), Instant::now());
        playout.audio(now, ms(100));
        playout.mark(now, "a".to_owned());
        playout.audio(now + ms(20), ms(100));
        playout.mark(now + ms(20), "b".to_owned());
        assert_eq!(playout.passed(now + ms(99)), None);
        assert_eq!(playout.passed(now + ms(100)), Some("a".to_owned()));
        assert_eq!(playout.passed(now + ms(100)), None);
        assert_eq!(playout.clear(now + ms(120)), ["b"]);
        assert_eq!(playout.dry_for(now + ms(150)), ms(30));
    }

    #[test]
    fn only_a_gap_inside_a_reply_is_an_underrun() {
        let (mut playout, now) = (Playout::default(), Instant::now());
        playout.audio(now, ms(100));
        playout.audio(now + ms(100), ms(100));
        assert_eq!(playout.underruns, 0);
        playout.audio(now + ms(201), ms(100));
        assert_eq!(playout.underruns, 1);
        playout.reply_is_over_if(true);
        playout.audio(now + ms(900), ms(100));
        assert_eq!(playout.underruns, 1);
    }
}
