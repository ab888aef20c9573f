//! A provider that means harm to the calls that name a trial, and serves the others.
//!
//! An agent whose recogniser, model or voice is called `trial-N` gets what trial N makes of the
//! run's seed; all other connections go on to the stand-in.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// What a connection is answered with.
pub(crate) enum Step {
    /// The handshake that was asked for.
    Accept,
    /// So much of what the client sends is awaited first.
    Await,
    /// These bytes.
    Send(Vec<u8>),
    /// These bytes until the client has had enough.
    Flood(Vec<u8>),
    /// Nothing, until the client goes.
    Hang,
    /// A reset.
    Reset,
}

type Script = dyn Fn(u64) -> Vec<Step> + Send + Sync;

pub(crate) struct HostileProvider {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for HostileProvider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl HostileProvider {
    /// Answers trial N by `script(N)`.
    pub(crate) async fn start(
        stand_in: SocketAddr,
        script: impl Fn(u64) -> Vec<Step> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let script: Arc<Script> = Arc::new(script);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, stand_in, Arc::clone(&script)));
            }
        });
        Self { address, task }
    }
}

/// The number behind `trial-`, once what follows it is there too.
fn trial(request: &str) -> Option<u64> {
    let (_, rest) = request.split_once("trial-")?;
    let end = rest.find(|c: char| !c.is_ascii_digit())?;
    rest[..end].parse().ok()
}

async fn serve(mut stream: TcpStream, stand_in: SocketAddr, script: Arc<Script>) {
    let mut request = Vec::new();
    loop {
        let mut bytes = [0; 8192];
        match stream.read(&mut bytes).await {
            Ok(0) | Err(_) => return,
            Ok(read) => request.extend_from_slice(&bytes[..read]),
        }
        let text = String::from_utf8_lossy(&request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        if let Some(n) = trial(&text) {
            let key = header(head, "sec-websocket-key").map(str::to_owned);
            return answer(stream, script(n), key).await;
        }
        let wanted = header(head, "content-length").map_or(0, |len| len.parse().unwrap());
        if body.len() >= wanted {
            return pass_on(stream, stand_in, &text).await;
        }
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

async fn pass_on(mut stream: TcpStream, stand_in: SocketAddr, request: &str) {
    let Ok(mut other) = TcpStream::connect(stand_in).await else { return };
    // A connection that is used again could be used by a trial.
    let request = if request.starts_with("POST") {
        request.replacen("\r\n", "\r\nconnection: close\r\n", 1)
    } else {
        request.to_owned()
    };
    if other.write_all(request.as_bytes()).await.is_ok() {
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut other).await;
    }
}

async fn answer(stream: TcpStream, steps: Vec<Step>, key: Option<String>) {
    let mut resets = false;
    let (mut reader, mut writer) = stream.into_split();
    let mut scrap = vec![0; 16 * 1024];
    for step in steps {
        let sent = match step {
            Step::Accept => {
                let key = derive_accept_key(key.as_deref().unwrap_or_default().as_bytes());
                let answer = format!(
                    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\
                     upgrade: websocket\r\nsec-websocket-accept: {key}\r\n\r\n"
                );
                writer.write_all(answer.as_bytes()).await.is_ok()
            }
            Step::Await => reader.read(&mut scrap).await.is_ok_and(|read| read > 0),
            Step::Send(bytes) => writer.write_all(&bytes).await.is_ok(),
            Step::Flood(bytes) => {
                while writer.write_all(&bytes).await.is_ok() {}
                false
            }
            Step::Hang => {
                while reader.read(&mut scrap).await.is_ok_and(|read| read > 0) {}
                false
            }
            Step::Reset => {
                resets = true;
                false
            }
        };
        if !sent {
            break;
        }
    }
    if let (true, Ok(stream)) = (resets, reader.reunite(writer)) {
        stream.set_zero_linger().unwrap();
    }
}
