//! One caller: a frame every 20 ms, an ear for the agent's first sound, marks answered when played.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::line::{Heard, Line};
use super::opening::{Opened, Opener};
use super::options::Transport;
use super::part::{Next, Part};
use super::playout::Playout;
use super::voice::{FRAME_MS, is_audible};
use crate::client::Outcome;

/// How long a server may take to say that it is ready, and to close.
const WAIT: Duration = Duration::from_secs(15);

/// When all talk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// The first call's first word.
    pub(super) begins: Instant,
    /// Until all have begun.
    pub(super) spread: Duration,
    /// No utterance begins later.
    pub(super) ends: Instant,
}

/// What became of a call.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) underruns: u64,
    /// How late each frame left, in ms.
    pub(super) late: Vec<f64>,
    /// The connection ended before the caller ended it.
    pub(super) dropped: bool,
    /// The server did not close after the hang-up.
    pub(super) unclosed: bool,
}

/// A call on its open line.
pub(super) struct Caller<P> {
    line: Line,
    opened: Opened,
    transport: Transport,
    part: P,
    playout: Playout,
    has_begun: bool,
    done: Done,
}

impl<P: Part> Caller<P> {
    /// Opens a call's line.
    pub(super) async fn open(opened: Opened, transport: Transport, part: P) -> Outcome<Self> {
        let line = Line::open(&opened, transport.format()).await?;
        let (playout, done) = (Playout::default(), Done::default());
        let mut caller = Self { line, opened, transport, part, playout, has_begun: false, done };
        if caller.line.is_told_ready() {
            timeout(WAIT, caller.ready()).await.map_err(|_| "the server is not ready")??;
        }
        Ok(caller)
    }

    async fn ready(&mut self) -> Outcome {
        loop {
            match self.line.next().await {
                Heard::Ready => return Ok(()),
                Heard::Closed => return Err("closed before it was ready".into()),
                _ => {}
            }
        }
    }

    /// Is silent until there is a window, plays its part in it, hangs up. `place`: when in the spread
    /// it begins, 0 to 1.
    pub(super) async fn run(
        mut self,
        mut window: watch::Receiver<Option<Window>>,
        place: f64,
        opener: &Opener,
    ) -> (Done, P) {
        let mut due = Instant::now();
        let clock = tokio::time::sleep_until(due);
        tokio::pin!(clock);
        loop {
            tokio::select! {
                biased;
                () = clock.as_mut() => match self.frame(due).await {
                    Ok(true) => {
                        due += Duration::from_millis(FRAME_MS);
                        clock.as_mut().reset(due);
                    }
                    Ok(false) => break,
                    Err(()) => {
                        self.done.dropped = true;
                        break;
                    }
                },
                heard = self.line.next() => {
                    if !self.take(heard).await {
                        self.done.dropped = true;
                        break;
                    }
                }
                changed = window.changed(), if !self.has_begun => {
                    let Some(window) = changed.ok().and_then(|()| *window.borrow_and_update())
                    else { break };
                    let starts = window.begins + window.spread.mul_f64(place);
                    self.part.begin(starts, window.ends);
                    self.has_begun = true;
                }
            }
        }
        self.finish(opener).await
    }

    /// Sends a frame and what is due with it; false when the conversation is over.
    async fn frame(&mut self, due: Instant) -> Result<bool, ()> {
        let now = Instant::now();
        if self.has_begun {
            self.done.late.push(now.duration_since(due).as_secs_f64() * 1000.0);
        }
        let Next::Frame { audio, begins } = self.part.next(now, self.playout.dry_for(now)) else {
            return Ok(false);
        };
        self.playout.reply_is_over_if(begins);
        self.line.audio(audio).await.map_err(|_| ())?;
        while let Some(name) = self.playout.passed(now) {
            self.line.mark(name).await.map_err(|_| ())?;
        }
        Ok(true)
    }

    /// Takes what came; false when the line is gone.
    async fn take(&mut self, heard: Heard) -> bool {
        let now = Instant::now();
        match heard {
            Heard::Audio(audio) => {
                let format = self.transport.format();
                let ms = audio.len() as f64 / format.bytes_per_ms() as f64;
                self.playout.audio(now, Duration::from_secs_f64(ms / 1000.0));
                let listening = self.part.ear().filter(|ear| ear.listens());
                if let Some(ear) = listening
                    && is_audible(&audio, format)
                {
                    ear.audible(now);
                }
            }
            Heard::Mark(name) => self.playout.mark(now, name),
            Heard::Clear => {
                if let Some(ear) = self.part.ear() {
                    ear.clear(now);
                }
                let cleared = self.playout.clear(now);
                if self.line.answers_cleared_marks() {
                    for name in cleared {
                        if self.line.mark(name).await.is_err() {
                            return false;
                        }
                    }
                }
            }
            Heard::Ready | Heard::Other => {}
            Heard::Closed => return false,
        }
        true
    }

    async fn finish(self, opener: &Opener) -> (Done, P) {
        let Self { line, opened, playout, part, mut done, .. } = self;
        done.underruns = playout.underruns;
        if !done.dropped {
            done.unclosed = !matches!(timeout(WAIT, line.hang_up()).await, Ok(Ok(())));
            // A line whose end is not told shows as a call that is never sealed.
            let _ = opener.gone(&opened.door).await;
        }
        (done, part)
    }
}
