//! A real Chromium over the Chrome `DevTools` Protocol, with a WAV file as its microphone.
#![expect(clippy::indexing_slicing, reason = "of JSON, where what is missing is null")]

use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use data_encoding::BASE64;
use futures_util::{SinkExt as _, StreamExt as _};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::client::Outcome;

/// Names that distributions give the program.
const PROGRAMS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];
/// How long the browser may take for anything that does not wait for the page.
const LIMIT: Duration = Duration::from_secs(30);
/// Largest answer: a screenshot of a long page.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The browser's process with its helpers; they end with it.
#[derive(Debug)]
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(id) = i32::try_from(self.0.id()) {
            let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
        }
        let _ = self.0.wait();
    }
}

/// A browser with one page.
#[derive(Debug)]
pub struct Browser {
    _process: Process,
    _profile: TempDir,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: String,
    last_id: u64,
    complaints: Vec<String>,
}

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// In CSS pixels.
    pub width: u32,
    /// In CSS pixels.
    pub height: u32,
    /// What the person prefers: `light` or `dark`.
    pub scheme: &'static str,
}

fn program() -> Outcome<&'static str> {
    let runs = |name: &&&str| {
        let version = Command::new(name).arg("--version").stderr(Stdio::null()).output();
        version.is_ok_and(|output| output.status.success())
    };
    let found = PROGRAMS.iter().find(runs).copied();
    found.ok_or_else(|| "no Chromium on the path: install it (on Debian: chromium)".into())
}

fn start(profile: &Path, microphone: Option<&Path>) -> Outcome<Process> {
    let mut command = Command::new(program()?);
    command
        .args(["--headless=new", "--remote-debugging-port=0", "--no-first-run", "--disable-gpu"])
        .args(["--disable-dev-shm-usage", "--disable-background-networking", "--mute-audio"])
        .arg("--use-fake-device-for-media-stream")
        .arg(format!("--user-data-dir={}", profile.display()));
    if let Some(file) = microphone {
        command.arg(format!("--use-file-for-fake-audio-capture={}", file.display()));
    }
    if std::fs::metadata(profile)?.uid() == 0 {
        // Its sandbox refuses to run as root, as in containers.
        command.arg("--no-sandbox");
    }
    command.arg("about:blank").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(Process(command.process_group(0).spawn()?))
}

/// The address that the browser writes down when it listens: port and path, a line each.
async fn address(profile: &Path, Process(process): &mut Process) -> Outcome<String> {
    let file = profile.join("DevToolsActivePort");
    let written = async {
        loop {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            if let Some((port, path)) = text.split_once('\n').filter(|(_, path)| !path.is_empty()) {
                return Ok(format!("ws://127.0.0.1:{port}{path}"));
            }
            if let Some(status) = process.try_wait()? {
                return Err(format!("the browser ended with {status}").into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LIMIT, written).await.map_err(|_| "the browser does not start")?
}

impl Browser {
    /// Starts a browser that hears `microphone` (a WAV, again and again) and opens `url`.
    pub async fn open(microphone: &Path, url: &str) -> Outcome<Self> {
        Self::start(Some(microphone), url).await
    }

    /// Starts a browser whose person refuses the microphone.
    pub async fn refusing(url: &str) -> Outcome<Self> {
        Self::start(None, url).await
    }

    async fn start(microphone: Option<&Path>, url: &str) -> Outcome<Self> {
        let profile = tempfile::tempdir()?;
        let mut process = start(profile.path(), microphone)?;
        let address = address(profile.path(), &mut process).await?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(ANSWER_BYTES_MAX))
            .max_frame_size(Some(ANSWER_BYTES_MAX));
        let (socket, _) = connect_async_with_config(address, Some(config), false).await?;
        let mut browser = Self {
            _process: process,
            _profile: profile,
            socket,
            session: String::new(),
            last_id: 0,
            complaints: Vec::new(),
        };
        let setting = if microphone.is_some() { "granted" } else { "denied" };
        let permission = json!({"permission": {"name": "microphone"}, "setting": setting});
        browser.ask("Browser.setPermission", permission).await?;
        let target = browser.ask("Target.createTarget", json!({"url": "about:blank"})).await?;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = browser.ask("Target.attachToTarget", attach).await?;
        attached["sessionId"].as_str().unwrap_or_default().clone_into(&mut browser.session);
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            browser.ask(domain, json!({})).await?;
        }
        browser.ask("Page.navigate", json!({"url": url})).await?;
        browser.wait("the page", "document.readyState === 'complete'", LIMIT).await?;
        Ok(browser)
    }

    /// Sends a command and waits for its answer.
    async fn ask(&mut self, method: &str, params: Value) -> Outcome<Value> {
        self.last_id += 1;
        let id = self.last_id;
        let mut command = json!({"id": id, "method": method, "params": params});
        if !self.session.is_empty() {
            command["sessionId"] = json!(self.session);
        }
        self.socket.send(Message::text(command.to_string())).await?;
        loop {
            let message = self.socket.next().await.ok_or("the browser is gone")??;
            let Message::Text(text) = message else { continue };
            let mut message: Value = serde_json::from_str(&text)?;
            if message["id"] != id {
                self.note(&message);
                continue;
            }
            if let Some(error) = message.get("error") {
                return Err(format!("{method}: {error}").into());
            }
            return Ok(message["result"].take());
        }
    }

    /// Keeps what the page did wrong.
    fn note(&mut self, event: &Value) {
        let params = &event["params"];
        let complaint = match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => &params["exceptionDetails"],
            Some("Log.entryAdded") if params["entry"]["level"] == "error" => &params["entry"],
            _ => return,
        };
        self.complaints.push(complaint.to_string());
    }

    /// Errors that the page threw or the browser logged until now, such as what its policy forbade.
    pub async fn complaints(&mut self) -> Outcome<&[String]> {
        // What has happened is told before this is answered.
        self.run("undefined").await?;
        Ok(&self.complaints)
    }

    /// Takes the page's network away, or gives it back.
    pub async fn set_offline(&mut self, offline: bool) -> Outcome {
        self.ask("Network.enable", json!({})).await?;
        let conditions = json!({
            "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1,
        });
        self.ask("Network.emulateNetworkConditions", conditions).await.map(|_| ())
    }

    /// The value of an expression; a promise is waited for. Runs as if the person had just clicked.
    pub async fn run(&mut self, expression: &str) -> Outcome<Value> {
        let params = json!({
            "expression": expression, "awaitPromise": true, "returnByValue": true,
            "userGesture": true,
        });
        let mut answer = self.ask("Runtime.evaluate", params).await?;
        if let Some(thrown) = answer.get("exceptionDetails") {
            return Err(format!("{expression}: {thrown}").into());
        }
        Ok(answer["result"]["value"].take())
    }

    /// Waits until a condition holds, looking at every change of the page.
    pub async fn wait(&mut self, what: &str, condition: &str, limit: Duration) -> Outcome {
        let watch = format!(
            "new Promise((done) => {{
                const look = () => {{ if ({condition}) {{ watcher.disconnect(); done(); }} }};
                const watcher = new MutationObserver(look);
                watcher.observe(document, {{
                    subtree: true, childList: true, attributes: true, characterData: true,
                }});
                addEventListener('load', look);
                look();
            }})"
        );
        if let Ok(done) = timeout(limit, self.run(&watch)).await {
            return done.map(|_| ());
        }
        let mut text = format!("waited in vain for {what}; the page says: ");
        let body = timeout(LIMIT, self.run("document.body.innerText")).await??;
        let _ = write!(text, "{body} {:?}", self.complaints);
        Err(text.into())
    }

    /// Presses a key: `Tab`, `Enter` or a space.
    pub async fn press(&mut self, key: &str) -> Outcome {
        let (code, number, text) = match key {
            "Tab" => ("Tab", 9, ""),
            "Enter" => ("Enter", 13, "\r"),
            _ => ("Space", 32, " "),
        };
        for kind in ["keyDown", "keyUp"] {
            let mut params = json!({
                "type": kind, "key": key, "code": code, "windowsVirtualKeyCode": number,
            });
            if kind == "keyDown" && !text.is_empty() {
                params["text"] = json!(text);
            }
            self.ask("Input.dispatchKeyEvent", params).await?;
        }
        Ok(())
    }

    /// Types into what has the focus.
    pub async fn type_text(&mut self, text: &str) -> Outcome {
        self.ask("Input.insertText", json!({"text": text})).await.map(|_| ())
    }

    /// Shows the page as a person with this window and preference sees it.
    pub async fn look(&mut self, view: View) -> Outcome {
        let View { width, height, scheme } = view;
        let screen = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500,
        });
        self.ask("Emulation.setDeviceMetricsOverride", screen).await?;
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.ask("Emulation.setEmulatedMedia", json!({"features": features})).await.map(|_| ())
    }

    /// Writes a picture of the whole page.
    pub async fn screenshot(&mut self, file: &Path) -> Outcome {
        let params = json!({"format": "png", "captureBeyondViewport": true});
        let answer = self.ask("Page.captureScreenshot", params).await?;
        let picture = BASE64.decode(answer["data"].as_str().unwrap_or_default().as_bytes())?;
        std::fs::write(file, picture)?;
        Ok(())
    }
}
