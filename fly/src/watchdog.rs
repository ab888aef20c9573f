//! Watches the runtime from a thread of its own: Fly's health checks only stop the routing to a
//! stalled process, nothing restarts it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tracing::error;

/// How often the runtime shows that it runs.
const PULSE: Duration = Duration::from_millis(500);
/// Without a pulse for so long the process is aborted, so that it is started anew.
const STALLED_AFTER: Duration = Duration::from_secs(10);
/// Without a pulse for so long `/health` says so.
const UNHEALTHY_AFTER: Duration = Duration::from_secs(3);

/// The runtime's pulse.
#[derive(Clone)]
pub struct Pulse {
    started: Instant,
    last_ms: Arc<AtomicU64>,
}

impl Pulse {
    /// Begins to beat on the current runtime and to be watched by a thread.
    pub fn start() -> io::Result<Self> {
        let pulse = Self { started: Instant::now(), last_ms: Arc::new(AtomicU64::new(0)) };
        let beating = pulse.clone();
        tokio::spawn(async move {
            let mut beat = tokio::time::interval(PULSE);
            loop {
                beat.tick().await;
                beating.last_ms.store(beating.now_ms(), Ordering::Relaxed);
            }
        });
        let watched = pulse.clone();
        std::thread::Builder::new().name("watchdog".to_owned()).spawn(move || {
            while Arc::strong_count(&watched.last_ms) > 1 {
                std::thread::sleep(PULSE);
                if watched.silent_for() > STALLED_AFTER {
                    error!("the runtime has stalled: aborting");
                    std::process::abort();
                }
            }
        })?;
        Ok(pulse)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn silent_for(&self) -> Duration {
        Duration::from_millis(self.now_ms().saturating_sub(self.last_ms.load(Ordering::Relaxed)))
    }

    /// Whether the runtime runs.
    pub fn is_healthy(&self) -> bool {
        self.silent_for() < UNHEALTHY_AFTER
    }
}
