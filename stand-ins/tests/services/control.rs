use crate::support::{Client, Got, fast, start};
use nexus_core::audio::pcm;
use nexus_stand_ins::options::Options;
use nexus_stand_ins::server::StandIns;
use nexus_stand_ins::words::speak;
use serde_json::{Value, json};

const LISTEN: &str = "v1/listen?model=nova-3&encoding=linear16&sample_rate=8000&endpointing=300";
const SPEAK: &str = "v1/text-to-speech/v/multi-stream-input?output_format=pcm_8000&auto_mode=true";
const STT_KEY: (&str, &str) = ("authorization", "Token key");
const TTS_KEY: (&str, &str) = ("xi-api-key", "key");

async fn control(stand_ins: &StandIns, body: Value) -> (u16, Value) {
    let url = format!("http://{}/control", stand_ins.address());
    let client = reqwest::Client::new();
    let request = client.post(url).header("content-type", "application/json");
    let response = request.body(body.to_string()).send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
}

async fn open(stand_ins: &StandIns, path: &str, key: (&str, &str)) -> Client {
    Client::open(&format!("ws://{}/{path}", stand_ins.address()), &[key]).await.unwrap()
}

fn audio(text: &str) -> Vec<u8> {
    let mut samples = speak(text, 8_000).samples;
    samples.resize(samples.len() + 4_000, 0);
    let mut bytes = Vec::new();
    pcm::encode_onto(&samples, &mut bytes);
    bytes
}

#[tokio::test]
async fn sockets_are_cut_without_a_close_frame() {
    let stand_ins = start(fast()).await;
    let mut stt = open(&stand_ins, LISTEN, STT_KEY).await;
    let mut tts = open(&stand_ins, SPEAK, TTS_KEY).await;
    let (status, counters) = control(&stand_ins, json!({"stt": {"drop": true}})).await;
    assert_eq!((status, &counters["stt"]["connections"]), (200, &json!(1)));
    assert_eq!(stt.got().await, Got::Cut);
    tts.text(r#"{"text":"still here ","context_id":"c"}"#).await;
    assert_eq!(tts.json().await["contextId"], "c");
    // Once: the next connection lives.
    let mut again = open(&stand_ins, LISTEN, STT_KEY).await;
    again.text(r#"{"type":"CloseStream"}"#).await;
    assert_eq!(again.json().await["type"], "Metadata");
}

#[tokio::test]
async fn stopping_cuts_what_is_open_and_frees_the_port() {
    let stand_ins = start(fast()).await;
    let port = stand_ins.address().port();
    let mut stt = open(&stand_ins, LISTEN, STT_KEY).await;
    drop(stand_ins);
    assert_eq!(stt.got().await, Got::Cut);
    let again = start(Options { port, ..fast() }).await;
    assert_eq!(again.address().port(), port);
}

#[tokio::test]
async fn connections_are_refused_as_often_as_asked() {
    let stand_ins = start(fast()).await;
    let refuse = json!({"stt": {"refuse": {"status": 429, "count": 2}}, "tts": {"refuse": 401}});
    control(&stand_ins, refuse).await;
    for (path, key, statuses) in [
        (LISTEN, STT_KEY, &[Some(429), Some(429), None][..]),
        (SPEAK, TTS_KEY, &[Some(401), None][..]),
    ] {
        for expected in statuses {
            let url = format!("ws://{}/{path}", stand_ins.address());
            let status = Client::open(&url, &[key]).await.err().map(|refused| refused.status);
            assert_eq!(status, *expected, "{path}");
        }
    }
}

#[tokio::test]
async fn unknown_switches_are_refused_by_name() {
    let stand_ins = start(fast()).await;
    let (status, answer) = control(&stand_ins, json!({"stt": {"dealy_ms": 1}})).await;
    assert!((400..500).contains(&status), "{status}");
    assert!(answer["error"].as_str().unwrap().contains("dealy_ms"), "{answer}");
}

#[tokio::test]
async fn a_stalled_voice_says_nothing_until_it_is_freed() {
    let stand_ins = start(fast()).await;
    control(&stand_ins, json!({"tts": {"stall": true}})).await;
    let mut tts = open(&stand_ins, SPEAK, TTS_KEY).await;
    tts.text(r#"{"text":"lost ","context_id":"a"}"#).await;
    tts.text(r#"{"context_id":"a","close_context":true}"#).await;
    // The end of the context without any audio shows that the text was taken and not spoken.
    assert_eq!(tts.json().await["isFinal"], true);
    control(&stand_ins, json!({"tts": {"stall": false}})).await;
    tts.text(r#"{"text":"spoken ","context_id":"b"}"#).await;
    assert!(tts.json().await["audio"].is_string());
}

#[tokio::test]
async fn a_lossy_line_loses_words_and_noise_is_survived() {
    let stand_ins = start(fast()).await;
    control(&stand_ins, json!({"stt": {"noise": 600}})).await;
    let mut stt = open(&stand_ins, &format!("{LISTEN}&punctuate=true"), STT_KEY).await;
    stt.binary(vec![0; 8_000]).await;
    stt.binary(audio("Through the noise.")).await;
    let heard = stt.json().await;
    assert_eq!(heard["channel"]["alternatives"][0]["transcript"], "Through the noise.");
    control(&stand_ins, json!({"stt": {"noise": 0, "loss_percent": 100}})).await;
    let mut lossy = open(&stand_ins, LISTEN, STT_KEY).await;
    lossy.binary(audio("gone")).await;
    lossy.text(r#"{"type":"CloseStream"}"#).await;
    assert_eq!(lossy.json().await["type"], "Metadata");
}

#[tokio::test]
async fn the_log_holds_what_each_service_was_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    let stand_ins = start(Options { log: Some(path.clone()), ..fast() }).await;
    let mut stt = open(&stand_ins, LISTEN, STT_KEY).await;
    stt.binary(audio("secret words")).await;
    stt.json().await;
    let mut tts = open(&stand_ins, SPEAK, TTS_KEY).await;
    tts.text(r#"{"text":"spoken words ","context_id":"c"}"#).await;
    tts.json().await;
    let lines: Vec<Value> = std::fs::read_to_string(&path)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let told: Vec<(&str, &str)> = lines
        .iter()
        .map(|l| (l["service"].as_str().unwrap(), l["event"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [("stt", "connect"), ("stt", "heard"), ("tts", "connect"), ("tts", "speak")]);
    assert_eq!(lines[1]["detail"]["transcript"], "secret words");
    assert_eq!(lines[3]["detail"]["text"], "spoken words ");
    assert!(!std::fs::read_to_string(&path).unwrap().contains("key"), "keys are not written down");
}
