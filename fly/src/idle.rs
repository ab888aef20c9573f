//! Ends a server that nobody needs now.
//!
//! A machine above its region's minimum (Fly's process group `spare`) exits 0 after a quarter of an hour
//! without a call: with the restart policy `on-failure` it then stays stopped, and Fly's proxy starts it
//! again when the others are over their soft limit. Fly's own autostop is off because it may stop a
//! machine that still holds calls.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::admission::Admission;

/// Resolves when for `limit` no call has been here and nothing is left to deliver. No call is taken
/// from then on.
pub async fn wait(door: &Admission, limit: Duration, is_delivered: impl AsyncFn() -> bool) {
    let step = (limit / 10).max(Duration::from_millis(1));
    let mut admitted = door.admitted();
    let mut since = Instant::now();
    loop {
        sleep(step).await;
        // The count shows calls that came and went between two looks.
        let now = door.admitted();
        if door.taken() > 0 || now != admitted {
            admitted = now;
            since = Instant::now();
        } else if since.elapsed() >= limit && is_delivered().await && door.close_if_empty() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::net::{IpAddr, Ipv4Addr};
    use std::pin::pin;
    use std::sync::Arc;

    use tokio::time::timeout;

    use super::*;
    use crate::admission::{Phase, Refusal};

    const LIMIT: Duration = Duration::from_mins(15);
    const CALLER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn door() -> Arc<Admission> {
        let door = Admission::new(2, 2);
        door.enter(Phase::Serving);
        door
    }

    async fn delivered() -> bool {
        true
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_without_calls_ends_after_the_limit_and_takes_no_more() {
        let door = door();
        let start = Instant::now();
        wait(&door, LIMIT, delivered).await;
        assert_eq!(start.elapsed().as_secs(), LIMIT.as_secs());
        assert_eq!(door.admit(CALLER).err(), Some(Refusal::Draining));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_keeps_it_and_the_limit_begins_at_its_end() {
        let door = door();
        let mut ending = pin!(wait(&door, LIMIT, delivered));
        let call = door.admit(CALLER).ok();
        assert!(timeout(Duration::from_hours(24), &mut ending).await.is_err());
        drop(call);
        let start = Instant::now();
        ending.await;
        let after = start.elapsed();
        assert!(after >= LIMIT * 9 / 10 && after <= LIMIT * 11 / 10, "{after:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_between_two_looks_counts_too() {
        let door = door();
        let mut ending = pin!(wait(&door, LIMIT, delivered));
        assert!(timeout(LIMIT * 99 / 100, &mut ending).await.is_err());
        drop(door.admit(CALLER).ok());
        assert!(timeout(LIMIT / 2, &mut ending).await.is_err());
        ending.await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_delivered_keeps_it() {
        let door = door();
        let done = Cell::new(false);
        let mut ending = pin!(wait(&door, LIMIT, async || done.get()));
        assert!(timeout(3 * LIMIT, &mut ending).await.is_err());
        assert!(door.admit(CALLER).is_ok(), "it still takes calls");
        done.set(true);
        ending.await;
    }
}
