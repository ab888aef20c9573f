use crate::support::{Client, Got, fast, start};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nexus_core::audio::{g711, pcm};
use nexus_stand_ins::faults::Service;
use nexus_stand_ins::server::StandIns;
use nexus_stand_ins::words::{hear, text_of};
use serde_json::Value;

const KEY: (&str, &str) = ("xi-api-key", "key");
const QUERY: &str = "model_id=eleven_flash_v2_5&output_format=pcm_16000";

fn url(stand_ins: &StandIns, query: &str) -> String {
    let address = stand_ins.address();
    format!("ws://{address}/v1/text-to-speech/21m00Tcm4TlvDq8ikWAM/multi-stream-input?{query}")
}

async fn open(stand_ins: &StandIns, query: &str) -> Client {
    Client::open(&url(stand_ins, query), &[KEY]).await.unwrap()
}

/// The messages of one context until its end.
async fn until_end(client: &mut Client, context: &str) -> Vec<Value> {
    let mut messages = Vec::new();
    loop {
        let message = client.json().await;
        if message["contextId"] == context {
            if message["isFinal"] == true {
                return messages;
            }
            messages.push(message);
        }
    }
}

fn audio(messages: &[Value]) -> Vec<u8> {
    messages.iter().flat_map(|m| STANDARD.decode(m["audio"].as_str().unwrap()).unwrap()).collect()
}

fn words(samples: &[i16], rate: u32) -> String {
    text_of(&hear(samples, rate).unwrap())
}

#[tokio::test]
async fn a_context_is_spoken_with_alignment_on_its_first_audio() {
    let stand_ins = start(fast()).await;
    let mut client = open(&stand_ins, QUERY).await;
    client.text(r#"{"text":" ","context_id":"c1","voice_settings":{"stability":0.5}}"#).await;
    client.text(r#"{"text":"I heard: yes. ","context_id":"c1","flush":true}"#).await;
    client.text(r#"{"text":"What else? ","context_id":"c1","flush":true}"#).await;
    client.text(r#"{"context_id":"c1","close_context":true}"#).await;
    let messages = until_end(&mut client, "c1").await;
    let samples: Vec<i16> = pcm::samples(&audio(&messages)).collect();
    assert_eq!(words(&samples, 16_000), "I heard: yes. What else?");
    let aligned: Vec<&Value> =
        messages.iter().map(|m| &m["alignment"]).filter(|a| !a.is_null()).collect();
    assert_eq!(aligned.len(), 2, "one alignment for each clause");
    let chars: String =
        aligned[0]["chars"].as_array().unwrap().iter().map(|c| c.as_str().unwrap()).collect();
    assert_eq!(chars, "I heard: yes. ");
    let list = |name: &str| -> Vec<u64> {
        aligned[0][name].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect()
    };
    let (starts, durations) = (list("charStartTimesMs"), list("charDurationsMs"));
    assert_eq!((starts.len(), durations.len()), (14, 14));
    // The second clause's audio begins where the first one's alignment ends.
    let first_ms = starts[13] + durations[13];
    let second = words(&samples[first_ms as usize * 16..], 16_000);
    assert_eq!(second, "What else?");
    assert_eq!(messages[0]["normalizedAlignment"]["chars"][0], " ");
}

#[tokio::test]
async fn telephone_audio_comes_as_mulaw() {
    let stand_ins = start(fast()).await;
    let mut client = open(&stand_ins, "output_format=ulaw_8000&auto_mode=true").await;
    client.text(r#"{"text":"Over the phone. ","context_id":"p"}"#).await;
    client.text(r#"{"context_id":"p","close_context":true}"#).await;
    let codes = audio(&until_end(&mut client, "p").await);
    let mut samples = Vec::new();
    g711::decode_onto(&codes, &mut samples);
    assert_eq!(words(&samples, 8_000), "Over the phone.");
}

#[tokio::test]
async fn synchronous_alignment_counts_from_each_piece() {
    let stand_ins = start(fast()).await;
    let query = format!("{QUERY}&auto_mode=true&sync_alignment=true");
    let mut client = open(&stand_ins, &query).await;
    client.text(r#"{"text":"several pieces of audio ","context_id":"s"}"#).await;
    client.text(r#"{"context_id":"s","close_context":true}"#).await;
    let mut text = String::new();
    for message in until_end(&mut client, "s").await {
        let length_ms = STANDARD.decode(message["audio"].as_str().unwrap()).unwrap().len() / 32;
        let Some(chars) = message["alignment"]["chars"].as_array() else { continue };
        text.extend(chars.iter().map(|c| c.as_str().unwrap()));
        let starts = message["alignment"]["charStartTimesMs"].as_array().unwrap();
        assert!(starts.iter().all(|s| s.as_u64().unwrap() < length_ms as u64), "{message}");
    }
    assert_eq!(text, "several pieces of audio ");
}

#[tokio::test]
async fn contexts_speak_side_by_side_and_a_closed_one_finishes_its_flush() {
    let mut options = fast();
    options.pace.speech_speed = 4.0;
    let stand_ins = start(options).await;
    let mut client = open(&stand_ins, QUERY).await;
    client.text(r#"{"text":"one long first answer ","context_id":"a","flush":true}"#).await;
    assert_eq!(client.json().await["contextId"], "a");
    client.text(r#"{"context_id":"a","close_context":true}"#).await;
    client.text(r#"{"text":"two ","context_id":"b","flush":true}"#).await;
    client.text(r#"{"context_id":"b","close_context":true}"#).await;
    let mut ended = Vec::new();
    while ended.len() < 2 {
        let message = client.json().await;
        if message["isFinal"] == true {
            ended.push(message["contextId"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(ended, ["b", "a"]);
    let counters = stand_ins.switchboard().counters();
    assert_eq!(counters[&Service::Tts].contexts_closed_early, 2);
    assert_eq!(counters[&Service::Tts].characters_spoken, 26);
}

#[tokio::test]
async fn a_sixth_context_ends_the_socket() {
    let stand_ins = start(fast()).await;
    let mut client = open(&stand_ins, QUERY).await;
    for n in 0..6 {
        client.text(&format!(r#"{{"text":" ","context_id":"c{n}"}}"#)).await;
    }
    let error = client.json().await;
    assert_eq!(
        (&error["error"], &error["code"]),
        (&"max_active_conversations".into(), &1008.into())
    );
    assert_eq!(client.closed().await.0, 1008);
}

#[tokio::test]
async fn late_settings_and_broken_messages_end_the_socket() {
    let stand_ins = start(fast()).await;
    let late = r#"{"text":" ","context_id":"c","voice_settings":{"stability":0.5}}"#;
    for (messages, error) in [
        (&[r#"{"text":"","context_id":"c"}"#, late][..], "policy_violation"),
        (&["hello"][..], "invalid_message"),
        (&[r#"{"text":"a ","contxt_id":"c"}"#][..], "invalid_message"),
    ] {
        let mut client = open(&stand_ins, QUERY).await;
        for message in messages {
            client.text(message).await;
        }
        assert_eq!(client.json().await["error"], error);
        assert_eq!(client.closed().await.0, 1008);
    }
}

#[tokio::test]
async fn silence_beyond_the_limit_ends_the_socket() {
    let stand_ins = start(fast()).await;
    let mut client = open(&stand_ins, &format!("{QUERY}&inactivity_timeout=1")).await;
    client.text(r#"{"text":""}"#).await;
    let error = client.json().await;
    assert_eq!((&error["error"], &error["code"]), (&"input_timeout_exceeded".into(), &1008.into()));
    assert_eq!(client.closed().await.0, 1008);
}

#[tokio::test]
async fn close_socket_says_everything_first() {
    let stand_ins = start(fast()).await;
    let mut client = open(&stand_ins, QUERY).await;
    client.text(r#"{"text":"Good bye. ","context_id":"c"}"#).await;
    client.text(r#"{"close_socket":true}"#).await;
    let messages = until_end(&mut client, "c").await;
    let samples: Vec<i16> = pcm::samples(&audio(&messages)).collect();
    assert_eq!(words(&samples, 16_000), "Good bye.");
    assert_eq!(client.got().await, Got::Closed(1000, String::new()));
}

#[tokio::test]
async fn keys_and_queries_are_checked_before_the_upgrade() {
    let stand_ins = start(fast()).await;
    let cases = [
        (QUERY, &[][..], 401, "invalid_api_key"),
        ("output_format=mp3_44100_128", &[KEY][..], 400, "unsupported_output_format"),
        ("model_id=eleven_v3&output_format=pcm_16000", &[KEY][..], 400, "unsupported_model"),
    ];
    for (query, headers, status, code) in cases {
        let Err(refused) = Client::open(&url(&stand_ins, query), headers).await else {
            panic!("{query} was taken");
        };
        assert_eq!((refused.status, &refused.body["detail"]["status"]), (status, &code.into()));
    }
    let by_query = format!("{QUERY}&authorization=key");
    assert!(Client::open(&url(&stand_ins, &by_query), &[]).await.is_ok());
}
