//! What became of a reply's text. Every border is a byte offset into it, and always
//! heard ≤ sent ≤ spoken ≤ generated.

use std::collections::VecDeque;

use super::MarkId;
use super::clauses::can_be_said;
use crate::time::CallMs;

/// How far back, in bytes, speech that starts again looks for the begin of the word it broke in.
const WORD_BYTES_MAX: usize = 40;

/// A piece of audio at the client that has not been played as far as we know.
#[derive(Clone, Copy, Debug)]
struct Piece {
    mark: MarkId,
    /// What has been said when it has been played.
    to: usize,
    audio_ms: u64,
}

/// The text of a reply and how far it got.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    text: String,
    /// End of what the voice was given.
    spoken: usize,
    /// Begin of what the running voice was given; it counts its offsets from there.
    base: usize,
    sent: usize,
    heard: usize,
    unplayed: VecDeque<Piece>,
    last_mark: Option<MarkId>,
    /// When the client has played all it was sent, if it plays without a pause.
    play_end: CallMs,
    first_sent: Option<CallMs>,
    last_played: Option<CallMs>,
}

impl Ledger {
    /// All that was generated.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Adds what was generated.
    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Forgets what was generated; only while nothing of it was spoken.
    pub(super) fn clear(&mut self) {
        debug_assert_eq!(self.spoken, 0, "what was spoken stands");
        self.text.clear();
    }

    /// What the voice was given so far.
    pub(super) fn spoken(&self) -> &str {
        self.text.get(..self.spoken).unwrap_or_default()
    }

    /// What was generated and not given to the voice.
    pub(super) fn unspoken(&self) -> &str {
        self.text.get(self.spoken..).unwrap_or_default()
    }

    /// Gives the next `len` bytes to the voice: the clause and its offset as the voice counts.
    pub(super) fn speak(&mut self, len: usize) -> (String, usize) {
        let begin = self.spoken;
        self.spoken = self.text.floor_char_boundary(begin.saturating_add(len));
        let clause = self.text.get(begin..self.spoken).unwrap_or_default().to_owned();
        (clause, begin - self.base)
    }

    /// A new voice takes over from what was sent, or from the begin of the word in which that
    /// broke off: what it must say at once, at offset 0 of its own. `None`: nothing is left.
    pub(super) fn restart(&mut self) -> Option<String> {
        let begin = word_begin(&self.text, self.sent);
        let rest = self.text.get(begin..self.spoken).filter(|rest| can_be_said(rest));
        self.base = if rest.is_some() { begin } else { self.spoken };
        rest.map(str::to_owned)
    }

    /// A piece went to the client; `spoken_to` as the voice counts. A mark that is not new is
    /// refused.
    pub(super) fn send(
        &mut self,
        now: CallMs,
        mark: MarkId,
        spoken_to: usize,
        audio_ms: u32,
    ) -> bool {
        if self.last_mark.is_some_and(|last| mark <= last) {
            return false;
        }
        let to = self.base.saturating_add(spoken_to).min(self.spoken);
        self.sent = self.text.floor_char_boundary(to).max(self.sent);
        self.last_mark = Some(mark);
        self.first_sent.get_or_insert(now);
        let audio_ms = u64::from(audio_ms);
        self.play_end = self.play_end.max(now).plus(audio_ms);
        self.unplayed.push_back(Piece { mark, to: self.sent, audio_ms });
        true
    }

    /// The voice has sent the audio of all it was given.
    pub(super) fn send_rest(&mut self) {
        self.sent = self.spoken;
        if let Some(last) = self.unplayed.back_mut() {
            last.to = self.spoken;
        } else if self.first_sent.is_some() {
            self.heard = self.spoken;
        }
    }

    /// The client has played everything before the mark: how much audio that was, in ms. `None`
    /// for a mark that is not awaited.
    pub(super) fn play(&mut self, now: CallMs, mark: MarkId) -> Option<u64> {
        let count = self.unplayed.iter().position(|piece| piece.mark == mark)? + 1;
        let mut played_ms = 0;
        for piece in self.unplayed.drain(..count) {
            played_ms += piece.audio_ms;
            self.heard = piece.to;
        }
        self.last_played = Some(now);
        Some(played_ms)
    }

    /// Whether audio was sent that was not played as far as we know.
    pub(super) fn is_playing(&self) -> bool {
        !self.unplayed.is_empty()
    }

    /// When the first audio was sent.
    pub(super) fn first_sent(&self) -> Option<CallMs> {
        self.first_sent
    }

    /// When the client will have played all it was sent.
    pub(super) fn play_end(&self) -> CallMs {
        self.play_end
    }

    /// When the caller heard the last of it, if the reply is over at `now`. Audio under way was
    /// playing until then, though without its mark its words do not count.
    pub(super) fn last_heard(&self, now: CallMs) -> Option<CallMs> {
        if self.is_playing() { Some(now.min(self.play_end)) } else { self.last_played }
    }

    /// Whether the caller heard all that the voice was given, but for white space.
    pub(super) fn is_heard(&self) -> bool {
        self.first_sent.is_some() && !self.is_playing() && self.is_blank_from(self.heard)
    }

    /// Whether all that the voice was given has been sent, but for white space.
    pub(super) fn is_sent(&self) -> bool {
        self.is_blank_from(self.sent)
    }

    /// What the caller heard.
    pub(super) fn heard(&self) -> &str {
        self.text.get(..self.heard).unwrap_or_default()
    }

    fn is_blank_from(&self, at: usize) -> bool {
        self.text.get(at..self.spoken).is_none_or(|rest| rest.trim().is_empty())
    }
}

/// The begin of the word that `at` is in the middle of; `at` itself if it is in none, or in a
/// script without spaces.
fn word_begin(text: &str, at: usize) -> usize {
    let Some((before, after)) = text.split_at_checked(at) else { return at };
    if after.starts_with(char::is_whitespace) || after.is_empty() {
        return at;
    }
    let begin = before
        .char_indices()
        .rev()
        .find(|(_, c)| c.is_whitespace())
        .map_or(0, |(index, space)| index + space.len_utf8());
    if at - begin > WORD_BYTES_MAX { at } else { begin }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spoken(text: &str) -> Ledger {
        let mut ledger = Ledger::default();
        ledger.push(text);
        ledger.speak(text.len());
        ledger
    }

    #[test]
    fn only_awaited_marks_count_and_a_later_one_covers_the_earlier() {
        let mut ledger = spoken("one two three");
        assert!(ledger.send(CallMs(0), MarkId(4), 3, 100));
        assert!(ledger.send(CallMs(0), MarkId(5), 7, 100));
        assert!(ledger.send(CallMs(0), MarkId(6), 13, 100));
        assert_eq!(ledger.play(CallMs(90), MarkId(3)), None);
        assert_eq!(ledger.play(CallMs(200), MarkId(5)), Some(200));
        assert_eq!(ledger.heard(), "one two");
        assert_eq!(ledger.play(CallMs(210), MarkId(4)), None, "already covered");
        assert_eq!(ledger.heard(), "one two");
        assert_eq!(ledger.play_end(), CallMs(300));
    }

    #[test]
    fn offsets_from_outside_stay_within_what_was_spoken_and_on_character_borders() {
        let mut ledger = Ledger::default();
        ledger.push("é à la carte");
        assert_eq!(ledger.speak(6), ("é à ".to_owned(), 0));
        assert!(ledger.send(CallMs(0), MarkId(1), 1, 10), "in the middle of é");
        assert!(ledger.send(CallMs(0), MarkId(2), 999, 10), "beyond what was spoken");
        assert!(!ledger.send(CallMs(0), MarkId(2), 999, 10), "the mark is not new");
        assert_eq!(ledger.play(CallMs(5), MarkId(1)), Some(10));
        assert_eq!(ledger.heard(), "");
        assert_eq!(ledger.play(CallMs(6), MarkId(2)), Some(10));
        assert_eq!(ledger.heard(), "é à ");
    }

    #[test]
    fn a_new_voice_begins_with_the_word_that_broke_off() {
        for (sent, rest) in [(0, "hello wide world"), (5, " wide world"), (8, "wide world")] {
            let mut ledger = spoken("hello wide world");
            assert!(sent == 0 || ledger.send(CallMs(0), MarkId(1), sent, 10));
            assert_eq!(ledger.restart().as_deref(), Some(rest), "sent {sent}");
        }
        let mut ledger = spoken("今日は良い天気ですねえ今日は良い天気ですねえ");
        assert!(ledger.send(CallMs(0), MarkId(1), 57, 10));
        let rest = ledger.restart();
        assert_eq!(rest.as_deref(), Some("すねえ"), "no spaces: goes on where it broke off");
    }

    #[test]
    fn a_new_voice_counts_from_its_own_begin_and_nothing_heard_is_lost() {
        let mut ledger = spoken("hello wide world");
        assert!(ledger.send(CallMs(0), MarkId(1), 8, 10));
        assert_eq!(ledger.play(CallMs(9), MarkId(1)), Some(10));
        assert_eq!(ledger.restart().as_deref(), Some("wide world"));
        assert!(ledger.send(CallMs(10), MarkId(2), 0, 10));
        assert_eq!(ledger.play(CallMs(20), MarkId(2)), Some(10));
        assert_eq!(ledger.heard(), "hello wi");
        assert!(ledger.send(CallMs(10), MarkId(3), 10, 10));
        assert_eq!(ledger.play(CallMs(30), MarkId(3)), Some(10));
        assert_eq!(ledger.heard(), "hello wide world");
    }
}
