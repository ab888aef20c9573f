//! What the voice says, over the wire.

use nexus_core::audio::{pcm, wav};
use serde_json::{Value, json};

use crate::recognition::{WIDE, encoded};
use crate::server::{Server, block_on};
use crate::texts::errors;
use crate::wire::{Frame, Socket, audio_of};

/// A text spoken, as samples and their rate.
pub(crate) async fn spoken(address: &str, text: &str, speed: f64) -> (Vec<i16>, u32) {
    let body = json!({"input": text, "response_format": "wav", "speed": speed, "voice": "any"});
    let client = reqwest::Client::new();
    let answer = client.post(format!("http://{address}/v1/audio/speech")).json(&body);
    let answer = answer.send().await.unwrap().error_for_status().unwrap();
    let bytes = answer.bytes().await.unwrap();
    let audio = wav::parse(&bytes).unwrap();
    (pcm::samples(audio.data).collect(), audio.format.sample_rate)
}

/// Hears 16 kHz samples through the OpenAI endpoint.
async fn heard(address: &str, samples: &[u8]) -> String {
    let format =
        wav::WavFormat { encoding: wav::WavEncoding::Pcm16, sample_rate: 16_000, channels: 1 };
    let mut body =
        b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n"
            .to_vec();
    body.extend(wav::header(format, samples.len() as u64));
    body.extend(samples);
    body.extend(
        b"\r\n--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nany\r\n--b--\r\n",
    );
    let client = reqwest::Client::new();
    let answer = client
        .post(format!("http://{address}/v1/audio/transcriptions"))
        .header("content-type", "multipart/form-data; boundary=b")
        .body(body);
    let answer = answer.send().await.unwrap().error_for_status().unwrap();
    let answer: Value = answer.json().await.unwrap();
    answer["text"].as_str().unwrap().to_owned()
}

pub(crate) fn speech_is_audible_and_aligned() {
    const CLAUSES: [&str; 2] = ["Hello, this is the demo agent. ", "How can I help you today? "];
    let address = Server::shared();
    block_on(async {
        let mut socket = Socket::speak(&address, "output_format=pcm_16000&language_code=en").await;
        socket.say(r#"{"text":" ","context_id":"7","voice_settings":{"speed":1.0}}"#).await;
        for clause in CLAUSES {
            let clause = json!({"text": clause, "context_id": "7", "flush": true});
            socket.say(&clause.to_string()).await;
        }
        socket.say(r#"{"text":""}"#).await;
        socket.say(r#"{"context_id":"7","close_context":true}"#).await;
        let (mut audio, mut text, mut said_ms) = (Vec::new(), String::new(), Vec::new());
        loop {
            let message = socket.text().await;
            assert_eq!(message["contextId"], "7");
            if message["isFinal"] == true {
                break;
            }
            let before_ms = audio.len() as u64 / 32;
            audio.extend(audio_of(&message));
            let alignment = &message["alignment"];
            for (ch, start) in alignment["chars"]
                .as_array()
                .into_iter()
                .flatten()
                .zip(alignment["charStartTimesMs"].as_array().into_iter().flatten())
            {
                text.push_str(ch.as_str().unwrap());
                said_ms.push(before_ms + start.as_u64().unwrap());
            }
        }
        assert_eq!(text, CLAUSES.concat());
        assert!(said_ms.is_sorted(), "{said_ms:?}");
        let (wrong, _) = errors(&text, &heard(&address, &audio).await);
        assert!(wrong <= 1, "{}", heard(&address, &audio).await);
        // What is cut where the alignment says that a word ends holds that word, and hardly more.
        let at = text.find(" How").unwrap();
        let cut = (said_ms[at] * 32) as usize;
        let (wrong, _) = errors(CLAUSES[0], &heard(&address, &audio[..cut]).await);
        assert!(wrong <= 1);
    });
}

pub(crate) fn a_context_closed_midway_ends() {
    let address = Server::shared();
    block_on(async {
        let mut socket = Socket::speak(&address, "output_format=ulaw_8000").await;
        let long = "This is one of many sentences that nobody wants to hear. ".repeat(40);
        let clause = json!({"text": long, "context_id": "1", "flush": true});
        socket.say(&clause.to_string()).await;
        assert!(!audio_of(&socket.text().await).is_empty());
        socket.say(r#"{"context_id":"1","close_context":true}"#).await;
        socket.say(r#"{"text":"Yes? ","context_id":"2","flush":true}"#).await;
        socket.say(r#"{"context_id":"2","close_context":true}"#).await;
        // The new context need not wait until all of the old one has been spoken.
        let (mut new, mut ended) = (None, Vec::new());
        let mut count = 0;
        while ended.len() < 2 {
            let message = socket.text().await;
            count += 1;
            if message["contextId"] == "2" && new.is_none() {
                new = Some(count);
            }
            if message["isFinal"] == true {
                ended.push(message["contextId"].as_str().unwrap().to_owned());
            }
        }
        assert!(ended.contains(&"1".to_owned()) && ended.contains(&"2".to_owned()));
        let new = new.unwrap();
        assert!(new < count / 2, "message {new} of {count}");
        socket.say(r#"{"close_socket":true}"#).await;
        assert!(matches!(socket.next().await, Frame::Closed(1000, _)));
    });
}

pub(crate) fn the_openai_endpoints() {
    let address = Server::shared();
    block_on(async {
        let said = "Dr. Smith sees you on Monday. Please bring your papers, all of them.";
        let (samples, rate) = spoken(&address, said, 1.1).await;
        assert_eq!(rate, 24_000);
        let text = heard(&address, &encoded(&samples, rate, WIDE)).await;
        let (wrong, words) = errors(&said.replace("Dr.", "doctor"), &text.replace("Dr.", "doctor"));
        assert!(wrong * 10 <= words, "{text}");
        let client = reqwest::Client::new();
        for body in [
            json!({"input": "x".repeat(5_000)}),
            json!({"input": "x", "response_format": "mp3"}),
            json!({"input": "x", "speed": 9}),
            json!({"text": "x"}),
        ] {
            let request = client.post(format!("http://{address}/v1/audio/speech")).json(&body);
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 400);
            let answer: Value = answer.json().await.unwrap();
            assert_eq!(answer["error"]["type"], "invalid_request_error");
        }
    });
}
