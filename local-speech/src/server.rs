//! Everything on one address.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use axum::{Json, Router};
use nexus_core::audio::detector::Model;
use nexus_core::provider::deepgram;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::recogniser::Pool;
use crate::socket::Room;
use crate::voice::Desk;
use crate::{listen, openai, speak};

/// Largest upload: thirteen minutes of 16 kHz audio.
const UPLOAD_BYTES_MAX: usize = 25 * 1024 * 1024;

/// The engines, and how much is asked of them.
pub struct Engines {
    /// Tells speech from silence.
    pub detector: Arc<Model>,
    /// Audio to text.
    pub recognisers: Pool,
    /// Text to audio.
    pub voice: Desk,
    /// What clients may do.
    pub limits: Limits,
}

/// How many clients there may be, and how long each is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most connections of each kind at once; one more is refused with the service's own 429.
    pub calls_max: usize,
    /// Without audio or `KeepAlive` for this long a listening connection is closed.
    pub idle: Duration,
    /// Words that take longer than this are given up.
    pub behind: Duration,
}

impl Limits {
    /// The service's own times, for so many connections of each kind.
    pub const fn of_calls(calls_max: usize) -> Self {
        Self { calls_max, idle: deepgram::IDLE, behind: Duration::from_secs(10) }
    }
}

/// What every handler sees.
pub(crate) struct Shared {
    pub(crate) detector: Arc<Model>,
    pub(crate) recognisers: Pool,
    pub(crate) voice: Desk,
    pub(crate) listeners: Room,
    pub(crate) speakers: Room,
    pub(crate) uploads: Room,
    pub(crate) limits: Limits,
}

/// A running server. Dropping this stops it.
pub struct Server {
    address: SocketAddr,
    task: JoinHandle<io::Result<()>>,
}

/// Requests over HTTP that are worked on at once.
const UPLOADS_MAX: usize = 8;

impl Server {
    /// Binds the port on the loopback address (0: a free one) and serves in the background.
    pub async fn start(port: u16, engines: Engines) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            detector: engines.detector,
            recognisers: engines.recognisers,
            voice: engines.voice,
            listeners: Room::of(engines.limits.calls_max),
            speakers: Room::of(engines.limits.calls_max),
            uploads: Room::of(UPLOADS_MAX),
            limits: engines.limits,
        });
        // Small frames must not wait for each other (Nagle).
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "no TCP_NODELAY");
            }
        });
        let app = router(shared);
        let task = tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { address, task })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Runs until the server fails.
    pub async fn wait(&mut self) -> io::Result<()> {
        (&mut self.task).await.map_err(io::Error::other)?
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/health", get(async || Json(json!({"status": "ok"}))))
        .route("/v1/listen", get(listen::listen))
        .route("/v1/text-to-speech/{voice}/multi-stream-input", get(speak::speak))
        .route("/v1/audio/transcriptions", post(openai::transcribe))
        .route("/v1/audio/speech", post(openai::speak))
        .layer(DefaultBodyLimit::max(UPLOAD_BYTES_MAX))
        .with_state(shared)
}
