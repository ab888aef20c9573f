use crate::support::{Client, Got, Refused, fast, start};
use nexus_core::audio::{g711, pcm};
use nexus_core::cell::Cell;
use nexus_stand_ins::options::Options;
use nexus_stand_ins::server::StandIns;
use nexus_stand_ins::words::speak;
use serde_json::Value;

const QUERY: &str = "model=nova-3&language=en&encoding=linear16&sample_rate=16000\
                     &interim_results=true&endpointing=300&punctuate=true&vad_events=true";
const KEY: (&str, &str) = ("authorization", "Token key");

fn url(stand_ins: &StandIns, query: &str) -> String {
    format!("ws://{}/v1/listen?{query}", stand_ins.address())
}

async fn refused(stand_ins: &StandIns, query: &str, headers: &[(&str, &str)]) -> Refused {
    match Client::open(&url(stand_ins, query), headers).await {
        Err(refused) => refused,
        Ok(_) => panic!("{query} was taken"),
    }
}

/// Sends words and then silence, in frames of 20 ms, as fast as it goes.
async fn say(client: &mut Client, text: &str, silence_ms: usize) {
    let mut samples = speak(text, 16_000).samples;
    samples.resize(samples.len() + 16 * silence_ms, 0);
    for frame in samples.chunks(320) {
        let mut bytes = Vec::new();
        pcm::encode_onto(frame, &mut bytes);
        client.binary(bytes).await;
    }
}

fn transcript(message: &Value) -> &str {
    message.pointer("/channel/alternatives/0/transcript").and_then(Value::as_str).unwrap()
}

#[tokio::test]
async fn an_utterance_goes_from_speech_started_to_speech_final() {
    let stand_ins = start(fast()).await;
    let mut client = Client::open(&url(&stand_ins, QUERY), &[KEY]).await.unwrap();
    assert_eq!(client.headers["dg-request-id"].len(), 36);
    say(&mut client, "Is it you?", 500).await;
    let mut seen = Vec::new();
    loop {
        let message = client.json().await;
        if message["type"] == "SpeechStarted" {
            seen.push("started".to_owned());
            continue;
        }
        let last = message["speech_final"] == true;
        seen.push(format!("{}{}", transcript(&message), if last { " (final)" } else { "" }));
        if last {
            break;
        }
    }
    assert_eq!(seen, ["started", "Is", "Is it", "Is it you?", "Is it you? (final)"]);
    client.text(r#"{"type":"CloseStream"}"#).await;
    let metadata = client.json().await;
    assert_eq!(metadata["type"], "Metadata");
    assert_eq!(metadata["request_id"], client.headers["dg-request-id"].to_str().unwrap());
    assert_eq!(client.got().await, Got::Closed(1000, String::new()));
}

#[tokio::test]
async fn mulaw_needs_no_transcoding() {
    let stand_ins = start(fast()).await;
    let query = "model=nova-3&encoding=mulaw&sample_rate=8000&endpointing=300&punctuate=true";
    let mut client = Client::open(&url(&stand_ins, query), &[KEY]).await.unwrap();
    let mut codes = Vec::new();
    g711::encode_onto(&speak("On the phone.", 8_000).samples, &mut codes);
    codes.resize(codes.len() + 4_000, g711::SILENCE);
    client.binary(codes).await;
    assert_eq!(transcript(&client.json().await), "On the phone.");
}

#[tokio::test]
async fn finalize_gives_what_is_buffered() {
    let stand_ins = start(fast()).await;
    let query = QUERY.replace("endpointing=300", "endpointing=5000");
    let mut client = Client::open(&url(&stand_ins, &query), &[KEY]).await.unwrap();
    say(&mut client, "Not yet over", 100).await;
    client.text(r#"{"type":"Finalize"}"#).await;
    let finalized = loop {
        let message = client.json().await;
        if message["from_finalize"] == true {
            break message;
        }
    };
    assert_eq!(transcript(&finalized), "Not yet over");
    assert_eq!(finalized["is_final"], true);
}

#[tokio::test]
async fn an_empty_binary_frame_ends_the_stream() {
    let stand_ins = start(fast()).await;
    let mut client = Client::open(&url(&stand_ins, QUERY), &[KEY]).await.unwrap();
    client.binary(Vec::new()).await;
    assert_eq!(client.json().await["type"], "Metadata");
    assert_eq!(client.got().await, Got::Closed(1000, String::new()));
}

#[tokio::test]
async fn control_messages_in_the_wrong_place_close_the_stream() {
    let stand_ins = start(fast()).await;
    let mut client = Client::open(&url(&stand_ins, QUERY), &[KEY]).await.unwrap();
    client.binary(br#"{"type":"KeepAlive"}"#.to_vec()).await;
    let (code, reason) = client.closed().await;
    assert!(code == 1008 && reason.starts_with("DATA-0000"), "{code} {reason}");

    let mut client = Client::open(&url(&stand_ins, QUERY), &[KEY]).await.unwrap();
    client.text(r#"{"type":"Flush"}"#).await;
    let error = client.json().await;
    assert_eq!((&error["type"], &error["variant"]), (&"Error".into(), &"SchemaError".into()));
    assert_eq!(client.closed().await.0, 1008);
}

#[tokio::test]
async fn ten_seconds_of_nothing_close_the_stream_and_keep_alive_prevents_it() {
    let stand_ins = start(fast()).await;
    let mut silent = Client::open(&url(&stand_ins, QUERY), &[KEY]).await.unwrap();
    let mut alive = Client::open(&url(&stand_ins, QUERY), &[KEY]).await.unwrap();
    alive.text(r#"{"type":"KeepAlive"}"#).await;
    let begin = std::time::Instant::now();
    let keep = async {
        let mut clock = tokio::time::interval(std::time::Duration::from_secs(3));
        loop {
            clock.tick().await;
            alive.text(r#"{"type":"KeepAlive"}"#).await;
        }
    };
    let (code, reason) = tokio::select! {
        closed = silent.closed() => closed,
        () = keep => unreachable!("it never ends"),
    };
    assert!(code == 1011 && reason.starts_with("NET-0001"), "{code} {reason}");
    assert!(begin.elapsed().as_secs_f64() > 9.5, "{:?}", begin.elapsed());
    alive.text(r#"{"type":"CloseStream"}"#).await;
    assert_eq!(alive.closed().await.0, 1000);
}

#[tokio::test]
async fn keys_and_queries_are_checked_before_the_upgrade() {
    let stand_ins = start(fast()).await;
    for headers in [&[][..], &[("authorization", "Bearer key")], &[("authorization", "key")]] {
        let refused = refused(&stand_ins, QUERY, headers).await;
        assert_eq!((refused.status, &refused.body["err_code"]), (401, &"INVALID_AUTH".into()));
        assert_eq!(refused.headers["dg-error"], "Invalid credentials.");
        assert_eq!(refused.body["request_id"], refused.headers["dg-request-id"].to_str().unwrap());
    }
    let refused = refused(&stand_ins, &format!("{QUERY}&endpoint=3"), &[KEY]).await;
    assert_eq!(refused.status, 400);
    assert!(refused.body["err_msg"].as_str().unwrap().contains("endpoint"), "{refused:?}");
    assert_eq!(
        stand_ins.switchboard().counters()[&nexus_stand_ins::faults::Service::Stt].refused,
        4
    );
}

#[tokio::test]
async fn browsers_bring_the_key_as_a_subprotocol() {
    let stand_ins = start(fast()).await;
    let headers = [("sec-websocket-protocol", "token, key")];
    let client = Client::open(&url(&stand_ins, QUERY), &headers).await.unwrap();
    assert_eq!(client.headers["sec-websocket-protocol"], "token");
}

#[tokio::test]
async fn the_eu_cell_takes_only_audio_that_is_not_kept() {
    let stand_ins = start(Options { cell: Cell::Eu, ..fast() }).await;
    assert_eq!(refused(&stand_ins, QUERY, &[KEY]).await.status, 400);
    let query = format!("{QUERY}&mip_opt_out=true");
    assert!(Client::open(&url(&stand_ins, &query), &[KEY]).await.is_ok());
}
