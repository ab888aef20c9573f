//! The outside services: their addresses and keys, and what a cell of the EU may reach.

use nexus_core::cell::Cell;
use url::{Host, Url};

use super::Reader;
use crate::secret::Secret;

/// One outside service.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Its base address.
    pub url: Url,
    /// Our key there.
    pub key: Secret<String>,
    /// It is a double on this machine: what it does costs nothing.
    pub simulated: bool,
}

/// The services that a call needs.
#[derive(Clone, Debug)]
pub struct Providers {
    /// Speech to text.
    pub deepgram: Provider,
    /// Text to speech.
    pub elevenlabs: Provider,
    /// The language model; the base ends as in `…/v1`.
    pub openai: Provider,
    /// Providers must not keep audio for their own ends (asked of every request from the EU cell).
    pub opt_out: bool,
}

struct Names {
    url: &'static str,
    key: &'static str,
    default_us: &'static str,
    default_eu: &'static str,
    schemes: &'static [&'static str],
}

const DEEPGRAM: Names = Names {
    url: "DEEPGRAM_URL",
    key: "DEEPGRAM_API_KEY",
    default_us: "wss://api.deepgram.com",
    default_eu: "wss://api.eu.deepgram.com",
    schemes: &["ws", "wss", "http", "https"],
};
const ELEVENLABS: Names = Names {
    url: "ELEVENLABS_URL",
    key: "ELEVENLABS_API_KEY",
    default_us: "wss://api.elevenlabs.io",
    default_eu: "wss://api.eu.residency.elevenlabs.io",
    schemes: &["ws", "wss", "http", "https"],
};
const OPENAI: Names = Names {
    url: "OPENAI_BASE_URL",
    key: "OPENAI_API_KEY",
    default_us: "https://api.openai.com/v1",
    default_eu: "https://eu.api.openai.com/v1",
    schemes: &["http", "https"],
};

/// Whether the address is this machine's own.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

pub(super) fn read(reader: &mut Reader<'_>, cell: Cell) -> Option<Providers> {
    let allowed: Vec<String> = reader
        .get("NEXUS_EU_HOSTS")
        .map(|list| list.split(',').map(|host| host.trim().to_ascii_lowercase()).collect())
        .unwrap_or_default();
    let deepgram = read_one(reader, &DEEPGRAM, cell, &allowed);
    let elevenlabs = read_one(reader, &ELEVENLABS, cell, &allowed);
    let openai = read_one(reader, &OPENAI, cell, &allowed);
    Some(Providers {
        deepgram: deepgram?,
        elevenlabs: elevenlabs?,
        openai: openai?,
        opt_out: cell == Cell::Eu,
    })
}

fn read_one(
    reader: &mut Reader<'_>,
    names: &Names,
    cell: Cell,
    allowed: &[String],
) -> Option<Provider> {
    let default = match cell {
        Cell::Us => names.default_us,
        Cell::Eu => names.default_eu,
    };
    let text = reader.get(names.url).unwrap_or_else(|| default.to_owned());
    let url = Url::parse(&text)
        .ok()
        .filter(|url| url.host().is_some() && names.schemes.contains(&url.scheme()));
    let Some(url) = url else {
        reader.fault(names.url, format!("must be a URL with {}", names.schemes.join(", ")));
        return None;
    };
    let simulated = is_loopback(&url);
    if cell == Cell::Eu && !simulated && text != default {
        let host = url.host_str().unwrap_or_default();
        let known = Url::parse(default).ok().and_then(|url| url.host_str().map(str::to_owned));
        if known.as_deref() != Some(host) && !allowed.iter().any(|allowed| allowed == host) {
            reader.fault(
                names.url,
                "is not an EU host of this provider and does not stand in NEXUS_EU_HOSTS",
            );
            return None;
        }
    }
    let key = reader.get(names.key).or_else(|| simulated.then(|| "local".to_owned()));
    let Some(key) = key else {
        reader.fault(names.key, "is missing");
        return None;
    };
    // It travels in a header: a key with a line break in it would only fail at the first call.
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        reader.fault(names.key, "must be plain printable characters");
        return None;
    }
    Some(Provider { url, key: Secret::new(key), simulated })
}
