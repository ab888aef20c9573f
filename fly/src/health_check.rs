//! `nexus-voice health`: the container's health check, which has no other program to ask with.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// How long the server may take to be reached, and to answer.
const LIMIT: Duration = Duration::from_secs(2);
/// Most of an answer that is read: the status line is all that counts.
const ANSWER_BYTES_MAX: u64 = 4096;

/// Why a server is not healthy.
#[derive(Debug, thiserror::Error)]
pub enum Unhealthy {
    /// Nothing answers there.
    #[error("no answer on port {port}: {error}")]
    Silent {
        /// Where it should listen.
        port: u16,
        /// Why not.
        error: io::Error,
    },
    /// It says so itself.
    #[error("the server answers: {0}")]
    Answer(String),
}

/// Asks the server of this machine that listens on `port`.
pub fn ask(port: u16) -> Result<(), Unhealthy> {
    let line = status_line(port).map_err(|error| Unhealthy::Silent { port, error })?;
    if line.starts_with("HTTP/1.1 200 ") { Ok(()) } else { Err(Unhealthy::Answer(line)) }
}

fn status_line(port: u16) -> io::Result<String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer);
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn answering(answer: &'static str) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = [0; 64];
            let read = stream.read(&mut head).unwrap();
            assert!(head[..read].starts_with(b"GET /health "));
            stream.write_all(answer.as_bytes()).unwrap();
        });
        port
    }

    #[test]
    fn healthy_is_200_and_nothing_else() {
        assert!(ask(answering("HTTP/1.1 200 OK\r\n\r\n{}")).is_ok());
        let stalled = ask(answering("HTTP/1.1 503 Service Unavailable\r\n\r\n")).unwrap_err();
        assert!(stalled.to_string().contains("503"), "{stalled}");
        assert!(ask(answering("")).is_err());
    }

    #[test]
    fn nobody_there_is_unhealthy() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        assert!(matches!(ask(port), Err(Unhealthy::Silent { .. })));
    }
}
