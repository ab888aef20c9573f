//! All stand-ins on one address.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::faults::{Service, Switchboard};
use crate::journal::Journal;
use crate::options::Options;
use crate::twilio::{Exchange, rest};
use crate::{control, deepgram, elevenlabs, model};

/// What every handler sees.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) switchboard: Arc<Switchboard>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) exchange: Exchange,
}

impl Shared {
    /// Counts a connection as open until the guard is dropped.
    pub(crate) fn open(self: &Arc<Self>, service: Service) -> OpenGuard {
        self.switchboard.count(service, |counters| {
            counters.connections += 1;
            counters.open += 1;
        });
        OpenGuard { shared: Arc::clone(self), service }
    }

    pub(crate) fn count_refused(&self, service: Service) {
        self.switchboard.count(service, |counters| counters.refused += 1);
    }
}

/// A connection that is open.
pub(crate) struct OpenGuard {
    shared: Arc<Shared>,
    service: Service,
}

impl Drop for OpenGuard {
    fn drop(&mut self) {
        self.shared.switchboard.count(self.service, |c| c.open = c.open.saturating_sub(1));
    }
}

/// Running stand-ins. Dropping this stops them and cuts every connection.
pub struct StandIns {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<io::Result<()>>,
}

impl StandIns {
    /// Binds the port and serves in the background.
    pub async fn start(options: Options) -> io::Result<Self> {
        let journal = Arc::new(Journal::open(options.log.as_deref())?);
        let switchboard = Arc::<Switchboard>::default();
        let account = options.account().ok_or_else(|| io::Error::other("no Twilio account"))?;
        let exchange = Exchange::with(account, Arc::clone(&switchboard), Arc::clone(&journal));
        let exchange = exchange.map_err(io::Error::other)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { options, switchboard, journal, exchange });
        let app = router(Arc::clone(&shared));
        // Small frames must not wait for each other (Nagle).
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "no TCP_NODELAY");
            }
        });
        let task = tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { address, shared, task })
    }

    /// Where they listen.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Faults and counters, without going through HTTP.
    pub fn switchboard(&self) -> &Switchboard {
        &self.shared.switchboard
    }

    /// Twilio's calls, without going through HTTP.
    pub fn exchange(&self) -> &Exchange {
        &self.shared.exchange
    }

    /// Runs until the server fails.
    pub async fn wait(&mut self) -> io::Result<()> {
        (&mut self.task).await.map_err(io::Error::other)?
    }
}

impl Drop for StandIns {
    fn drop(&mut self) {
        self.task.abort();
        self.shared.switchboard.cut_all();
        self.shared.exchange.vanish();
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/health", get(control::health))
        .route("/control", get(control::counters).post(control::change))
        .route("/v1/listen", get(deepgram::listen))
        .route("/v1/text-to-speech/{voice}/multi-stream-input", get(elevenlabs::speak))
        .route("/v1/chat/completions", post(model::complete))
        .route("/v1/models", get(model::list))
        .route("/2010-04-01/Accounts/{account}/Calls.json", get(rest::list).post(rest::create))
        .route("/2010-04-01/Accounts/{account}/Calls/{call}", get(rest::fetch).post(rest::update))
        .with_state(shared)
}
