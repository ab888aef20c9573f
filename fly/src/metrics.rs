//! What Prometheus is told.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64};

use nexus_core::call::EndReason;
use nexus_core::journal::{Failure, Stage};
use nexus_core::wire::TurnLatency;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// A fixed word as a label's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Word(&'static str);

impl EncodeLabelValue for Word {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        EncodeLabelValue::encode(&self.0, encoder)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabel {
    stage: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProviderErrorLabel {
    stage: Word,
    failure: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabel {
    source: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DirectionLabel {
    direction: Word,
}

type Latencies = Family<StageLabel, Histogram, fn() -> Histogram>;

/// All metrics of the process. Every handle is shared; counting takes no lock that a call could wait
/// for.
pub struct Metrics {
    registry: Registry,
    /// Calls that hold a claim now.
    pub calls_active: Gauge,
    /// Clients connected now, claimed or not.
    pub connections_active: Gauge,
    /// Tasks of the runtime, as they were last counted: what is left of calls shows here.
    pub tasks: Gauge,
    /// Replies that were cut off.
    pub interruptions: Counter,
    /// Starts of callers' speech that the detector here found.
    pub speech_starts_local: Counter,
    /// Those that the recogniser told of.
    pub speech_starts_provider: Counter,
    /// Audio bytes from callers.
    pub bytes_in: Counter,
    /// Bytes to callers.
    pub bytes_out: Counter,
    /// Entries that the edge has not acknowledged.
    pub spool_entries: Gauge,
    /// Segments that the edge has not acknowledged.
    pub spool_segments: Gauge,
    /// Their bytes.
    pub spool_bytes: Gauge<i64, AtomicI64>,
    /// Heartbeats without an answer.
    pub heartbeat_failures: Counter<u64, AtomicU64>,
    calls_ended: Family<ReasonLabel, Counter>,
    connections_refused: Family<ReasonLabel, Counter>,
    frames_ignored: Family<ReasonLabel, Counter>,
    latency: Latencies,
    provider_errors: Family<ProviderErrorLabel, Counter>,
}

/// Upper bounds in seconds: fine where an answer should be, coarse where it is a fault.
const LATENCY_BUCKETS: [f64; 14] =
    [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0];

fn latency_histogram() -> Histogram {
    Histogram::new(LATENCY_BUCKETS)
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("nexus_voice");
        let metrics = Self {
            calls_active: Gauge::default(),
            connections_active: Gauge::default(),
            tasks: Gauge::default(),
            interruptions: Counter::default(),
            speech_starts_local: Counter::default(),
            speech_starts_provider: Counter::default(),
            bytes_in: Counter::default(),
            bytes_out: Counter::default(),
            spool_entries: Gauge::default(),
            spool_segments: Gauge::default(),
            spool_bytes: Gauge::default(),
            heartbeat_failures: Counter::default(),
            calls_ended: Family::default(),
            connections_refused: Family::default(),
            frames_ignored: Family::default(),
            latency: Family::new_with_constructor(latency_histogram),
            provider_errors: Family::default(),
            registry: Registry::default(),
        };
        let r = &mut registry;
        r.register("calls_active", "Calls held now", metrics.calls_active.clone());
        r.register("connections_active", "Clients connected", metrics.connections_active.clone());
        r.register("tasks", "Tasks of the runtime", metrics.tasks.clone());
        r.register("calls_ended", "Calls by end reason", metrics.calls_ended.clone());
        r.register(
            "connections_refused",
            "Connections turned away before a call",
            metrics.connections_refused.clone(),
        );
        r.register(
            "frames_ignored",
            "Clients' frames without a meaning for us",
            metrics.frames_ignored.clone(),
        );
        r.register("interruptions", "Replies cut off", metrics.interruptions.clone());
        r.register(
            "turn_latency_seconds",
            "From the caller's end of speech to each stage of the answer, cumulative",
            metrics.latency.clone(),
        );
        r.register("provider_errors", "Provider failures", metrics.provider_errors.clone());
        let starts: Family<SourceLabel, Counter> = Family::default();
        r.register("speech_starts", "Starts of callers' speech by who found them", starts.clone());
        let audio: Family<DirectionLabel, Counter> = Family::default();
        r.register("client_bytes", "Bytes from and to callers", audio.clone());
        r.register("spool_entries", "Entries not acknowledged", metrics.spool_entries.clone());
        r.register("spool_segments", "Segments not acknowledged", metrics.spool_segments.clone());
        r.register("spool_bytes", "Their bytes", metrics.spool_bytes.clone());
        r.register(
            "heartbeat_failures",
            "Unanswered heartbeats",
            metrics.heartbeat_failures.clone(),
        );
        let direction =
            |word| audio.get_or_create(&DirectionLabel { direction: Word(word) }).clone();
        let (bytes_in, bytes_out) = (direction("in"), direction("out"));
        let source = |word| starts.get_or_create(&SourceLabel { source: Word(word) }).clone();
        let (speech_starts_local, speech_starts_provider) = (source("local"), source("provider"));
        Self {
            registry,
            speech_starts_local,
            speech_starts_provider,
            bytes_in,
            bytes_out,
            ..metrics
        }
    }
}

impl Metrics {
    /// A call ended.
    pub fn call_ended(&self, reason: EndReason) {
        self.calls_ended.get_or_create(&ReasonLabel { reason: Word(reason.as_str()) }).inc();
    }

    /// A connection was turned away.
    pub fn refused(&self, reason: &'static str) {
        self.connections_refused.get_or_create(&ReasonLabel { reason: Word(reason) }).inc();
    }

    /// A client's frame had no meaning for us.
    pub fn ignored(&self, reason: &'static str) {
        self.frames_ignored.get_or_create(&ReasonLabel { reason: Word(reason) }).inc();
    }

    /// A provider failed.
    pub fn provider_error(&self, stage: Stage, failure: Failure) {
        let label =
            ProviderErrorLabel { stage: Word(stage.as_str()), failure: Word(failure.as_str()) };
        self.provider_errors.get_or_create(&label).inc();
    }

    /// A turn's stages are known.
    pub fn turn(&self, latency: &TurnLatency) {
        for (stage, ms) in [
            ("endpoint", latency.endpoint),
            ("transcript", latency.transcript),
            ("first_token", latency.first_token),
            ("first_clause", latency.first_clause),
            ("first_audio", latency.first_audio),
            ("sent", latency.sent),
            ("heard", latency.heard),
        ] {
            if let Some(ms) = ms {
                let histogram = self.latency.get_or_create(&StageLabel { stage: Word(stage) });
                histogram.observe(f64::from(ms) / 1000.0);
            }
        }
    }

    /// All of them as Prometheus' text.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_holds_what_was_counted() {
        let metrics = Metrics::default();
        metrics.call_ended(EndReason::CallerHangup);
        metrics.provider_error(Stage::Voice, Failure::RateLimited);
        metrics.turn(&TurnLatency { heard: Some(740), ..TurnLatency::default() });
        metrics.bytes_in.inc_by(320);
        let text = metrics.text().unwrap();
        for line in [
            "nexus_voice_calls_ended_total{reason=\"caller_hangup\"} 1",
            "nexus_voice_provider_errors_total{stage=\"voice\",failure=\"rate_limited\"} 1",
            "nexus_voice_turn_latency_seconds_bucket{le=\"0.8\",stage=\"heard\"} 1",
            "nexus_voice_client_bytes_total{direction=\"in\"} 320",
        ] {
            assert!(text.contains(line), "{line} is missing in:\n{text}");
        }
    }
}
