//! The driver's side: what was asked of the providers, what the client plays, what the caller says.

use std::collections::VecDeque;

use super::oracle::Oracle;
use super::seen::Seen;
use super::{Pick, Step};
use crate::call::EndReason;
use crate::conversation::tests::script::earlier;
use crate::conversation::{Action, Conversation, Event, MarkId, ReplyId, Rules};
use crate::journal::What;
use crate::time::CallMs;

/// How long a word of the caller is, in ms; longer than a revision may move a word's end.
const WORD_MS: u64 = 350;

/// What a voice was given.
struct Job {
    id: ReplyId,
    text: String,
    sent_to: usize,
    is_last: bool,
}

pub(super) struct World {
    conversation: Conversation,
    oracle: Oracle,
    now: u64,
    models: Vec<ReplyId>,
    jobs: Vec<Job>,
    /// Marks behind what the client has not played.
    playing: VecDeque<MarkId>,
    last_mark: u32,
    words: u32,
    tokens: u32,
    /// The caller's words that are not settled: their begin and end.
    unsettled: Option<(Vec<String>, u64, u64)>,
    /// Where the caller's next word may begin.
    next_word: u64,
}

impl World {
    /// A call at its begin, or one that goes on after turn 3.
    pub(super) fn new(rules: Rules, resumed: bool) -> Self {
        let history = earlier(if resumed {
            vec![What::UserTurn {
                turn: 3,
                text: "before".to_owned(),
                started_ms: CallMs(0),
                ended_ms: CallMs(0),
            }]
        } else {
            Vec::new()
        });
        let mut world = Self {
            oracle: Oracle::new(&rules, &history),
            conversation: Conversation::new(rules, &history),
            now: 0,
            models: Vec::new(),
            jobs: Vec::new(),
            playing: VecDeque::new(),
            last_mark: 0,
            words: 0,
            tokens: 0,
            unsettled: None,
            next_word: 0,
        };
        world.hand(&Event::Began);
        world
    }

    pub(super) fn step(&mut self, step: Step) {
        match step {
            Step::Wait(ms) => self.until(self.now + ms),
            Step::Words(_)
            | Step::Settle(_)
            | Step::Endpoint(_)
            | Step::Withdraw
            | Step::Sound
            | Step::UtteranceEnded
            | Step::Typed => self.caller(&step),
            Step::Token(pick, words) => {
                let text: String = (0..words).map(|_| self.next_token()).collect();
                self.model(pick, |reply| Event::Token { reply, text });
            }
            Step::ModelDone(pick) => self.model(pick, |reply| Event::ModelDone { reply }),
            Step::ModelFailed(pick, failure) => {
                self.model(pick, |reply| Event::ModelFailed { reply, failure });
            }
            Step::FirstAudio(_)
            | Step::Sent(..)
            | Step::SentAgain(_)
            | Step::VoiceDone(_)
            | Step::VoiceFailed(..) => self.voice(&step),
            Step::Played(count) => {
                let count = count.min(self.playing.len());
                let last = self.playing.drain(..count).next_back();
                if let Some(mark) = last {
                    self.hand(&Event::Marked(mark));
                }
            }
            Step::StrayMark(mark) if self.playing.contains(&MarkId(mark)) => {}
            Step::StrayMark(mark) => self.hand(&Event::Marked(MarkId(mark))),
            Step::EarlyDeadline => {
                let is_due = self.conversation.deadline().is_none_or(|due| due.0 <= self.now);
                if !is_due {
                    let mut actions = Vec::new();
                    self.conversation.handle(CallMs(self.now), Event::Deadline, &mut actions);
                    assert_eq!(actions, [], "the deadline came early");
                }
            }
            Step::TranscriberFailed(failure) => self.hand(&Event::TranscriberFailed(failure)),
            Step::TranscriberReady => self.hand(&Event::TranscriberReady),
            Step::Dtmf => self.hand(&Event::Dtmf("1".to_owned())),
            Step::Gone => self.hand(&Event::ClientGone),
            Step::HungUp => self.hand(&Event::HungUp),
            Step::EndRequested => self.hand(&Event::EndRequested(EndReason::Api)),
            Step::TakenOver => self.hand(&Event::TakenOver),
            Step::BeganAgain => self.hand(&Event::Began),
        }
    }

    /// From now on nothing happens but deadlines: the conversation must end by itself.
    pub(super) fn finish(mut self) -> Seen {
        self.until(self.oracle.max_ms());
        assert_eq!(self.conversation.deadline(), None, "it has not ended");
        self.hand(&Event::HungUp);
        self.oracle.finish()
    }

    fn until(&mut self, ms: u64) {
        let mut at_once = 0;
        while let Some(due) = self.conversation.deadline().filter(|due| due.0 <= ms) {
            at_once = if due.0 > self.now { 0 } else { at_once + 1 };
            assert!(at_once < 5, "the deadline does not move");
            self.now = self.now.max(due.0);
            self.hand(&Event::Deadline);
        }
        self.now = ms;
    }

    fn caller(&mut self, step: &Step) {
        match step {
            Step::Sound => self.hand(&Event::SpeechStarted),
            Step::UtteranceEnded => self.hand(&Event::UtteranceEnded),
            Step::Typed => {
                let word = self.next_word();
                self.oracle.words_said([word.clone()]);
                self.hand(&Event::Typed(word));
            }
            Step::Withdraw => {
                if let Some((words, from, to)) = self.unsettled.take() {
                    self.oracle.words_withdrawn(&words);
                    self.heard("", true, false, from, to);
                }
            }
            Step::Words(count) => self.say(*count, false, false),
            Step::Settle(count) => self.say(*count, true, false),
            Step::Endpoint(count) => self.say(*count, true, true),
            _ => {}
        }
    }

    fn say(&mut self, count: usize, is_final: bool, speech_final: bool) {
        let begin = self.next_word;
        let (mut words, from, mut to) = self.unsettled.take().unwrap_or((Vec::new(), begin, begin));
        let new: Vec<String> = (0..count).map(|_| self.next_word()).collect();
        self.oracle.words_said(new.clone());
        words.extend(new);
        to += WORD_MS * count as u64;
        self.next_word = to;
        self.heard(&words.join(" "), is_final, speech_final, from, to);
        if !is_final && !words.is_empty() {
            self.unsettled = Some((words, from, to));
        }
    }

    fn heard(&mut self, text: &str, is_final: bool, speech_final: bool, from: u64, to: u64) {
        let text = text.to_owned();
        let (from, to) = (CallMs(from), CallMs(to));
        self.hand(&Event::Heard { text, is_final, speech_final, from, to });
    }

    fn model(&mut self, pick: Pick, event: impl FnOnce(ReplyId) -> Event) {
        if let Some(at) = chosen(pick, self.models.len()) {
            let event = event(self.models[at]);
            self.hand(&event);
        }
    }

    fn voice(&mut self, step: &Step) {
        let (Step::FirstAudio(pick)
        | Step::Sent(pick, ..)
        | Step::SentAgain(pick)
        | Step::VoiceDone(pick)
        | Step::VoiceFailed(pick, _)) = step
        else {
            return;
        };
        let Some(at) = chosen(*pick, self.jobs.len()) else { return };
        let job = &mut self.jobs[at];
        let reply = job.id;
        match step {
            Step::FirstAudio(_) => self.hand(&Event::FirstAudio { reply }),
            Step::Sent(_, share, audio_ms) => {
                job.sent_to += (job.text.len() - job.sent_to) * share / 16;
                let spoken_to = job.sent_to;
                self.last_mark += 1;
                let mark = MarkId(self.last_mark);
                self.playing.push_back(mark);
                self.hand(&Event::Sent { reply, mark, spoken_to, audio_ms: *audio_ms });
            }
            Step::SentAgain(_) => {
                let (mark, spoken_to) = (MarkId(self.last_mark), job.text.len());
                if mark.0 > 0 {
                    self.hand(&Event::Sent { reply, mark, spoken_to, audio_ms: 100 });
                }
            }
            Step::VoiceDone(_) if job.is_last => self.hand(&Event::VoiceDone { reply }),
            Step::VoiceFailed(_, failure) => {
                self.hand(&Event::VoiceFailed { reply, failure: *failure });
            }
            _ => {}
        }
    }

    fn hand(&mut self, event: &Event) {
        let now = CallMs(self.now);
        let mut actions = Vec::new();
        self.conversation.handle(now, event.clone(), &mut actions);
        for action in &actions {
            self.act(action);
        }
        self.oracle.check(now, event, &actions);
    }

    /// Carries an action out.
    fn act(&mut self, action: &Action) {
        match action {
            Action::AskModel { reply, .. } => self.models.push(*reply),
            Action::Speak { reply, text, offset } => {
                if self.jobs.last().is_none_or(|job| job.id != *reply) {
                    let (text, sent_to, is_last) = (String::new(), 0, false);
                    self.jobs.push(Job { id: *reply, text, sent_to, is_last });
                }
                let job = self.jobs.last_mut().unwrap();
                assert_eq!(job.text.len(), *offset, "the voice counts otherwise");
                job.text.push_str(text);
            }
            Action::SpeakEnd { reply } => {
                // A voice that took over when all was said has no job.
                for job in self.jobs.iter_mut().filter(|job| job.id == *reply) {
                    job.is_last = true;
                }
            }
            Action::ClearPlayback => self.playing.clear(),
            _ => {}
        }
    }

    fn next_word(&mut self) -> String {
        self.words += 1;
        format!("w{}", self.words)
    }

    /// Every token is another, every fourth ends a sentence.
    fn next_token(&mut self) -> String {
        self.tokens += 1;
        let stop = if self.tokens.is_multiple_of(4) { "." } else { "" };
        format!("t{}{stop} ", self.tokens)
    }
}

fn chosen(pick: Pick, count: usize) -> Option<usize> {
    match pick {
        Pick::Last => count.checked_sub(1),
        Pick::Any(number) => (number as usize).checked_rem(count),
    }
}
