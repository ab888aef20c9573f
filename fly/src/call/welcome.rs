//! A client with a ticket that has said `start`: the claim, and the call that follows.

use std::sync::Arc;

use nexus_core::agent::{AgentSettings, AgentSnapshot};
use nexus_core::call::{EndReason, Epoch};
use nexus_core::conversation::Conversation;
use nexus_core::id::{CallId, ClaimantId};
use nexus_core::ticket::Ticket;
use nexus_core::voice_link::{ClaimAnswer, ClaimRequest};
use nexus_core::wire::{AudioFormat, close};
use tokio::sync::mpsc;
use tracing::info;

use super::claim::claim;
use super::clock::CallClock;
use super::driver::{Call, Parts};
use super::finish::finish;
use super::rules::rules;
use super::usage::Meter;
use crate::admission::{Phase, Slot};
use crate::app::{App, random_bytes};
use crate::delivery::{Control, Parcel};
use crate::edge::{EdgeError, unix_now};
use crate::prices::{Priced, Prices};
use crate::providers::{deepgram, elevenlabs};
use crate::registry::Registration;
use crate::spool::Meta;
use crate::transport::Line;

/// Controls that may wait for a call.
const CONTROLS: usize = 8;

/// A client that may open the call of its ticket.
pub struct Arrived {
    /// Its ticket.
    pub ticket: Ticket,
    /// The line's format.
    pub format: AudioFormat,
}

/// Claims the call and holds it to its end; the slot is taken until then.
pub async fn welcome(app: &Arc<App>, line: Line, arrived: Arrived, slot: Slot) {
    // Boxed, as a call is long and its claim is not: what that needs is then given back.
    if let Some(begun) = Box::pin(begin(app, line, arrived)).await {
        hold(app, begun).await;
    }
    drop(slot);
}

/// Claims the call; answers the client itself if that fails.
async fn begin(app: &Arc<App>, line: Line, arrived: Arrived) -> Option<Begun> {
    let Arrived { ticket, format } = arrived;
    let config = &app.config;
    let known = app.snapshots.get(&ticket.snapshot);
    let early = known.as_ref().map(|known| Stages::open(app, &known.settings, format));
    let Ok(random) = random_bytes() else {
        line.refuse(close::RESTARTING, "unavailable", "try again").await;
        return None;
    };
    let request = ClaimRequest {
        epoch: ticket.epoch,
        claimant: ClaimantId::new(unix_now(), random),
        server: app.server,
        region: config.region.clone(),
        audio: format,
        known_snapshot: known.as_ref().map(|_| ticket.snapshot.clone()),
    };
    let claimed = match claim(&app.edge, ticket.call, &request).await {
        Ok(answer) => answer,
        Err(error) => {
            turn_away(app, line, &error).await;
            return None;
        }
    };
    let snapshot = match (&claimed.snapshot, known) {
        (Some(snapshot), _) => {
            Some(app.snapshots.keep(claimed.snapshot_hash.clone(), snapshot.clone()))
        }
        (None, known) => known.filter(|_| claimed.snapshot_hash == ticket.snapshot),
    };
    let Some(snapshot) = snapshot else {
        line.refuse(close::RESTARTING, "unavailable", "the call has no agent").await;
        return None;
    };
    if claimed.audio != format {
        let detail = "a resumed call keeps its first audio format";
        line.refuse(close::PROTOCOL, "audio_format", detail).await;
        return None;
    }
    let stages = early.unwrap_or_else(|| Stages::open(app, &snapshot.settings, format));
    Some(call(app, Held { ticket, claimed, snapshot, format }, line, stages))
}

async fn turn_away(app: &App, line: Line, error: &EdgeError) {
    match error {
        EdgeError::Claimed | EdgeError::Sealed => {
            app.metrics.refused("claimed");
            line.refuse(close::TICKET, "claimed", "the ticket has been used").await;
        }
        EdgeError::Refused { .. } | EdgeError::Unreachable => {
            app.metrics.refused("edge");
            tracing::warn!(%error, "a claim failed");
            line.refuse(close::RESTARTING, "unavailable", "the call cannot be begun now").await;
        }
    }
}

/// The connections of a call, being opened.
struct Stages {
    transcriber: deepgram::Transcriber,
    voice: elevenlabs::Voice,
}

impl Stages {
    fn open(app: &App, settings: &AgentSettings, format: AudioFormat) -> Self {
        let providers = &app.config.providers;
        let listen =
            deepgram::listen_url(&providers.deepgram.url, format, settings, providers.opt_out);
        let speak = elevenlabs::socket_address(&providers.elevenlabs.url, format, settings);
        Self {
            transcriber: deepgram::Transcriber::open(
                listen,
                providers.deepgram.key.clone(),
                Arc::clone(&app.tls),
                format,
            ),
            voice: elevenlabs::Voice::open(
                speak,
                providers.elevenlabs.key.clone(),
                Arc::clone(&app.tls),
                settings.voice.speed,
            ),
        }
    }
}

/// A call, ready to run.
struct Begun {
    id: CallId,
    epoch: Epoch,
    call: Box<Call>,
    registration: Registration,
}

/// A call that is ours.
struct Held {
    ticket: Ticket,
    claimed: ClaimAnswer,
    snapshot: Arc<AgentSnapshot>,
    format: AudioFormat,
}

/// Puts the call together and makes it known to all that tell it something.
fn call(app: &Arc<App>, held: Held, line: Line, stages: Stages) -> Begun {
    let Held { ticket, claimed, snapshot, format } = held;
    let (id, epoch) = (ticket.call, ticket.epoch);
    let elapsed = claimed.now.since(claimed.answered_at).max(0);
    let clock = CallClock::starting_at(elapsed as u64);
    let (sender, control) = mpsc::channel(CONTROLS);
    let meta = Meta { call: id, epoch, audio: format };
    let (spool, written) = app.spool.open(meta);
    let progress = app.deliveries.start(Parcel {
        meta,
        dir: app.spool.dir(id, epoch),
        written,
        segments_sent: 0,
        control: Some(sender.clone()),
    });
    if app.admission.phase() == Phase::Draining {
        // Claimed just before the drain began: nobody else will end it.
        let _ = sender.try_send(Control::End(EndReason::ServerLost));
    }
    let registration = app.calls.insert(id, epoch, sender);
    let rules =
        rules(&snapshot.settings, &claimed.variables, claimed.max_seconds, app.config.reclaim);
    let fixed_texts = rules.greeting.iter().chain(&rules.idle_prompts).cloned().collect();
    let call = Call::new(Parts {
        app: Arc::clone(app),
        id,
        line,
        format,
        clock,
        transcriber: stages.transcriber,
        voice: stages.voice,
        meter: Meter::new(prices(app, &snapshot.settings)),
        conversation: Conversation::new(rules, &claimed.history),
        snapshot,
        fixed_texts,
        spool,
        progress,
        control,
    });
    Begun { id, epoch, call, registration }
}

async fn hold(app: &App, begun: Begun) {
    let Begun { id, epoch, call, registration } = begun;
    app.metrics.calls_active.inc();
    info!(call = %id, epoch = epoch.0, "call begins");
    let over = call.run().await;
    let outcome = over.outcome;
    info!(call = %id, epoch = epoch.0, ?outcome, "call over");
    // Boxed, as the end is short and the call before it is not.
    Box::pin(finish(app, over)).await;
    app.metrics.calls_active.dec();
    drop(registration);
}

fn prices(app: &App, settings: &AgentSettings) -> Prices {
    let providers = &app.config.providers;
    Prices::of(
        Priced { model: &settings.transcriber.model, simulated: providers.deepgram.simulated },
        Priced { model: &settings.model.model, simulated: providers.openai.simulated },
        Priced { model: &settings.voice.model, simulated: providers.elevenlabs.simulated },
    )
}
