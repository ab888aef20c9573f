//! Which text has been spoken at which moment of a reply's audio.

/// One character of the voice's alignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlignedChar {
    /// The character.
    pub character: char,
    /// When it has been said, in ms from the begin of the audio it came with.
    pub end_ms: u32,
}

/// Speech per second assumed where the voice gives no alignment, in characters.
const CHARS_PER_SECOND: u64 = 15;

/// The spoken text of one reply and when its parts have been said. Audio times count from the
/// reply's first audio.
#[derive(Clone, Debug, Default)]
pub struct SpokenText {
    text: String,
    /// Byte offset behind a character and when it has been said, in order of both.
    said: Vec<(usize, u32)>,
    aligned_to: usize,
}

impl SpokenText {
    /// Adds a clause.
    pub fn push(&mut self, clause: &str) {
        self.text.push_str(clause);
    }

    /// All of it so far.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Takes the alignment of audio that begins `base_ms` into the reply.
    ///
    /// The voice repeats our text, but may trim or add white space, and what it spells differently is
    /// counted one for one: an error stays within its word.
    pub fn align(&mut self, base_ms: u32, chars: &[AlignedChar]) {
        for aligned in chars {
            let Some(next) = self.next_char() else { return };
            if aligned.character.is_whitespace() && !next.is_whitespace() {
                continue;
            }
            if next.is_whitespace() && !aligned.character.is_whitespace() {
                self.skip_white_space();
            }
            let Some(next) = self.next_char() else { return };
            self.aligned_to += next.len_utf8();
            let end = base_ms.saturating_add(aligned.end_ms);
            let end = self.said.last().map_or(end, |(_, last)| end.max(*last));
            self.said.push((self.aligned_to, end));
        }
    }

    fn next_char(&self) -> Option<char> {
        self.text.get(self.aligned_to..)?.chars().next()
    }

    fn skip_white_space(&mut self) {
        let rest = self.text.get(self.aligned_to..).unwrap_or_default();
        self.aligned_to += rest.len() - rest.trim_start().len();
    }

    /// The byte offset up to which the text has been said when `audio_ms` of the reply's audio have
    /// been played.
    pub fn said_at(&self, audio_ms: u32) -> usize {
        if self.said.is_empty() {
            let chars = u64::from(audio_ms) * CHARS_PER_SECOND / 1000;
            let mut rest = self.text.char_indices();
            return rest.nth(chars as usize).map_or(self.text.len(), |(at, _)| at);
        }
        let count = self.said.partition_point(|(_, end)| *end <= audio_ms);
        count.checked_sub(1).and_then(|last| self.said.get(last)).map_or(0, |(to, _)| *to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each character takes 10 ms.
    fn chars(text: &str) -> Vec<AlignedChar> {
        text.chars()
            .zip(1..)
            .map(|(character, n)| AlignedChar { character, end_ms: n * 10 })
            .collect()
    }

    #[test]
    fn clauses_are_followed_over_several_messages() {
        let mut spoken = SpokenText::default();
        spoken.push("Héllo. ");
        spoken.push("All well? ");
        spoken.align(0, &chars("Héllo. "));
        spoken.align(100, &chars("All well? "));
        assert_eq!(spoken.said_at(0), 0);
        assert_eq!(&spoken.text()[..spoken.said_at(25)], "Hé");
        assert_eq!(&spoken.text()[..spoken.said_at(99)], "Héllo. ");
        assert_eq!(&spoken.text()[..spoken.said_at(135)], "Héllo. All");
        assert_eq!(spoken.said_at(1000), spoken.text().len());
    }

    #[test]
    fn white_space_that_the_voice_trims_or_adds_shifts_nothing() {
        let mut spoken = SpokenText::default();
        spoken.push("One.  Two. ");
        spoken.align(0, &chars(" One."));
        spoken.align(50, &chars("Two."));
        assert_eq!(&spoken.text()[..spoken.said_at(50)], "One.");
        assert_eq!(&spoken.text()[..spoken.said_at(90)], "One.  Two.");
    }

    #[test]
    fn without_alignment_the_speed_is_assumed() {
        let mut spoken = SpokenText::default();
        spoken.push("0123456789 0123456789");
        assert_eq!(spoken.said_at(0), 0);
        assert_eq!(spoken.said_at(1000), 15);
        assert_eq!(spoken.said_at(60_000), 21);
    }

    #[test]
    fn times_and_offsets_never_fall() {
        let mut spoken = SpokenText::default();
        spoken.push("abc");
        spoken.align(100, &chars("ab"));
        spoken.align(0, &chars("c"));
        let offsets: Vec<usize> = (0..200).map(|ms| spoken.said_at(ms)).collect();
        assert!(offsets.is_sorted());
    }
}
