//! What hostile providers say.

use serde_json::{Value, json};

use super::chance::Chance;
use super::peer::FIN;
use super::provider_socket::Step;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Transcriber,
    Voice,
    Model,
}

/// The head of an endless stream of events.
pub(crate) const STREAM: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

/// A server's frame, which is not masked.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..126 => bytes.push(len as u8),
        len @ 126..65_536 => {
            bytes.push(126);
            bytes.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            bytes.push(127);
            bytes.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(payload);
    bytes
}

/// A text frame.
pub(crate) fn said(payload: &[u8]) -> Vec<u8> {
    frame(FIN | 1, payload)
}

/// A voice's audio in a context. Megabytes need no look at each byte for what JSON would escape.
pub(crate) fn speech(context: &str, audio: &str) -> Vec<u8> {
    said(format!(r#"{{"audio":"{audio}","contextId":"{context}","isFinal":null}}"#).as_bytes())
}

/// A model's event with this text, so many times.
pub(crate) fn event(text: &str, times: usize) -> Vec<u8> {
    let escaped = json!(text).to_string();
    let text = escaped.trim_matches('"').repeat(times);
    let chunk = format!(r#"{{"choices":[{{"index":0,"delta":{{"content":"{text}"}}}}]}}"#);
    format!("data: {chunk}\n\n").into_bytes()
}

/// What a trial's provider does, and its name.
pub(crate) fn trick(service: Service, chance: &mut Chance) -> (&'static str, Vec<Step>) {
    match service {
        Service::Model => model(chance),
        Service::Transcriber | Service::Voice if chance.below(3) == 0 => socket(chance),
        Service::Transcriber => transcriber(chance),
        Service::Voice => voice(chance),
    }
}

fn status(chance: &mut Chance) -> Vec<u8> {
    let status = chance.one(&[200, 301, 400, 401, 402, 403, 404, 408, 418, 429, 500, 503, 999]);
    let more = chance.one(&["", "retry-after: 1\r\n", "retry-after: -1\r\n", "x-y: \u{7}\r\n"]);
    let body = chance.one(&["", "{", "{\"error\":{\"code\":\"insufficient_quota\"}}", "<html>"]);
    let len = body.len();
    format!("HTTP/1.1 {status} X\r\ncontent-length: {len}\r\n{more}connection: close\r\n\r\n{body}")
        .into_bytes()
}

/// What any socket may do.
fn socket(chance: &mut Chance) -> (&'static str, Vec<Step>) {
    let open = |name, bytes| (name, vec![Step::Accept, Step::Await, Step::Send(bytes), Step::Hang]);
    match chance.below(14) {
        0 => ("never answers", vec![Step::Hang]),
        1 => ("resets at once", vec![Step::Reset]),
        2 => ("status", vec![Step::Send(status(chance))]),
        3 => {
            let count = chance.within(1..100_000);
            ("garbage for an answer", vec![Step::Send(chance.bytes(count)), Step::Hang])
        }
        4 => ("hangs up", vec![Step::Accept, Step::Await]),
        5 => ("resets", vec![Step::Accept, Step::Await, Step::Reset]),
        6 => {
            let code = chance.one(&[1000_u16, 1001, 1002, 1008, 1011, 1013, 4000, 0, 999, 65_535]);
            open("close", frame(FIN | 8, &code.to_be_bytes()))
        }
        7 => {
            let count = chance.within(1..3000);
            let garbage = chance.bytes(count);
            open("garbage", said(String::from_utf8_lossy(&garbage).as_bytes()))
        }
        8 => {
            let count = chance.within(1..3000);
            open("no UTF-8", said(&chance.bytes(count)))
        }
        9 => {
            let count = chance.within(1..200_000);
            open("binary", frame(FIN | 2, &chance.bytes(count)))
        }
        10 => open("huge text", said(&vec![b'['; chance.within(1 << 20..4 << 20)])),
        11 => {
            let mut bytes = vec![FIN | 1, 127];
            bytes.extend_from_slice(&chance.one(&[1_u64 << 25, 1 << 40, u64::MAX]).to_be_bytes());
            open("huge declared length", bytes)
        }
        12 => {
            let bit = chance.one(&[0x40, 0x20, 0x10, 0x03, 0x0B]);
            open("reserved bits", frame(FIN | bit, b"{}"))
        }
        _ => open("masked", vec![FIN | 1, 0x80 | 2, 0, 0, 0, 0, b'{', b'}']),
    }
}

/// Cuts JSON or changes a byte of it.
fn spoil(whole: &Value, chance: &mut Chance) -> Vec<u8> {
    let mut bytes = whole.to_string().into_bytes();
    let at = chance.below(bytes.len());
    if chance.coin() {
        bytes.truncate(at);
    } else {
        bytes[at] = chance.within(0x20..0x7F) as u8;
    }
    bytes
}

fn numbers(chance: &mut Chance) -> &'static str {
    chance.one(&[
        "0",
        "-1",
        "-1e300",
        "1e300",
        "1.7e308",
        "4294967296",
        "18446744073709551615",
        "1e999",
        "NaN",
        "null",
        "\"1\"",
        "0.0001",
        "1e-300",
    ])
}

fn transcriber(chance: &mut Chance) -> (&'static str, Vec<Step>) {
    let text = chance.one(&["hello", "", " ", "\u{0}", "é"]).repeat(chance.within(1..20));
    let result = json!({"type": "Results", "start": 0.1, "duration": 0.2, "is_final": chance.coin(),
        "speech_final": chance.coin(), "channel": {"alternatives": [{"transcript": text,
        "words": [{"word": "a", "start": 0.1, "end": 0.2}]}]}});
    let (name, bytes) = match chance.below(6) {
        0 => ("spoilt result", said(&spoil(&result, chance))),
        1 => {
            let mut bytes = Vec::new();
            for _ in 0..5 {
                let [start, length, from, to] = std::array::from_fn(|_| numbers(chance));
                let result = format!(
                    r#"{{"type":"Results","start":{start},"duration":{length},"is_final":true,
                    "speech_final":{},"channel":{{"alternatives":[{{"transcript":"hello",
                    "words":[{{"start":{from},"end":{to}}},{{"start":{to},"end":{from}}}]}}]}}}}"#,
                    chance.coin()
                );
                bytes.extend(said(result.as_bytes()));
            }
            ("odd times", bytes)
        }
        2 => {
            let mut result = result;
            let long = "word ".repeat(chance.within(10_000..200_000));
            result["channel"]["alternatives"][0]["transcript"] = "LONG".into();
            ("long transcript", said(result.to_string().replace("LONG", &long).as_bytes()))
        }
        3 => {
            let one = chance.one(&[r#"{"type":"SpeechStarted"}"#, r#"{"type":"UtteranceEnd"}"#]);
            ("storm", said(one.as_bytes()).repeat(chance.within(10..2000)))
        }
        4 => ("error", said(br#"{"type":"Error","variant":7}"#)),
        _ => {
            let wrong = chance.one(&[
                r#"{"type":7}"#,
                r#"{"type":"Results","channel":[]}"#,
                "[]",
                r#"{"type":"Results","channel":{"alternatives":null}}"#,
                "null",
                r#"{"type":"Results","channel":{"alternatives":[{"transcript":7}]}}"#,
            ]);
            ("wrong types", said(wrong.as_bytes()))
        }
    };
    (name, vec![Step::Accept, Step::Await, Step::Send(bytes), Step::Hang])
}

fn voice(chance: &mut Chance) -> (&'static str, Vec<Step>) {
    // The first reply's context is 1, that of its second try is 2.
    let context = chance.one(&["1", "1", "1", "2", "3"]);
    let (name, bytes) = match chance.below(8) {
        0 => {
            let context = chance.one(&["x", "-1", "", "99", "4294967296", "1.0"]);
            ("wrong context", speech(context, "AAAA"))
        }
        1 => {
            let audio = chance.one(&["*", "A", "AA=A", "====", "é", "AAA"]);
            ("no base64", speech(context, audio))
        }
        2 => {
            let odd = ["AA==", "AAAA", "AAAAAA=="].map(|audio| speech(context, audio)).concat();
            let end = said(format!(r#"{{"isFinal":true,"contextId":"{context}"}}"#).as_bytes());
            ("odd audio", [odd.repeat(chance.within(1..50)), end].concat())
        }
        3 => {
            let mut bytes = Vec::new();
            for _ in 0..5 {
                let list = |chance: &mut Chance| -> String {
                    let count = chance.below(5);
                    let all: Vec<&str> = (0..count).map(|_| numbers(chance)).collect();
                    all.join(",")
                };
                let (starts, lengths) = (list(chance), list(chance));
                let frame = format!(
                    r#"{{"audio":"AAAA","contextId":"{context}","alignment":{{"chars":["a","",
                    "bcd","é"],"charStartTimesMs":[{starts}],"charDurationsMs":[{lengths}]}}}}"#
                );
                bytes.extend(said(frame.as_bytes()));
            }
            ("odd alignment", bytes)
        }
        4 => {
            let end = format!(r#"{{"isFinal":true,"contextId":"{context}"}}"#);
            ("ends too often", said(end.as_bytes()).repeat(chance.within(1..20)))
        }
        5 => {
            let error = json!({"error": "x".repeat(chance.below(500)), "code": 1008});
            ("error", said(error.to_string().as_bytes()))
        }
        6 => {
            let audio = "AAAA".repeat(chance.within(1 << 18..1 << 20));
            ("huge audio", speech(context, &audio))
        }
        _ => {
            let whole = json!({"audio": "AAAA", "contextId": context, "isFinal": false,
                "alignment": {"chars": ["a"], "charStartTimesMs": [0], "charDurationsMs": [9]}});
            ("spoilt audio", said(&spoil(&whole, chance)))
        }
    };
    (name, vec![Step::Accept, Step::Await, Step::Send(bytes), Step::Hang])
}

fn model(chance: &mut Chance) -> (&'static str, Vec<Step>) {
    let stream = |name, bytes: Vec<u8>, hangs| {
        let last = if hangs { Step::Hang } else { Step::Send(Vec::new()) };
        (name, vec![Step::Send(STREAM.to_vec()), Step::Send(bytes), last])
    };
    let hangs = chance.coin();
    match chance.below(14) {
        0 => ("never answers", vec![Step::Hang]),
        1 => ("resets", vec![Step::Reset]),
        2 => ("hangs up", Vec::new()),
        3 => ("status", vec![Step::Send(status(chance))]),
        4 => {
            let count = chance.within(1..100_000);
            ("garbage for an answer", vec![Step::Send(chance.bytes(count)), Step::Hang])
        }
        5 => {
            let count = chance.within(1..20_000);
            stream("garbage", chance.bytes(count), hangs)
        }
        6 => stream("endless line", vec![b'x'; chance.within(1 << 20..3 << 20)], hangs),
        7 => stream("endless data", b"data: x\n".repeat(chance.within(140_000..200_000)), hangs),
        8 => {
            let chunk = json!({"choices": [{"index": 0, "delta": {"content": "Hello. "}}]});
            let spoilt = spoil(&chunk, chance);
            stream("half JSON", [b"data: ", &spoilt[..], b"\n\n"].concat(), hangs)
        }
        9 => {
            let text = chance.one(&["word ", "word. ", "\u{0}", "é", "<think>", " ", "x"]);
            let long = event(text, chance.within(10_000..100_000));
            stream("long token", [long, b"data: [DONE]\n\n".to_vec()].concat(), hangs)
        }
        10 => {
            let [prompt, completion] = std::array::from_fn(|_| {
                chance.one(&["18446744073709551615", "9223372036854775807", "-1", "1e30", "7"])
            });
            let usage = format!(
                "data: {{\"choices\":[],\"usage\":{{\"prompt_tokens\":{prompt},\
                 \"completion_tokens\":{completion}}}}}\n\n"
            );
            let bytes = [event("Hello. ", 1), usage.repeat(3).into_bytes()].concat();
            stream("odd usage", [bytes, b"data: [DONE]\n\n".to_vec()].concat(), hangs)
        }
        11 => stream("error", b"data: {\"error\":{}}\n\n".repeat(9), hangs),
        12 => {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
            let body = "{\"choices\":[]}";
            let whole = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
            ("another type", vec![Step::Send(whole.into_bytes())])
        }
        _ => {
            let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
            let chunk = chance.one(&["zz\r\n", "-1\r\n", "ffffffffffffffff\r\nx", "5\r\nabc"]);
            ("broken chunks", vec![Step::Send(head), Step::Send(chunk.into())])
        }
    }
}
