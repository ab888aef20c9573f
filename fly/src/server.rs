//! The listeners and what they answer.

mod accept;
mod routes;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};
use tracing::info;

use crate::admission::Phase;
use crate::app::{App, StartError};
use crate::config::Config;
use crate::delivery::Parcel;
use crate::spool::{Leftover, leftovers};
use crate::task::Task;
use crate::watchdog::Pulse;
use crate::{heartbeat, idle};
use nexus_core::call::EndReason;

/// How long the spool of an earlier process keeps `/ready` waiting.
const RECOVERY_MAX: Duration = Duration::from_secs(5);
/// How long calls may take to end when the server drains.
const CALLS_END_WITHIN: Duration = Duration::from_secs(10);

/// A running voice server; stops listening when dropped.
pub struct Server {
    app: Arc<App>,
    address: SocketAddr,
    metrics_address: SocketAddr,
    _tasks: Vec<Task<()>>,
}

impl Server {
    /// Starts to listen, and to deliver what an earlier process left.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let (bind, port, metrics_port) = (config.bind, config.port, config.metrics_port);
        let app = App::new(config)?;
        // Before the first call can open a directory of its own.
        let root = app.spool.root().to_owned();
        let found = tokio::task::spawn_blocking(move || leftovers(&root)).await.unwrap_or_default();
        let listen = async |port| {
            let listener = TcpListener::bind((bind, port)).await;
            let listener = listener.and_then(|listener| Ok((listener.local_addr()?, listener)));
            listener.map_err(|error| StartError::Port { port, error })
        };
        let (address, listener) = listen(port).await?;
        let (metrics_address, metrics_listener) = listen(metrics_port).await?;
        let pulse = Pulse::start().map_err(StartError::Spool)?;
        let tasks = vec![
            Task::spawn(accept::serve(listener, routes::public(&app, pulse))),
            Task::spawn(accept::serve(metrics_listener, routes::private(&app))),
            Task::spawn(heartbeat::run(Arc::clone(&app))),
            Task::spawn(recover(Arc::clone(&app), found)),
        ];
        info!(%address, %metrics_address, server = %app.server, cell = %app.config.cell, "listening");
        Ok(Self { app, address, metrics_address, _tasks: tasks })
    }

    /// Where callers connect.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where Prometheus asks.
    pub const fn metrics_address(&self) -> SocketAddr {
        self.metrics_address
    }

    /// Resolves when nobody needs this server any more, if it is one that then ends.
    pub async fn unneeded(&self) {
        let Some(limit) = self.app.config.idle_exit else { return std::future::pending().await };
        let is_delivered = async || self.app.deliveries.idle(Duration::ZERO).await;
        idle::wait(&self.app.admission, limit, is_delivered).await;
        info!(after_s = limit.as_secs(), "no call for so long: ending");
    }

    /// Takes no more calls, ends those that run, and delivers the spool for at most `limit`; whether
    /// all of it has been delivered.
    pub async fn drain(&self, limit: Duration) -> bool {
        self.app.admission.enter(Phase::Draining);
        info!(calls = self.app.calls.len(), "draining");
        let deadline = Instant::now() + CALLS_END_WITHIN;
        while self.app.admission.taken() > 0 && Instant::now() < deadline {
            self.app.calls.end_all(EndReason::ServerLost);
            sleep(Duration::from_millis(50)).await;
        }
        let delivered = self.app.deliveries.idle(limit).await;
        info!(delivered, "drained");
        delivered
    }

    /// Brings everything handed over to the disk. Blocks for at most `limit`.
    pub fn flush(&self, limit: Duration) -> bool {
        self.app.spool.flush(limit)
    }
}

/// Delivers what an earlier process left; calls itself ready when that is done or five seconds have
/// passed.
async fn recover(app: Arc<App>, found: Vec<Leftover>) {
    if !found.is_empty() {
        info!(directories = found.len(), "delivering what an earlier process left");
    }
    for leftover in found {
        let (sender, written) = tokio::sync::mpsc::unbounded_channel();
        for one in leftover.written {
            let _ = sender.send(one);
        }
        app.deliveries.start(Parcel {
            meta: leftover.meta,
            dir: leftover.dir,
            written,
            segments_sent: leftover.segments_sent,
            control: None,
        });
    }
    app.deliveries.idle(RECOVERY_MAX).await;
    app.admission.enter(Phase::Serving);
    info!("serving");
}
