//! The demo: an account, an agent, and a call placed through everything.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::api::Api;
use crate::error::Fault;

/// The demo account; its password is in the local keys.
pub const EMAIL: &str = "demo@example.com";
const AGENT: &str = "Demo agent";
/// What the demo caller says.
pub const LINES: [&str; 2] = ["Hello, what can you do?", "Thank you, goodbye."];

/// What the caller says: words as tones, or audio files.
#[derive(Clone, Debug)]
pub enum Say {
    /// Words, for the simulated recogniser.
    Words(Vec<String>),
    /// WAV files.
    Files(Vec<PathBuf>),
}

/// Has the local voice at `speech` say the demo caller's lines, into `dir`.
pub fn recorded(speech: &str, dir: &Path) -> Result<Say, Fault> {
    let mut files = Vec::new();
    for (number, line) in LINES.iter().enumerate() {
        let body = json!({"input": line, "response_format": "wav"});
        let mut answer = ureq::post(format!("{speech}/v1/audio/speech"))
            .send_json(&body)
            .map_err(|error| Fault::of("the demo caller has no voice", &error))?;
        let audio = answer.body_mut().read_to_vec();
        let audio = audio.map_err(|error| Fault::of("the demo caller has no voice", &error))?;
        let file = dir.join(format!("demo-caller-{}.wav", number + 1));
        std::fs::write(&file, audio)
            .map_err(|error| Fault::of(&format!("{} cannot be written", file.display()), &error))?;
        files.push(file);
    }
    Ok(Say::Files(files))
}

/// A finished call.
#[derive(Debug)]
pub struct Placed {
    /// Its id.
    pub id: String,
    /// The transcript, from the API.
    pub transcript: Value,
    /// The call, from the API.
    pub call: Value,
}

/// Logs the demo account in, made if it is not there.
pub fn account(edge: &str, password: &str) -> Result<Api, Fault> {
    let mut api = Api::at(edge);
    api.log_in(EMAIL, password, "Demo", "us")?;
    Ok(api)
}

/// The demo agent's id, made if it is not there.
pub fn agent(api: &Api) -> Result<String, Fault> {
    let id = |agent: &Value| agent.get("id").and_then(Value::as_str).map(str::to_owned);
    let agents = api.get("/api/agents?limit=100")?;
    let agents = agents.get("data").and_then(Value::as_array).cloned().unwrap_or_default();
    let named = |agent: &&Value| agent.get("name").and_then(Value::as_str) == Some(AGENT);
    if let Some(agent) = agents.iter().find(named).and_then(id) {
        return Ok(agent);
    }
    let body = json!({
        "name": AGENT,
        "language": "en",
        "first_message": "Hello, this is the demo agent. How can I help?",
        "prompt": "You are a friendly agent on a voice call. Answer in one or two short sentences.",
    });
    let agent = api.post("/api/agents", &body)?;
    id(&agent).ok_or_else(|| Fault("the new agent has no id".to_owned()))
}

/// Places a call and waits until it is over and sealed. `out` gets the agent's audio as heard.
pub fn place(
    api: &Api,
    agent: &str,
    servers: &Path,
    say: &Say,
    out: &Path,
) -> Result<Placed, Fault> {
    let created = api.post("/api/calls", &json!({"agent_id": agent, "channel": "web"}))?;
    let text = |path: &str| created.pointer(path).and_then(Value::as_str).map(str::to_owned);
    let (Some(id), Some(url), Some(ticket)) =
        (text("/call/id"), text("/voice/url"), text("/voice/ticket"))
    else {
        return Err(Fault("the new call has no ticket".to_owned()));
    };
    let mut caller = Command::new(servers.join("nexus-stand-ins"));
    caller.args(["caller", "--url", &url, "--ticket", &ticket]).arg("--out").arg(out);
    talk(&mut caller, say)?;
    placed(api, id)
}

/// The number that a demo phone call dials.
pub const NUMBER: &str = "+15550002222";
const CALLER: &str = "+15550001111";

/// Places a phone call through the simulated telephone company and waits until it is sealed.
pub fn place_phone(
    api: &Api,
    agent: &str,
    servers: &Path,
    edge: &str,
    auth_token: &str,
    say: &Say,
    out: &Path,
) -> Result<Placed, Fault> {
    let numbers = api.get("/api/phone-numbers?limit=100")?;
    let numbers = numbers.get("data").and_then(Value::as_array).cloned().unwrap_or_default();
    let ours = |number: &&Value| number.get("e164").and_then(Value::as_str) == Some(NUMBER);
    if !numbers.iter().any(|number| ours(&number)) {
        api.post("/api/phone-numbers", &json!({"e164": NUMBER, "agent_id": agent}))?;
    }
    let mut phone = Command::new(servers.join("nexus-stand-ins"));
    phone
        .args(["phone", "--auth-token", auth_token, "--from", CALLER, "--to", NUMBER])
        .args(["--voice-url", &format!("{edge}/twilio/voice")])
        .args(["--status-url", &format!("{edge}/twilio/status")])
        .arg("--out")
        .arg(out);
    talk(&mut phone, say)?;
    let calls = api.get("/api/calls?limit=1")?;
    let id = calls.pointer("/data/0/id").and_then(Value::as_str).map(str::to_owned);
    placed(api, id.ok_or_else(|| Fault("the phone call was not answered".to_owned()))?)
}

/// Runs a caller to its end.
fn talk(caller: &mut Command, say: &Say) -> Result<(), Fault> {
    match say {
        Say::Words(lines) => lines.iter().for_each(|line| {
            caller.args(["--say", line]);
        }),
        Say::Files(files) => files.iter().for_each(|file| {
            caller.arg("--wav").arg(file);
        }),
    }
    let output = caller
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Fault::of("the caller cannot be started", &error))?;
    if output.status.success() {
        return Ok(());
    }
    let error = String::from_utf8_lossy(&output.stderr);
    Err(Fault(format!("the caller failed: {}", error.trim())))
}

/// What became of a call, once it is sealed.
fn placed(api: &Api, id: String) -> Result<Placed, Fault> {
    let call = wait_sealed(api, &id)?;
    let transcript = api.get(&format!("/api/calls/{id}/transcript"))?;
    Ok(Placed { id, transcript, call })
}

/// The call once nothing more will come of it.
fn wait_sealed(api: &Api, id: &str) -> Result<Value, Fault> {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let call = api.get(&format!("/api/calls/{id}"))?;
        let ended = call.get("status").and_then(Value::as_str) == Some("ended");
        let complete = call.pointer("/recording/complete").and_then(Value::as_bool) == Some(true);
        if ended && complete {
            return Ok(call);
        }
        if Instant::now() > until {
            return Err(Fault(format!("the recording of {id} did not arrive")));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
