//! Recognisers and voices that do as they are told, and a server of them.

use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use nexus_core::audio::detector::Model;
use nexus_local_speech::recogniser::{Pool, Recogniser, RecogniserError};
use nexus_local_speech::server::{Engines, Limits, Server};
use nexus_local_speech::voice::{Clip, Desk, Voice, VoiceError};

/// Most connections of each kind.
pub(crate) const CALLS: usize = 4;

/// Says how long the audio was, once the gate is open.
#[derive(Clone, Default)]
pub(crate) struct Gated(Arc<(Mutex<bool>, Condvar)>);

impl Gated {
    pub(crate) fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

fn heard(samples: &[i16]) -> String {
    format!("heard {}", samples.len() / 16_000)
}

impl Recogniser for Gated {
    fn recognise(&mut self, samples: &[i16]) -> Result<String, RecogniserError> {
        let (open, changed) = &*self.0;
        drop(changed.wait_while(open.lock().unwrap(), |open| !*open).unwrap());
        Ok(heard(samples))
    }
}

/// Takes so long for everything.
pub(crate) struct Slow(pub(crate) Duration);

impl Recogniser for Slow {
    fn recognise(&mut self, samples: &[i16]) -> Result<String, RecogniserError> {
        thread::sleep(self.0);
        Ok(heard(samples))
    }
}

/// Fails so often before it recognises anything.
pub(crate) struct Failing(pub(crate) u32);

impl Recogniser for Failing {
    fn recognise(&mut self, samples: &[i16]) -> Result<String, RecogniserError> {
        if self.0 == 0 {
            return Ok(heard(samples));
        }
        self.0 -= 1;
        Err(RecogniserError::Run("as told".to_owned()))
    }
}

/// A tenth of a second for each word, after a while; some texts are too much for it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Words {
    pub(crate) each: Duration,
}

impl Voice for Words {
    fn name(&self) -> &'static str {
        "words"
    }

    fn speak(&mut self, text: &str, _speed: f64) -> Result<Clip, VoiceError> {
        thread::sleep(self.each);
        if text.contains("unspeakable") {
            return Err(VoiceError::Failed("words".to_owned()));
        }
        let count = text.split_whitespace().count();
        Ok(Clip { samples: vec![9_000; count * 1_600], rate: 16_000 })
    }
}

/// What a server is made of.
pub(crate) struct Bed {
    pub(crate) recogniser: Box<dyn Recogniser>,
    pub(crate) voice: Words,
    pub(crate) limits: Limits,
}

impl Bed {
    pub(crate) fn of(recogniser: impl Recogniser + 'static) -> Self {
        let limits = Limits::of_calls(CALLS);
        Self { recogniser: Box::new(recogniser), voice: Words::default(), limits }
    }

    /// The server and its address.
    pub(crate) async fn start(self) -> (Server, String) {
        let engines = Engines {
            detector: Arc::new(Model::load().unwrap()),
            recognisers: Pool::start(vec![self.recogniser]),
            voice: Desk::open(Box::new(self.voice)),
            limits: self.limits,
        };
        let server = Server::start(0, engines).await.unwrap();
        let address = server.address().to_string();
        (server, address)
    }
}

/// A server whose recogniser waits, and whose voice does not.
pub(crate) async fn server() -> (Server, String) {
    Bed::of(Gated::default()).start().await
}
