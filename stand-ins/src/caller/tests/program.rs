//! Whole calls from the command line's plan, with an agent that says back what it heard.

use super::*;
use crate::caller::{CallPlan, run};
use crate::words::{Heard, Hearing};
use nexus_core::audio::wav;

/// An agent that greets, says every utterance back, and stops when it is spoken to.
struct Agent {
    server: Server,
    hearing: Hearing,
    utterance: Vec<Heard>,
    turn: u32,
    /// The mark that ends the running reply.
    speaking: bool,
}

impl Agent {
    async fn greet(listener: &TcpListener) -> Self {
        let server = accept(listener).await;
        let hearing = Hearing::new(16_000).unwrap();
        let mut agent = Self { server, hearing, utterance: Vec::new(), turn: 0, speaking: false };
        agent.speak("Welcome. ").await;
        agent
    }

    async fn state(&mut self, state: &str) {
        say(&mut self.server, json!({"type": "state", "state": state})).await;
    }

    async fn speak(&mut self, text: &str) {
        self.speaking = true;
        self.state("speaking").await;
        play(&mut self.server, text).await;
        say(&mut self.server, json!({"type": "audio_mark", "name": "end"})).await;
    }

    async fn reply_over(&mut self, cut: bool) {
        self.speaking = false;
        let turn = self.turn;
        say(
            &mut self.server,
            json!({"type": "turn", "turn": turn, "heard": "", "cut": cut, "latency_ms": {}}),
        )
        .await;
        self.state("listening").await;
    }

    async fn hear(&mut self, bytes: &[u8]) {
        let before = self.utterance.len();
        let samples: Vec<i16> = pcm::samples(bytes).collect();
        self.hearing.push(&samples, &mut self.utterance);
        let began = |heard: &Heard| matches!(heard, Heard::SpeechStart { .. });
        if self.speaking && self.utterance.iter().skip(before).any(began) {
            say(&mut self.server, json!({"type": "clear"})).await;
            self.reply_over(true).await;
        }
        let text = text_of(&self.utterance);
        if !text.is_empty() && self.hearing.silence_ms() >= 600 {
            self.utterance.clear();
            self.turn += 1;
            let turn = self.turn;
            say(
                &mut self.server,
                json!({"type": "user_text", "turn": turn, "text": text, "final": true}),
            )
            .await;
            self.state("thinking").await;
            self.speak(&format!("You said {text} and that is all. ")).await;
        }
    }

    /// Talks until the caller hangs up; returns how many turns there were.
    async fn talk(mut self) -> u32 {
        while let Some(Ok(message)) = self.server.next().await {
            match message {
                Message::Binary(bytes) => self.hear(&bytes).await,
                Message::Text(text) => {
                    let text: Value = serde_json::from_str(&text).unwrap();
                    if text["type"] == "mark" {
                        self.reply_over(false).await;
                    } else if text["type"] == "end" {
                        let ended = json!({"type": "ended", "reason": "caller_hangup"});
                        say(&mut self.server, ended).await;
                        self.server.close(None).await.unwrap();
                    }
                }
                _ => {}
            }
        }
        self.turn
    }
}

async fn place(flags: &[&str]) -> (Vec<Value>, u32) {
    let (listener, options) = bind().await;
    let agent = tokio::spawn(async move { Agent::greet(&listener).await.talk().await });
    let mut args = vec!["--url", &options.url, "--ticket", &options.ticket];
    args.extend(flags);
    let plan = CallPlan::parse(args.into_iter().map(str::to_owned)).unwrap();
    let mut lines = Vec::new();
    run(plan, |line| lines.push(line.clone())).await.unwrap();
    (lines, agent.await.unwrap())
}

#[tokio::test]
async fn a_call_is_told_line_by_line_and_its_audio_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (said, out) = (folder.path().join("said.wav"), folder.path().join("agent.wav"));
    let format =
        wav::WavFormat { encoding: wav::WavEncoding::Pcm16, sample_rate: 24_000, channels: 1 };
    let samples = speak("two", 24_000).samples;
    let mut file = wav::header(format, samples.len() as u64 * 2);
    pcm::encode_onto(&samples, &mut file);
    std::fs::write(&said, file).unwrap();
    let flags = ["--say", "one", "--wav", said.to_str().unwrap(), "--out", out.to_str().unwrap()];
    let (lines, turns) = place(&flags).await;
    assert_eq!(turns, 2);
    assert_eq!(lines[0]["frame"]["type"], "ready");
    assert!(lines.iter().all(|line| line["at_ms"].is_u64() || line["summary"].is_object()));
    let summary = &lines.last().unwrap()["summary"];
    assert_eq!(summary["user"], json!(["one", "two"]));
    assert_eq!(summary["ended"], "caller_hangup");
    let words = "Welcome. You said one and that is all. You said two and that is all.";
    assert_eq!(summary["agent_words"], words);
    assert_eq!(summary["marks_answered"], 3);
    let file = std::fs::read(&out).unwrap();
    let samples: Vec<i16> = pcm::samples(wav::parse(&file).unwrap().data).collect();
    assert_eq!(text_of(&hear(&samples, 16_000).unwrap()), words);
}

#[tokio::test]
async fn an_interruption_cuts_the_reply_and_gets_its_own() {
    let (lines, turns) =
        place(&["--say", "one", "--say", "two", "--interrupt-after-ms", "500"]).await;
    assert_eq!(turns, 2);
    let summary = &lines.last().unwrap()["summary"];
    let cuts: Vec<&Value> =
        summary["turns"].as_array().unwrap().iter().map(|turn| &turn["cut"]).collect();
    assert_eq!(cuts, [false, true, false]);
    let words = summary["agent_words"].as_str().unwrap();
    assert!(words.starts_with("Welcome. You "), "{words}");
    assert!(words.ends_with(" You said two and that is all."), "{words}");
    assert!(!words.contains("one and that is all"), "{words}");
}
