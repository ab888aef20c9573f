use super::*;
use serde_json::json;

fn parse(body: &Value) -> Result<ChatRequest, Refusal> {
    ChatRequest::parse(body.to_string().as_bytes())
}

fn with(name: &str, value: Value) -> Value {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    body[name] = value;
    body
}

#[test]
fn a_streamed_request_is_understood() {
    let request = parse(&json!({
        "model": "m", "stream": true, "stream_options": {"include_usage": true},
        "temperature": 0.7, "max_completion_tokens": 300,
        "messages": [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "1"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
        "tool_choice": "auto",
    }))
    .unwrap();
    assert_eq!(request.stream, Some(StreamOptions { include_usage: true }));
    assert_eq!(request.tokens_max, Some(300));
    let texts: Vec<&str> = request.messages.iter().map(|m| m.content.as_str()).collect();
    assert_eq!(texts, ["Be short.", "ab", "", "1"]);
}

#[test]
fn mistakes_name_their_parameter() {
    let user = json!([{"role": "user", "content": "hi"}]);
    let cases = [
        (json!({"messages": user}), "model"),
        (json!({"model": "m"}), "messages"),
        (json!({"model": "m", "messages": []}), "messages"),
        (with("messages", json!([{"role": "caller", "content": "hi"}])), "messages[0].role"),
        (with("messages", json!([{"role": "user"}])), "messages[0].content"),
        (with("messages", json!([{"role": "user", "content": 7}])), "messages[0].content"),
        (
            with("messages", json!([{"role": "tool", "tool_call_id": "x", "content": ""}])),
            "messages[0].tool_call_id",
        ),
        (
            with(
                "messages",
                json!([
                    {"role": "assistant", "content": null, "tool_calls": [
                        {"id": "c", "function": {"name": "f", "arguments": "{}"}}]},
                    {"role": "user", "content": "hi"},
                ]),
            ),
            "messages[1]",
        ),
        (with("max_token", json!(1)), "max_token"),
        (with("max_tokens", json!(0)), "max_tokens"),
        (with("temperature", json!(2.5)), "temperature"),
        (with("temperature", json!("hot")), "temperature"),
        (with("stream", json!("yes")), "stream"),
        (with("stream_options", json!({"include_usage": true})), "stream_options"),
        (with("n", json!(2)), "n"),
        (with("stop", json!(["a", "b", "c", "d", "e"])), "stop"),
        (with("tools", json!([])), "tools"),
        (with("tools", json!([{"type": "function"}])), "tools[0]"),
        (with("tool_choice", json!("auto")), "tool_choice"),
    ];
    for (body, param) in cases {
        let refusal = parse(&body).unwrap_err();
        assert_eq!(refusal.param.as_deref(), Some(param), "{body}: {}", refusal.message);
        assert_eq!(refusal.status.as_u16(), 400);
    }
    assert_eq!(ChatRequest::parse(b"{").unwrap_err().param, None);
    assert_eq!(parse(&with("model", json!("no-such-model"))).unwrap_err().status.as_u16(), 404);
}
