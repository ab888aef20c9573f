//! From the conversation's actions to what is done.

use nexus_core::conversation::{Action, Event, ReplyId};
use nexus_core::journal::What;
use nexus_core::wire::ServerMessage;

use super::{Call, Fixed, Outcome};
use crate::call::greetings::GreetingKey;

impl Call {
    /// Tells the conversation what happened and carries out what follows.
    pub(super) fn tell(&mut self, event: Event) {
        self.events.push_back(event);
        while let Some(event) = self.events.pop_front() {
            let mut actions = std::mem::take(&mut self.actions);
            self.now = self.clock.now();
            self.conversation.handle(self.now, event, &mut actions);
            for action in actions.drain(..) {
                self.carry_out(action);
            }
            // The buffer is used again for the next event.
            self.actions = actions;
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::AskModel { reply, messages } => {
                let settings = &self.snapshot.settings.model;
                self.model = Some(self.app.model.ask(reply, settings, &messages));
            }
            Action::CancelModel { reply } => {
                // Dropping it closes the connection, which stops the generation.
                self.model.take_if(|model| model.reply == reply);
            }
            Action::Speak { reply, text, offset } => self.speak(reply, text, offset),
            Action::SpeakEnd { reply } => {
                if self.from_memory.take_if(|spoken| *spoken == reply).is_none() {
                    self.voice.end(reply);
                }
            }
            Action::CancelSpeech { reply } => {
                self.voice.cancel(reply);
                self.playout.cancel(reply);
                self.fixed.take_if(|fixed| fixed.reply == reply);
            }
            Action::ClearPlayback => {
                self.playout.cleared(self.now);
                if let Some(recorder) = &mut self.recorder {
                    recorder.cleared();
                }
                if let Some(line) = &mut self.line {
                    line.clear();
                }
            }
            Action::ReopenTranscriber => self.transcriber.reopen(),
            Action::Send(message) => self.send(&message),
            Action::Journal(what) => self.write(what),
            Action::End(reason) => {
                self.outcome = Some(Outcome::Ended { reason, last_seq: self.last_seq });
            }
            Action::Abandon => {
                self.write_usage();
                self.outcome = Some(Outcome::TakenOver);
            }
        }
    }

    /// A clause goes to the voice; a fixed text that has been spoken before comes from memory.
    fn speak(&mut self, reply: ReplyId, text: String, offset: usize) {
        self.playout.say(reply, &text);
        if offset == 0 && self.fixed_texts.iter().any(|fixed| fixed.trim() == text.trim()) {
            let key = GreetingKey::new(text.trim(), &self.snapshot.settings, self.format);
            if let Some(greeting) = self.app.greetings.get(&key) {
                self.from_memory = Some(reply);
                for piece in greeting.iter() {
                    self.playout.audio(reply, piece.audio.clone(), &piece.alignment);
                }
                self.playout.complete(reply);
                self.events.push_back(Event::FirstAudio { reply });
                return;
            }
            self.fixed = Some(Fixed { reply, key, pieces: Vec::new() });
        }
        self.meter.voice(&text);
        self.voice.say(reply, text);
    }

    pub(super) fn send(&mut self, message: &ServerMessage) {
        if let Some(line) = &mut self.line {
            line.send(message);
        }
    }

    /// Writes an entry, with what was used since the last one where that belongs.
    pub(super) fn write(&mut self, what: What) {
        let is_reply = matches!(what, What::AgentTurn { .. });
        match &what {
            What::AgentTurn { latency_ms, cut, .. } => {
                self.app.metrics.turn(latency_ms);
                self.app.metrics.interruptions.inc_by(u64::from(*cut));
            }
            What::ProviderError { stage, failure } => {
                self.app.metrics.provider_error(*stage, *failure);
            }
            // Nothing may follow the end.
            What::Ended { .. } => self.write_usage(),
            _ => {}
        }
        self.last_seq = self.spool.append(self.now, what);
        if is_reply {
            self.write_usage();
        }
    }

    fn write_usage(&mut self) {
        if let Some(usage) = self.meter.entry(self.transcriber.sent_ms()) {
            self.last_seq = self.spool.append(self.now, usage);
        }
    }
}
