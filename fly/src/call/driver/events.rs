//! From what happened to the conversation's events.

use std::time::Instant;

use bytes::Bytes;
use nexus_core::audio::detector::{Detection, Detector};
use nexus_core::conversation::Event;
use nexus_core::journal::What;
use nexus_core::wire::ServerMessage;

use super::{Call, NO_FRAMES_AFTER};
use crate::call::greetings::SpokenPiece;
use crate::delivery::Control;
use crate::providers::elevenlabs::VoiceEvent;
use crate::providers::openai::ModelEvent;
use crate::transport::FromClient;

impl Call {
    /// The client is told and the conversation begins.
    pub(super) fn begin(&mut self) {
        let region = self.app.config.region.clone();
        self.write(What::Connected { region });
        self.send(&ServerMessage::Ready { call_id: self.id, audio: self.format });
        self.tell(Event::Began);
        self.pump();
    }

    pub(super) fn controlled(&mut self, control: Control) {
        self.tell(match control {
            Control::End(reason) => Event::EndRequested(reason),
            Control::TakenOver => Event::TakenOver,
        });
    }

    pub(super) fn client_did(&mut self, input: FromClient) {
        self.last_frame = Instant::now();
        match input {
            FromClient::Audio(audio) => self.caller_audio(audio),
            FromClient::Mark(mark) => self.tell(Event::Marked(mark)),
            FromClient::Text(text) => self.tell(Event::Typed(text)),
            FromClient::Dtmf(digits) => self.tell(Event::Dtmf(digits)),
            FromClient::Mute(on) => self.is_muted = on,
            FromClient::End => self.tell(Event::HungUp),
            FromClient::Gone => self.client_gone(),
            FromClient::Ignored(why) => self.app.metrics.ignored(why),
            // The line knows that the call has started: `Start` is a violation by now.
            FromClient::Start(_) => {}
            FromClient::Violation(close_code, code, detail) => {
                self.app.metrics.refused(code);
                if let Some(line) = self.line.take() {
                    // The close handshake must not hold the call up.
                    tokio::spawn(line.refuse(close_code, code, detail));
                }
                self.client_gone();
            }
        }
    }

    fn caller_audio(&mut self, audio: Bytes) {
        self.last_audio = self.last_frame;
        self.bytes_in += audio.len() as u64;
        let now = self.clock.at(self.last_frame);
        if let Some(recorder) = &mut self.recorder {
            recorder.caller(&audio, self.is_muted, now, &self.spool);
        }
        if self.is_muted {
            return;
        }
        if let Some(detector) = &mut self.detector {
            detector.push(&audio, &mut self.detections);
        }
        let is_at_rest = self.detector.as_ref().is_some_and(Detector::is_at_rest);
        if is_at_rest && !self.conversation.is_caller_speaking() {
            self.transcriber.silence(&audio, now);
        } else {
            self.transcriber.audio(audio, now);
        }
        let starts = |detection: &Detection| matches!(detection, Detection::SpeechStarted { .. });
        let has_started = self.detections.iter().any(starts);
        self.detections.clear();
        if has_started {
            self.app.metrics.speech_starts_local.inc();
            self.tell(Event::SpeechStarted);
        }
    }

    pub(super) fn transcriber_said(&mut self, event: Event) {
        if event == Event::SpeechStarted {
            self.app.metrics.speech_starts_provider.inc();
        }
        self.tell(event);
    }

    fn client_gone(&mut self) {
        self.count_bytes();
        self.line = None;
        self.tell(Event::ClientGone);
        self.model = None;
        self.transcriber.hang_up();
        self.voice.hang_up();
        self.stop_recording();
    }

    /// Ends the recording of this connection; what follows, if anything, is another epoch's.
    pub(super) fn stop_recording(&mut self) {
        if let Some(mut recorder) = self.recorder.take() {
            recorder.finish(&self.spool);
        }
    }

    pub(super) fn voice_said(&mut self, event: VoiceEvent) {
        match event {
            VoiceEvent::Audio { reply, audio, alignment } => {
                let is_first = self.playout.audio(reply, audio.clone(), &alignment);
                if let Some(fixed) = self.fixed.as_mut().filter(|fixed| fixed.reply == reply) {
                    fixed.pieces.push(SpokenPiece { audio, alignment });
                }
                if is_first {
                    self.tell(Event::FirstAudio { reply });
                }
            }
            VoiceEvent::Done { reply } => {
                self.playout.complete(reply);
                if let Some(fixed) = self.fixed.take_if(|fixed| fixed.reply == reply) {
                    self.app.greetings.keep(fixed.key, fixed.pieces);
                }
            }
            VoiceEvent::Failed { reply, failure } => {
                self.fixed = None;
                self.tell(Event::VoiceFailed { reply, failure });
            }
        }
    }

    pub(super) fn model_said(&mut self, event: ModelEvent) {
        let Some(reply) = self.model.as_ref().map(|model| model.reply) else { return };
        match event {
            ModelEvent::Token(text) => self.tell(Event::Token { reply, text }),
            ModelEvent::Used(usage) => self.meter.model(usage),
            ModelEvent::Done => {
                self.model = None;
                self.tell(Event::ModelDone { reply });
            }
            ModelEvent::Failed(failure) => {
                self.model = None;
                self.tell(Event::ModelFailed { reply, failure });
            }
        }
    }

    /// A deadline, or a look at what nobody else looks after.
    pub(super) fn tick(&mut self) {
        let now = Instant::now();
        let call_now = self.clock.at(now);
        if self.conversation.deadline().is_some_and(|deadline| deadline <= call_now) {
            self.tell(Event::Deadline);
        }
        if now.duration_since(self.last_audio) > NO_FRAMES_AFTER
            && let Some(recorder) = &mut self.recorder
        {
            recorder.tick(call_now, &self.spool);
        }
        self.transcriber.keep_alive(now, call_now);
        self.voice.keep_alive(now);
        self.count_bytes();
        let silent_for = now.duration_since(self.last_frame);
        if self.line.as_mut().is_some_and(|line| !line.check(silent_for)) {
            self.client_gone();
        }
    }

    /// Sends the client what it may have by now.
    pub(super) fn pump(&mut self) {
        if self.line.is_none() || self.outcome.is_some() {
            return;
        }
        let now = self.clock.now();
        while let Some(piece) = self.playout.next_piece(now) {
            if let Some(line) = &mut self.line {
                line.play(piece.audio.clone(), piece.mark);
            }
            if let Some(recorder) = &mut self.recorder {
                recorder.sent(piece.audio);
            }
            self.tell(Event::Sent {
                reply: piece.reply,
                mark: piece.mark,
                spoken_to: piece.spoken_to,
                audio_ms: piece.audio_ms,
            });
        }
        if let Some(reply) = self.playout.finished() {
            self.tell(Event::VoiceDone { reply });
        }
    }

    /// Adds what went over the line since the last time to the metrics.
    pub(super) fn count_bytes(&mut self) {
        self.app.metrics.bytes_in.inc_by(std::mem::take(&mut self.bytes_in));
        if let Some(line) = &self.line {
            // Audio taken back from the queue lets the sum fall for a moment.
            let sent = line.sent_bytes().max(self.bytes_out);
            self.app.metrics.bytes_out.inc_by(sent - self.bytes_out);
            self.bytes_out = sent;
        }
    }
}
