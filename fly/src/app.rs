//! What all calls of the process share.

use std::io;
use std::sync::Arc;

use nexus_core::audio::detector::{Model, WeightsError};
use nexus_core::id::ServerId;
use rustls::ClientConfig;

use crate::admission::Admission;
use crate::call::claim::Snapshots;
use crate::call::greetings::Greetings;
use crate::config::Config;
use crate::delivery::Deliveries;
use crate::edge::{EdgeClient, unix_now};
use crate::metrics::Metrics;
use crate::outbound::http_client;
use crate::providers::openai::ModelServer;
use crate::registry::Registry;
use crate::spool::Spool;
use crate::tls::{self, TlsError};

/// Why the process cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The spool directory cannot be written.
    #[error("NEXUS_SPOOL_DIR cannot be written: {0}")]
    Spool(io::Error),
    /// A port cannot be had.
    #[error("port {port} cannot be opened: {error}")]
    Port {
        /// Which.
        port: u16,
        /// Why.
        error: io::Error,
    },
    /// The detector's weights cannot be unpacked.
    #[error(transparent)]
    Detector(#[from] WeightsError),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    Randomness,
}

/// The shared parts.
pub struct App {
    /// The configuration.
    pub config: Config,
    /// This start of the process.
    pub server: ServerId,
    /// The edge.
    pub edge: Arc<EdgeClient>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// TLS towards providers.
    pub tls: Arc<ClientConfig>,
    /// The language model.
    pub model: ModelServer,
    /// What tells speech from other sounds.
    pub detector: Arc<Model>,
    /// The spool.
    pub spool: Spool,
    /// What brings it to the edge.
    pub deliveries: Deliveries,
    /// The calls held here.
    pub calls: Registry,
    /// The door.
    pub admission: Arc<Admission>,
    /// Known snapshots.
    pub snapshots: Snapshots,
    /// Known greetings.
    pub greetings: Greetings,
}

/// Ten unpredictable bytes for an id.
pub fn random_bytes() -> Result<[u8; 10], StartError> {
    let mut bytes = [0; 10];
    getrandom::fill(&mut bytes).map_err(|_| StartError::Randomness)?;
    Ok(bytes)
}

impl App {
    /// Builds the shared parts.
    pub fn new(config: Config) -> Result<Arc<Self>, StartError> {
        let tls = tls::client_config()?;
        let http = http_client(&tls);
        let edge = EdgeClient::new(http.clone(), &config.edge_url, config.service_key.clone());
        let edge = Arc::new(edge);
        let metrics = Arc::new(Metrics::default());
        Ok(Arc::new(Self {
            server: ServerId::new(unix_now(), random_bytes()?),
            model: ModelServer::new(http, config.providers.openai.clone()),
            detector: Arc::new(Model::load()?),
            spool: Spool::start(&config.spool_dir).map_err(StartError::Spool)?,
            deliveries: Deliveries::new(Arc::clone(&edge), Arc::clone(&metrics)),
            calls: Registry::default(),
            admission: Admission::new(config.max_calls, config.max_unstarted),
            snapshots: Snapshots::default(),
            greetings: Greetings::default(),
            edge,
            metrics,
            tls,
            config,
        }))
    }
}
