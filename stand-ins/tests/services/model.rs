use crate::support::{fast, start};
use futures_util::StreamExt as _;
use nexus_stand_ins::faults::Service;
use nexus_stand_ins::model::{ChatMessage, reply};
use nexus_stand_ins::server::StandIns;
use reqwest::{Client, Response};
use serde_json::{Value, json};

async fn post(stand_ins: &StandIns, body: &Value) -> Response {
    Client::new()
        .post(format!("http://{}/v1/chat/completions", stand_ins.address()))
        .header("authorization", "Bearer key")
        .header("content-type", "application/json")
        .body(body.to_string())
        .send()
        .await
        .unwrap()
}

fn request(text: &str) -> Value {
    json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": text}]})
}

/// The data of a stream's events; `None` when it broke off.
async fn events(response: Response) -> Option<Vec<String>> {
    let mut bytes = Vec::new();
    let mut stream = response.bytes_stream();
    while let Some(piece) = stream.next().await {
        bytes.extend_from_slice(&piece.ok()?);
    }
    let text = String::from_utf8(bytes).unwrap();
    Some(text.split_terminator("\n\n").map(|e| e["data: ".len()..].to_owned()).collect())
}

fn content(events: &[String]) -> String {
    let chunks = events.iter().filter_map(|event| serde_json::from_str::<Value>(event).ok());
    let text = |chunk: Value| {
        chunk.pointer("/choices/0/delta/content").and_then(Value::as_str).map(str::to_owned)
    };
    chunks.filter_map(text).collect()
}

#[tokio::test]
async fn a_streamed_answer_has_the_service_s_order_of_chunks() {
    let stand_ins = start(fast()).await;
    let mut body = request("Grüße, Jürgen");
    body["stream_options"] = json!({"include_usage": true});
    let response = post(&stand_ins, &body).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert!(response.headers()["x-request-id"].to_str().unwrap().starts_with("req_"));
    let events = events(response).await.unwrap();
    let expected = reply(&[ChatMessage::new("user", "Grüße, Jürgen")]);
    assert_eq!(content(&events), expected);
    let chunk = |n: usize| -> Value { serde_json::from_str(&events[n]).unwrap() };
    assert_eq!(chunk(0)["choices"][0]["delta"]["role"], "assistant");
    assert!(chunk(1)["usage"].is_null() && chunk(1).as_object().unwrap().contains_key("usage"));
    assert_eq!(chunk(events.len() - 3)["choices"][0]["finish_reason"], "stop");
    assert_eq!(chunk(events.len() - 2)["choices"], json!([]));
    assert!(chunk(events.len() - 2)["usage"]["total_tokens"].as_u64().unwrap() > 0);
    assert_eq!(events.last().unwrap(), "[DONE]");
    assert!((0..events.len() - 1).all(|n| chunk(n)["id"] == chunk(0)["id"]));
}

#[tokio::test]
async fn without_streaming_the_answer_is_one_object() {
    let stand_ins = start(fast()).await;
    let mut body = request("hello");
    body["stream"] = json!(false);
    body["max_tokens"] = json!(2);
    let answer = post(&stand_ins, &body).await.text().await.unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["choices"][0]["message"]["content"], "I heard:");
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    assert_eq!(answer["usage"]["completion_tokens"], 2);
}

#[tokio::test]
async fn mistakes_get_the_service_s_error_shape() {
    let stand_ins = start(fast()).await;
    let mut body = request("hi");
    body["max_token"] = json!(3);
    let response = post(&stand_ins, &body).await;
    assert_eq!(response.status().as_u16(), 400);
    let answer: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(answer["error"]["type"], "invalid_request_error");
    assert_eq!(answer["error"]["param"], "max_token");

    let url = format!("http://{}/v1/chat/completions", stand_ins.address());
    let bare = Client::new().post(&url).body(request("hi").to_string());
    let response = bare.send().await.unwrap();
    assert_eq!(response.status().as_u16(), 401);
    let answer: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(answer["error"]["code"], "invalid_api_key");
}

#[tokio::test]
async fn a_listener_that_leaves_is_counted() {
    let mut options = fast();
    options.pace.token = std::time::Duration::from_millis(50);
    let stand_ins = start(options).await;
    let response = post(&stand_ins, &request("a story")).await;
    let mut stream = response.bytes_stream();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    let counters = || stand_ins.switchboard().counters()[&Service::Model].clone();
    let waited = tokio::time::timeout(std::time::Duration::from_secs(20), async {
        while counters().cancelled == 0 {
            tokio::task::yield_now().await;
        }
    });
    waited.await.expect("the stand-in notices");
    assert_eq!((counters().open, counters().connections), (0, 1));
}

#[tokio::test]
async fn a_break_in_the_midst_is_an_error_event() {
    let stand_ins = start(fast()).await;
    let control = serde_json::from_value(json!({"model": {"break_after": 2}})).unwrap();
    stand_ins.switchboard().apply(&control).unwrap();
    let broken = events(post(&stand_ins, &request("hello")).await).await.unwrap();
    assert_eq!(content(&broken), "I heard:");
    let last: Value = serde_json::from_str(broken.last().unwrap()).unwrap();
    assert_eq!(last["error"]["type"], "server_error");
    let whole = events(post(&stand_ins, &request("hello")).await).await.unwrap();
    assert_eq!(whole.last().unwrap(), "[DONE]");
}

#[tokio::test]
async fn a_drop_cuts_the_stream() {
    let mut options = fast();
    options.pace.token = std::time::Duration::from_mins(10);
    let stand_ins = start(options).await;
    let response = post(&stand_ins, &request("hello")).await;
    let control = serde_json::from_value(json!({"model": {"drop": true}})).unwrap();
    stand_ins.switchboard().apply(&control).unwrap();
    assert_eq!(events(response).await, None);
}
