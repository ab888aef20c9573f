//! One account's telephone exchange: its calls, and the way in and out.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nexus_core::twilio::Form;
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use super::account::Account;
use super::behaviour::Behaviour;
use super::call::{Call, Command, Direction, Script};
use super::callbacks::{Milestone, Subscription};
use super::leg::{Leg, Plan};
use super::line::{Line, LineError, LineState};
use super::markup::Target;
use super::rest::Placed;
use super::talk;
use super::webhook::{Method, Webhooks};
use crate::board::Board;
use crate::faults::{Service, Switchboard};
use crate::journal::Journal;

/// Calls that the REST API remembers.
const CALLS_MAX: usize = 10_000;
/// Outbound calls that nobody has asked for yet; older ones go on without an owner.
const UNCLAIMED_MAX: usize = 100;

/// Somebody calls a number of the account.
#[derive(Clone, Debug)]
pub struct InboundCall {
    /// The caller's number.
    pub from: String,
    /// The account's number.
    pub to: String,
    /// The number's voice webhook.
    pub voice_url: String,
    /// Asked when the voice webhook fails.
    pub fallback_url: Option<String>,
    /// Told of the end.
    pub status_url: Option<String>,
}

impl InboundCall {
    /// A call without fallback and status callback.
    pub fn new(
        from: impl Into<String>,
        to: impl Into<String>,
        voice_url: impl Into<String>,
    ) -> Self {
        Self {
            from: from.into(),
            to: to.into(),
            voice_url: voice_url.into(),
            fallback_url: None,
            status_url: None,
        }
    }

    /// The same with a status callback.
    #[must_use]
    pub fn with_status_url(mut self, url: impl Into<String>) -> Self {
        self.status_url = Some(url.into());
        self
    }
}

/// What all calls of an account share.
pub(super) struct Network {
    pub(super) account: Account,
    pub(super) webhooks: Webhooks,
    pub(super) switchboard: Arc<Switchboard>,
    journal: Arc<Journal>,
    behaviour: Mutex<Behaviour>,
    calls: Mutex<VecDeque<Arc<Call>>>,
    unclaimed: Board<VecDeque<Line>>,
}

impl Network {
    pub(super) fn behaviour(&self) -> MutexGuard<'_, Behaviour> {
        self.behaviour.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn calls(&self) -> MutexGuard<'_, VecDeque<Arc<Call>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a request and its fields into the stand-ins' log.
    pub(super) fn note(&self, service: Service, event: &str, url: &str, form: &Form) {
        let mut detail = Map::new();
        detail.insert("url".to_owned(), url.into());
        let fields = form.iter().map(|(name, value)| (name.to_owned(), Value::from(value)));
        detail.insert("form".to_owned(), Value::Object(fields.collect()));
        self.journal.write(service, event, &Value::Object(detail));
    }
}

/// An account's exchange. Copies are the same exchange.
#[derive(Clone)]
pub struct Exchange {
    pub(super) network: Arc<Network>,
}

impl Exchange {
    /// An exchange of its own, without a REST API.
    pub fn new(account: Account) -> Result<Self, reqwest::Error> {
        Self::with(account, Arc::default(), Arc::default())
    }

    /// An exchange that counts and writes where the other stand-ins do.
    pub(crate) fn with(
        account: Account,
        switchboard: Arc<Switchboard>,
        journal: Arc<Journal>,
    ) -> Result<Self, reqwest::Error> {
        let network = Network {
            webhooks: Webhooks::new(account.clone())?,
            account,
            switchboard,
            journal,
            behaviour: Mutex::default(),
            calls: Mutex::default(),
            unclaimed: Board::new(VecDeque::new()),
        };
        Ok(Self { network: Arc::new(network) })
    }

    /// Whose exchange this is.
    pub fn account(&self) -> &Account {
        &self.network.account
    }

    /// Changes what people and networks do from now on.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.network.behaviour());
    }

    /// Lets somebody call a number of the account. The call goes on until somebody ends it, whether
    /// the line is kept or dropped.
    pub fn call(&self, inbound: InboundCall) -> Line {
        let (call, commands) = Call::new(inbound.from, inbound.to, Direction::Inbound);
        let post = |url| Target { url, method: Method::Post };
        let plan = Plan {
            script: Script::At(post(inbound.voice_url)),
            fallback: inbound.fallback_url.map(post),
            // A number's own status callback tells of the end alone.
            subscription: inbound.status_url.map(|url| Subscription {
                target: post(url),
                milestones: vec![Milestone::Completed],
            }),
            outbound: None,
        };
        self.begin(call, commands, plan)
    }

    /// Waits for the next call that the account places through the REST API.
    pub async fn outbound(&self, limit: Duration) -> Result<Line, LineError> {
        let line = self.network.unclaimed.until(limit, VecDeque::pop_front).await;
        let what = "a call through the REST API".to_owned();
        line.ok_or(LineError::TimedOut { what, limit })
    }

    /// Every call is gone without a word, as when Twilio's side dies.
    pub fn vanish(&self) {
        for call in self.network.calls().iter() {
            call.command(Command::Vanish);
        }
    }

    /// Places a call that the REST API accepted.
    pub(super) fn place(&self, placed: Placed) -> Arc<Call> {
        let (call, commands) = Call::new(placed.from, placed.to, Direction::OutboundApi);
        let callee = self.network.behaviour().callee.clone();
        let say = callee.say.clone();
        let plan = Plan {
            script: placed.script,
            fallback: placed.fallback,
            subscription: placed.subscription,
            outbound: Some(placed.outbound),
        };
        let line = self.begin(call, commands, plan);
        let call = Arc::clone(&line.call);
        if let Some(say) = say {
            tokio::spawn(talk::answer(line, say));
            return call;
        }
        let mut unclaimed = self.network.unclaimed.lock();
        unclaimed.push_back(line);
        if unclaimed.len() > UNCLAIMED_MAX {
            unclaimed.pop_front();
        }
        drop(unclaimed);
        self.network.unclaimed.ring();
        call
    }

    fn begin(&self, call: Call, commands: mpsc::UnboundedReceiver<Command>, plan: Plan) -> Line {
        let call = Arc::new(call);
        let discard_audio = self.network.behaviour().discard_audio;
        let board = Board::new(LineState::new(discard_audio));
        let mut calls = self.network.calls();
        calls.push_back(Arc::clone(&call));
        if calls.len() > CALLS_MAX {
            calls.pop_front();
        }
        drop(calls);
        let leg = Leg::new(&self.network, &call, &board, commands, plan);
        tokio::spawn(leg.run());
        Line::new(call, board)
    }
}
