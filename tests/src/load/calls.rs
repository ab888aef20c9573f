//! A crowd: opens all calls, lets them talk, gathers what became of them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::caller::{Caller, Done, Window};
use super::opening::Opener;
use super::options::Voice;
use super::part::Part;
use crate::client::Outcome;

/// How many calls are being opened at a time.
const OPENING_MAX: usize = 8;
/// From one caller's first word to the next's, until the spread is full.
const SPREAD_PER_CALL: Duration = Duration::from_millis(200);
const SPREAD_MAX: Duration = Duration::from_secs(8);

/// Calls that are open.
pub(super) struct Crowd<P> {
    callers: JoinSet<(Done, P)>,
    window: watch::Sender<Option<Window>>,
    /// How many were wanted.
    wanted: usize,
    /// Why calls could not be opened, one text each.
    pub(super) refused: Vec<String>,
}

impl<P: Part> Crowd<P> {
    /// Opens a call for each part; each is silent until [`Crowd::talk`].
    pub(super) async fn open(
        options: &Voice,
        opener: &Opener,
        parts: impl IntoIterator<Item = P>,
    ) -> Outcome<Self> {
        let window = watch::Sender::new(None);
        let places = Arc::new(Semaphore::new(OPENING_MAX));
        let mut opening = JoinSet::new();
        for (index, part) in parts.into_iter().enumerate() {
            let place = Arc::clone(&places).acquire_owned().await?;
            let opener = opener.clone();
            let (transport, receiver) = (options.transport, window.subscribe());
            let at = index as f64 / options.calls as f64;
            opening.spawn(async move {
                let caller: Outcome<_> = async {
                    let opened = opener.open(index).await?;
                    Caller::open(opened, transport, part).await
                }
                .await;
                drop(place);
                caller.map(|caller| async move { caller.run(receiver, at, &opener).await })
            });
        }
        let mut crowd =
            Self { callers: JoinSet::new(), window, wanted: options.calls, refused: Vec::new() };
        while let Some(opened) = opening.join_next().await {
            match opened? {
                Ok(call) => drop(crowd.callers.spawn(call)),
                Err(error) => crowd.refused.push(error.to_string()),
            }
        }
        Ok(crowd)
    }

    /// How many are open.
    pub(super) fn len(&self) -> usize {
        self.callers.len()
    }

    /// Lets all talk for so long; answers when all of them do and when the first may end.
    pub(super) fn talk(&self, seconds: Duration) -> (Instant, Instant) {
        let gaps = u32::try_from(self.wanted.saturating_sub(1)).unwrap_or(u32::MAX);
        let spread = SPREAD_PER_CALL.saturating_mul(gaps).min(SPREAD_MAX);
        let begins = Instant::now() + Duration::from_millis(500);
        let ends = begins + spread + seconds;
        self.window.send_replace(Some(Window { begins, spread, ends }));
        (begins + spread, ends)
    }

    /// What became of each.
    pub(super) async fn done(mut self) -> Outcome<Vec<(Done, P)>> {
        let mut all = Vec::new();
        while let Some(done) = self.callers.join_next().await {
            all.push(done?);
        }
        Ok(all)
    }
}
