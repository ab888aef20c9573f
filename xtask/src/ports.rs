//! Which port each server listens on.

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};

use crate::cell::Cell;
use crate::error::Fault;

/// The ports of one cell's servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellPorts {
    /// The voice server.
    pub voice: u16,
    /// Its metrics.
    pub metrics: u16,
    /// Its stand-ins.
    pub stand_ins: u16,
}

/// The ports of a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// The edge.
    pub edge: u16,
    /// The local speech server, for both cells.
    pub speech: u16,
    /// Cell us.
    pub us: CellPorts,
    /// Cell eu.
    pub eu: CellPorts,
}

impl Default for Ports {
    /// Those that the README names.
    fn default() -> Self {
        Self {
            edge: 8787,
            speech: 9910,
            us: CellPorts { voice: 8080, metrics: 9080, stand_ins: 9900 },
            eu: CellPorts { voice: 8081, metrics: 9081, stand_ins: 9901 },
        }
    }
}

fn bind(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
}

impl Ports {
    /// Ports that nobody listens on now. All are held while they are chosen, so no two are the same.
    pub fn free() -> Result<Self, Fault> {
        let mut held = Vec::new();
        let mut next = || -> Result<u16, Fault> {
            let listener = bind(0).map_err(|error| Fault::of("no free port", &error))?;
            let port = listener.local_addr().map_err(|error| Fault::of("no free port", &error))?;
            held.push(listener);
            Ok(port.port())
        };
        let (edge, speech) = (next()?, next()?);
        let us = CellPorts { voice: next()?, metrics: next()?, stand_ins: next()? };
        let eu = CellPorts { voice: next()?, metrics: next()?, stand_ins: next()? };
        Ok(Self { edge, speech, us, eu })
    }

    /// The ports of a cell's servers.
    pub const fn of(&self, cell: Cell) -> CellPorts {
        match cell {
            Cell::Us => self.us,
            Cell::Eu => self.eu,
        }
    }

    /// Each port with its flag.
    pub fn named(&mut self) -> [(&'static str, &mut u16); 8] {
        [
            ("edge-port", &mut self.edge),
            ("speech-port", &mut self.speech),
            ("voice-port", &mut self.us.voice),
            ("voice-port-eu", &mut self.eu.voice),
            ("metrics-port", &mut self.us.metrics),
            ("metrics-port-eu", &mut self.eu.metrics),
            ("stand-ins-port", &mut self.us.stand_ins),
            ("stand-ins-port-eu", &mut self.eu.stand_ins),
        ]
    }

    /// Refuses to start on a port that somebody else has, naming port and flag.
    pub fn check(mut self) -> Result<(), Fault> {
        for (flag, port) in self.named() {
            if bind(*port).is_err() {
                return Err(Fault(format!(
                    "port {port} is in use; stop what listens there or choose another with --{flag} N"
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_named_with_its_flag() {
        let mut ports = Ports::free().unwrap();
        let taken = bind(0).unwrap();
        ports.eu.metrics = taken.local_addr().unwrap().port();
        let fault = ports.check().unwrap_err().to_string();
        assert!(fault.contains(&ports.eu.metrics.to_string()), "{fault}");
        assert!(fault.contains("--metrics-port-eu"), "{fault}");
    }
}
