//! A provider that means harm to the calls that name a trial, and serves the others.
//!
//! An agent whose recogniser, model or voice is called `trial-N` gets what trial N makes of the
//! run's seed; all other connections go on to the stand-in, but for those of the bystanders.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::bystanders::{CURT, DEAF, ignore, speak};

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

/// The trials whose steps have all been taken once.
type Played = watch::Sender<HashSet<u64>>;

pub(crate) struct HostileProvider {
    pub(crate) address: SocketAddr,
    played: Arc<Played>,
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
        let played = Arc::new(Played::default());
        let notes = Arc::clone(&played);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, stand_in, Arc::clone(&script), Arc::clone(&notes)));
            }
        });
        Self { address, played, task }
    }

    /// Waits until all steps of trial `n` have been taken: what is to come is the call's doing.
    pub(crate) async fn played(&self, n: u64) {
        self.played.subscribe().wait_for(|played| played.contains(&n)).await.unwrap();
    }
}

/// The number behind `trial-`, once what follows it is there too.
fn trial(request: &str) -> Option<u64> {
    let (_, rest) = request.split_once("trial-")?;
    let end = rest.find(|c: char| !c.is_ascii_digit())?;
    rest[..end].parse().ok()
}

async fn serve(
    mut stream: TcpStream,
    stand_in: SocketAddr,
    script: Arc<Script>,
    played: Arc<Played>,
) {
    let mut request = Vec::new();
    loop {
        let mut bytes = [0; 8192];
        match stream.read(&mut bytes).await {
            Ok(0) | Err(_) => return,
            Ok(read) => request.extend_from_slice(&bytes[..read]),
        }
        let text = String::from_utf8_lossy(&request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let key = header(head, "sec-websocket-key").unwrap_or_default();
        if let Some(n) = trial(&text) {
            let accept = acceptance(key);
            let done = || _ = played.send_if_modified(|played| played.insert(n));
            return answer(stream, script(n), &accept, done).await;
        }
        let is_curt = head.contains(&format!("/{CURT}/"));
        if is_curt || head.contains(&format!("model={DEAF}&")) {
            let _ = stream.write_all(acceptance(key).as_bytes()).await;
            return if is_curt { speak(stream).await } else { ignore(stream).await };
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

/// The answer to a socket's handshake.
fn acceptance(key: &str) -> String {
    let key = derive_accept_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-accept: {key}\r\n\r\n"
    )
}

/// Takes the steps, and says so when nothing more is to come from here.
async fn answer(stream: TcpStream, steps: Vec<Step>, accept: &str, done: impl Fn()) {
    let mut resets = false;
    let (mut reader, mut writer) = stream.into_split();
    let mut scrap = vec![0; 16 * 1024];
    for step in steps {
        let goes_on = match step {
            Step::Accept => writer.write_all(accept.as_bytes()).await.is_ok(),
            Step::Await => reader.read(&mut scrap).await.is_ok_and(|read| read > 0),
            Step::Send(bytes) => {
                // Whoever does not take all of it has had enough.
                let _ = writer.write_all(&bytes).await;
                true
            }
            Step::Flood(bytes) => {
                while writer.write_all(&bytes).await.is_ok() {}
                true
            }
            Step::Hang => {
                done();
                while reader.read(&mut scrap).await.is_ok_and(|read| read > 0) {}
                true
            }
            Step::Reset => {
                resets = true;
                true
            }
        };
        if !goes_on {
            return;
        }
    }
    done();
    if let (true, Ok(stream)) = (resets, reader.reunite(writer)) {
        stream.set_zero_linger().unwrap();
    }
}
