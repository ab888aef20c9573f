//! What the voice says is what the recogniser hears, over both sockets.

use crate::support::{Client, fast, start};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const TEXT: &str = "Grüß Gott, I'd like 2 rooms; is \"tomorrow\" fine? ";

#[tokio::test]
async fn text_survives_voice_line_and_recogniser() {
    let stand_ins = start(fast()).await;
    for (voice, line) in [
        ("ulaw_8000", "encoding=mulaw&sample_rate=8000"),
        ("pcm_8000", "encoding=linear16&sample_rate=8000"),
        ("pcm_16000", "encoding=linear16&sample_rate=16000"),
        ("pcm_24000", "encoding=linear16&sample_rate=24000"),
        ("pcm_48000", "encoding=linear16&sample_rate=48000"),
    ] {
        let address = stand_ins.address();
        let speak =
            format!("ws://{address}/v1/text-to-speech/v/multi-stream-input?output_format={voice}");
        let listen = format!("ws://{address}/v1/listen?model=nova-3&{line}&smart_format=true");
        let mut mouth = Client::open(&speak, &[("xi-api-key", "key")]).await.unwrap();
        let mut ear = Client::open(&listen, &[("authorization", "Token key")]).await.unwrap();
        let text = serde_json::json!({"text": TEXT, "context_id": "c", "flush": true});
        mouth.text(&text.to_string()).await;
        mouth.text(r#"{"context_id":"c","close_context":true}"#).await;
        loop {
            let message = mouth.json().await;
            if message["isFinal"] == true {
                break;
            }
            ear.binary(STANDARD.decode(message["audio"].as_str().unwrap()).unwrap()).await;
        }
        ear.text(r#"{"type":"CloseStream"}"#).await;
        let mut heard = Vec::new();
        loop {
            let message = ear.json().await;
            if message["type"] == "Metadata" {
                break;
            }
            let transcript = &message["channel"]["alternatives"][0]["transcript"];
            heard.push(transcript.as_str().unwrap().to_owned());
        }
        assert_eq!(heard.join(" "), TEXT.trim_end(), "{voice}");
    }
}
