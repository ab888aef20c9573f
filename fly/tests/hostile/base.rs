//! What a process holds, and that it lets go of it again.

use std::alloc::System;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use cap::Cap;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, MutexGuard};

use super::scene::Scene;

/// How long connections that are kept for later use may take to go.
const LETS_GO_WITHIN: Duration = Duration::from_mins(1);

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

static ALONE: Mutex<()> = Mutex::const_new(());
static HOOK: Once = Once::new();
static PANICS: AtomicU32 = AtomicU32::new(0);

/// One trial at a time: each counts what the whole process holds.
pub(crate) struct Trial {
    _alone: MutexGuard<'static, ()>,
    panics: u32,
}

impl Trial {
    pub(crate) async fn begin() -> Self {
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                PANICS.fetch_add(1, Ordering::SeqCst);
                before(info);
            }));
        });
        let alone = ALONE.lock().await;
        Self { _alone: alone, panics: PANICS.load(Ordering::SeqCst) }
    }

    /// No task of the server has panicked since the trial began.
    pub(crate) fn assert_no_panic(&self) {
        assert_eq!(PANICS.load(Ordering::SeqCst), self.panics, "something panicked");
    }
}

/// What the process holds at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) files: usize,
    pub(crate) tasks: usize,
    /// Memory allocated and not freed. What the process has from the system says little: allocators keep pages.
    pub(crate) allocated_kib: usize,
}

impl Held {
    pub(crate) fn now() -> Self {
        Self {
            files: std::fs::read_dir("/proc/self/fd").unwrap().count(),
            tasks: Handle::current().metrics().num_alive_tasks(),
            allocated_kib: MEMORY.allocated() / 1024,
        }
    }
}

/// How much more may be held after a trial than before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slack {
    /// Files, and as many tasks: connections to the edge and the model are kept for half a minute.
    pub(crate) files: usize,
    /// Memory, in KiB: buffers of those connections, tables that have grown, and the trial's own records.
    pub(crate) kib: usize,
}

/// After a few connections.
pub(crate) const FEW: Slack = Slack { files: 12, kib: 4 * 1024 };
/// After hundreds and more: less than one for each.
pub(crate) const MANY: Slack = Slack { files: 100, kib: 16 * 1024 };

/// Waits until files, tasks and connections are near the base again, then compares the memory.
pub(crate) async fn back_to(base: Held, scene: &Scene, slack: Slack) {
    let deadline = Instant::now() + LETS_GO_WITHIN;
    loop {
        let held = Held::now();
        let connections = scene.metric("nexus_voice_connections_active").await;
        let calls = scene.metric("nexus_voice_calls_active").await;
        let is_back =
            held.files <= base.files + slack.files && held.tasks <= base.tasks + slack.files;
        if is_back && (connections, calls) == (0, 0) {
            break;
        }
        assert!(
            Instant::now() < deadline,
            "{held:?} is not back to {base:?}; {connections} connections, {calls} calls"
        );
        // Files and tasks ring no bell.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let held = Held::now();
    eprintln!("before {base:?}\nafter  {held:?}");
    assert!(held.allocated_kib <= base.allocated_kib + slack.kib, "{held:?} is far above {base:?}");
}
