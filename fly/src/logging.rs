//! Logs: one JSON object a line on standard output. What a caller or an agent says, audio, numbers,
//! addresses and tokens are never logged.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Crates that log what they carry: their debug output would hold personal data.
const QUIET: [&str; 6] =
    ["tungstenite", "tokio_tungstenite", "hyper", "hyper_util", "rustls", "axum"];

/// Starts logging; `RUST_LOG` sets the level.
pub fn start() {
    let mut filter =
        EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).from_env_lossy();
    for name in QUIET {
        if let Ok(directive) = format!("{name}=warn").parse() {
            filter = filter.add_directive(directive);
        }
    }
    tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(filter).init();
}
