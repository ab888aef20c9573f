//! What the contexts of one socket have still to say, piece by piece.

use std::collections::VecDeque;

use super::pieces::pieces;

/// One context's share.
struct Waiting {
    context: String,
    pieces: VecDeque<String>,
    speed: f64,
    /// The client wants no more of it than this.
    closing: bool,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Next {
    /// Speak this.
    Piece { context: String, text: String, speed: f64 },
    /// The context has said everything.
    End { context: String },
}

/// The queue.
#[derive(Default)]
pub(super) struct Line {
    contexts: Vec<Waiting>,
    bytes: usize,
}

impl Line {
    /// The speed of a context, from its first message on.
    pub(super) fn open(&mut self, context: &str, speed: f64) {
        self.find(context).speed = speed;
    }

    /// Queues text.
    pub(super) fn speak(&mut self, context: &str, text: &str) {
        self.bytes += text.len();
        self.find(context).pieces.extend(pieces(text).into_iter().map(str::to_owned));
    }

    /// Queues the end.
    pub(super) fn end(&mut self, context: &str) {
        self.find(context).closing = true;
    }

    /// Bytes of text that wait.
    pub(super) const fn waiting(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.contexts.iter().all(|waiting| waiting.pieces.is_empty() && !waiting.closing)
    }

    /// The next piece, of the newest context: mostly nobody listens to the older ones any more.
    pub(super) fn next(&mut self) -> Option<Next> {
        let index = self.contexts.iter().rposition(|w| w.closing || !w.pieces.is_empty())?;
        let waiting = self.contexts.get_mut(index)?;
        if let Some(text) = waiting.pieces.pop_front() {
            self.bytes -= text.len();
            return Some(Next::Piece {
                context: waiting.context.clone(),
                text,
                speed: waiting.speed,
            });
        }
        let waiting = self.contexts.remove(index);
        Some(Next::End { context: waiting.context })
    }

    fn find(&mut self, context: &str) -> &mut Waiting {
        let at = self.contexts.iter().position(|w| w.context == context).unwrap_or_else(|| {
            let context = context.to_owned();
            self.contexts.push(Waiting {
                context,
                pieces: VecDeque::new(),
                speed: 1.0,
                closing: false,
            });
            self.contexts.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "found or pushed just above")]
        &mut self.contexts[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_context_overtakes_an_old_one() {
        let mut line = Line::default();
        line.open("old", 1.1);
        line.speak("old", "One. Two. ");
        let piece = |context: &str, text: &str, speed: f64| {
            Some(Next::Piece { context: context.to_owned(), text: text.to_owned(), speed })
        };
        assert_eq!(line.next(), piece("old", "One. ", 1.1));
        line.end("old");
        line.speak("new", "Yes? ");
        line.end("new");
        line.speak("third", "Go. ");
        assert_eq!(line.next(), piece("third", "Go. ", 1.0));
        assert_eq!(line.next(), piece("new", "Yes? ", 1.0));
        assert_eq!(line.next(), Some(Next::End { context: "new".to_owned() }));
        assert_eq!(line.next(), piece("old", "Two. ", 1.1));
        assert_eq!(line.next(), Some(Next::End { context: "old".to_owned() }));
        assert_eq!((line.next(), line.waiting(), line.is_empty()), (None, 0, true));
    }
}
