//! What can be broken while the stand-ins run, and what they count.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::twilio::PhoneChange;

/// One of the simulated services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Speech to text (Deepgram).
    Stt,
    /// The language model.
    Model,
    /// Text to speech (ElevenLabs).
    Tts,
    /// The telephone (Twilio): its REST API and its streams.
    Twilio,
}

impl Service {
    /// All of them.
    const ALL: [Self; 4] = [Self::Stt, Self::Model, Self::Tts, Self::Twilio];

    /// The name in `/control` and in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stt => "stt",
            Self::Model => "model",
            Self::Tts => "tts",
            Self::Twilio => "twilio",
        }
    }
}

/// Body of `POST /control`: what changes for each service. What is left out stays as it is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// Changes of the recogniser.
    #[serde(default)]
    pub stt: Option<Change>,
    /// Changes of the model.
    #[serde(default)]
    pub model: Option<Change>,
    /// Changes of the voice.
    #[serde(default)]
    pub tts: Option<Change>,
    /// Changes of the telephone: `delay_ms` and `refuse` of the REST API, `drop` of the streams.
    #[serde(default)]
    pub twilio: Option<Change>,
    /// What people and networks do.
    #[serde(default)]
    pub phone: Option<PhoneChange>,
}

/// Changes of one service.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Delay until the first answer (transcript, token or audio), in ms; `-1` for the start's value.
    #[serde(default)]
    pub delay_ms: Option<i64>,
    /// What a new connection takes before it is answered, in ms (recogniser, voice).
    #[serde(default)]
    pub connect_ms: Option<u64>,
    /// True: cut every open connection now, without a word.
    #[serde(default)]
    pub drop: bool,
    /// Refuse the next connections; `0` refuses none any more.
    #[serde(default)]
    pub refuse: Option<Refuse>,
    /// Accept and say nothing, until set to false.
    #[serde(default)]
    pub stall: Option<bool>,
    /// Break the next streamed answer off after this many tokens (model) or pieces of audio (voice).
    #[serde(default)]
    pub break_after: Option<u32>,
    /// Share of incoming audio messages that get lost, in percent (recogniser).
    #[serde(default)]
    pub loss_percent: Option<u8>,
    /// Noise under the incoming audio, as effective value of 16-bit samples (recogniser).
    #[serde(default)]
    pub noise: Option<u16>,
}

/// How to refuse: a status for one connection, or for `count` of them.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
pub enum Refuse {
    /// This status once.
    Once(u16),
    /// This status `count` times.
    Times {
        /// An HTTP status from 400 to 599.
        status: u16,
        /// How many connections.
        count: u32,
    },
}

/// Faults of one service at this moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// In the place of the start's delay.
    pub delay: Option<Duration>,
    /// See [`Change::connect_ms`].
    pub connect: Duration,
    /// Say nothing.
    pub stall: bool,
    /// See [`Change::loss_percent`].
    pub loss_percent: u8,
    /// See [`Change::noise`].
    pub noise: u16,
    refuse: Option<(u16, u32)>,
    break_after: Option<u32>,
}

/// What one service counted since the start.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct Counters {
    /// Sockets or requests accepted.
    pub connections: u64,
    /// Of these, open now.
    pub open: u64,
    /// Sockets or requests refused, for whatever reason.
    pub refused: u64,
    /// Connections that the other side left before the answer was complete.
    pub cancelled: u64,
    /// Milliseconds of audio received (recogniser, telephone).
    pub audio_ms: u64,
    /// Words recognised (recogniser).
    pub words_heard: u64,
    /// Tokens sent (model).
    pub tokens: u64,
    /// Characters spoken (voice).
    pub characters_spoken: u64,
    /// Contexts closed while they still had something to say (voice).
    pub contexts_closed_early: u64,
}

#[derive(Default)]
struct State {
    faults: BTreeMap<Service, Faults>,
    counters: BTreeMap<Service, Counters>,
}

/// Faults and counters of all services.
pub struct Switchboard {
    state: Mutex<State>,
    drops: watch::Sender<BTreeMap<Service, u64>>,
}

impl Default for Switchboard {
    fn default() -> Self {
        Self { state: Mutex::default(), drops: watch::Sender::new(BTreeMap::new()) }
    }
}

impl Switchboard {
    /// Makes the changes; a status that is no refusal is an error, and then nothing changes.
    pub fn apply(&self, control: &Control) -> Result<(), &'static str> {
        let changes = [
            (Service::Stt, &control.stt),
            (Service::Model, &control.model),
            (Service::Tts, &control.tts),
            (Service::Twilio, &control.twilio),
        ];
        for (_service, change) in &changes {
            change.as_ref().map_or(Ok(()), Change::check)?;
        }
        for (service, change) in changes {
            let Some(change) = change else { continue };
            self.with(|state| change.apply(state.faults.entry(service).or_default()));
            if change.drop {
                self.drops.send_modify(|drops| *drops.entry(service).or_default() += 1);
            }
        }
        Ok(())
    }

    /// Cuts every open connection of every service.
    pub(crate) fn cut_all(&self) {
        self.drops.send_modify(|drops| {
            for service in Service::ALL {
                *drops.entry(service).or_default() += 1;
            }
        });
    }

    /// Faults of a service now.
    pub fn faults(&self, service: Service) -> Faults {
        self.with(|state| state.faults.get(&service).copied().unwrap_or_default())
    }

    /// Holds a new connection up for as long as connections are to take.
    pub(crate) async fn connect(&self, service: Service) {
        let takes = self.faults(service).connect;
        if !takes.is_zero() {
            tokio::time::sleep(takes).await;
        }
    }

    /// The status with which to refuse this connection, if it shall be.
    pub fn take_refusal(&self, service: Service) -> Option<u16> {
        self.with(|state| {
            let faults = state.faults.entry(service).or_default();
            let (status, count) = faults.refuse?;
            faults.refuse = (count > 1).then_some((status, count - 1));
            Some(status)
        })
    }

    /// After how many pieces this answer shall break off, if it shall.
    pub fn take_break(&self, service: Service) -> Option<u32> {
        self.with(|state| state.faults.entry(service).or_default().break_after.take())
    }

    /// Changes a service's counters.
    pub fn count(&self, service: Service, change: impl FnOnce(&mut Counters)) {
        self.with(|state| change(state.counters.entry(service).or_default()));
    }

    /// All counters.
    pub fn counters(&self) -> BTreeMap<Service, Counters> {
        self.with(|state| {
            let counters = |s: Service| state.counters.get(&s).cloned().unwrap_or_default();
            Service::ALL.into_iter().map(|service| (service, counters(service))).collect()
        })
    }

    /// Waits until a service's connections shall be cut; made when the connection opens.
    pub fn drops(&self, service: Service) -> Drops {
        let receiver = self.drops.subscribe();
        let seen = receiver.borrow().get(&service).copied().unwrap_or_default();
        Drops { receiver, service, seen }
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A connection's ear for being cut.
pub struct Drops {
    receiver: watch::Receiver<BTreeMap<Service, u64>>,
    service: Service,
    seen: u64,
}

impl Drops {
    /// Returns when the connection shall be cut; never before.
    pub async fn cut(&mut self) {
        let (service, seen) = (self.service, self.seen);
        let cut = |drops: &BTreeMap<Service, u64>| drops.get(&service).is_some_and(|n| *n > seen);
        if self.receiver.wait_for(cut).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Change {
    fn check(&self) -> Result<(), &'static str> {
        match self.refuse {
            Some(Refuse::Once(status) | Refuse::Times { status, .. })
                if status != 0 && !(400..600).contains(&status) =>
            {
                Err("refuse takes a status from 400 to 599")
            }
            _ if self.loss_percent.is_some_and(|percent| percent > 100) => {
                Err("loss_percent goes from 0 to 100")
            }
            _ => Ok(()),
        }
    }

    fn apply(&self, faults: &mut Faults) {
        if let Some(delay_ms) = self.delay_ms {
            faults.delay = u64::try_from(delay_ms).ok().map(Duration::from_millis);
        }
        faults.connect = self.connect_ms.map_or(faults.connect, Duration::from_millis);
        match self.refuse {
            Some(Refuse::Once(0) | Refuse::Times { count: 0, .. }) => faults.refuse = None,
            Some(Refuse::Once(status)) => faults.refuse = Some((status, 1)),
            Some(Refuse::Times { status, count }) => faults.refuse = Some((status, count)),
            None => {}
        }
        faults.stall = self.stall.unwrap_or(faults.stall);
        faults.break_after = self.break_after.or(faults.break_after);
        faults.loss_percent = self.loss_percent.unwrap_or(faults.loss_percent);
        faults.noise = self.noise.unwrap_or(faults.noise);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn apply(board: &Switchboard, body: &str) -> Result<(), &'static str> {
        board.apply(&serde_json::from_str(body).unwrap())
    }

    #[test]
    fn refusals_are_used_up() {
        let board = Switchboard::default();
        apply(&board, r#"{"stt":{"refuse":{"status":429,"count":2}},"tts":{"refuse":500}}"#)
            .unwrap();
        assert_eq!(board.take_refusal(Service::Stt), Some(429));
        assert_eq!(board.take_refusal(Service::Stt), Some(429));
        assert_eq!(board.take_refusal(Service::Stt), None);
        assert_eq!(board.take_refusal(Service::Tts), Some(500));
        assert_eq!(board.take_refusal(Service::Model), None);
        apply(&board, r#"{"stt":{"refuse":503}}"#).unwrap();
        apply(&board, r#"{"stt":{"refuse":0}}"#).unwrap();
        assert_eq!(board.take_refusal(Service::Stt), None);
        assert!(apply(&board, r#"{"stt":{"refuse":200}}"#).is_err());
    }

    #[test]
    fn what_is_left_out_stays() {
        let board = Switchboard::default();
        apply(&board, r#"{"model":{"delay_ms":900,"stall":true}}"#).unwrap();
        apply(&board, r#"{"model":{"break_after":3}}"#).unwrap();
        let faults = board.faults(Service::Model);
        assert_eq!((faults.delay, faults.stall), (Some(Duration::from_millis(900)), true));
        assert_eq!(board.take_break(Service::Model), Some(3));
        assert_eq!(board.take_break(Service::Model), None);
        apply(&board, r#"{"model":{"delay_ms":-1}}"#).unwrap();
        assert_eq!(board.faults(Service::Model).delay, None);
    }

    #[test]
    fn unknown_switches_are_refused() {
        assert!(serde_json::from_str::<Control>(r#"{"stt":{"dealy_ms":1}}"#).is_err());
        assert!(serde_json::from_str::<Control>(r#"{"asr":{}}"#).is_err());
    }

    #[tokio::test]
    async fn a_drop_cuts_what_is_open_and_nothing_later() {
        let board = Arc::new(Switchboard::default());
        let mut open = board.drops(Service::Tts);
        let mut other = board.drops(Service::Stt);
        apply(&board, r#"{"tts":{"drop":true}}"#).unwrap();
        open.cut().await;
        let mut later = board.drops(Service::Tts);
        for drops in [&mut other, &mut later] {
            tokio::select! {
                biased;
                () = drops.cut() => panic!("cut without a reason"),
                () = std::future::ready(()) => {}
            }
        }
    }
}
