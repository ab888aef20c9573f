//! Keys are rotated as `docs/operations.md` says without a moment in which old and new servers do not understand each other.

use std::collections::BTreeMap;
use std::path::Path;

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::SigningKey;
use nexus_functions::config as edge;
use nexus_voice::config as voice;
use xtask::cell::Cell;
use xtask::keyfile::{KeyFile, Ring, Step};

/// The file as a shell has read it.
#[derive(Clone)]
struct Shell(BTreeMap<String, String>);

impl edge::Settings for Shell {
    fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }
}

impl Shell {
    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let line = |line: &str| {
            let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
            Some((name.to_owned(), value.trim_matches('\'').to_owned()))
        };
        let mut shell = Self(text.lines().filter_map(line).collect());
        for cell in ["US", "EU"] {
            shell
                .0
                .insert(format!("NEXUS_PUBLIC_URL_{cell}"), "https://edge.example.com".to_owned());
        }
        shell
    }

    fn edge(&self) -> edge::Config {
        edge::Config::read(self).unwrap()
    }

    fn voice(&self, cell: Cell) -> voice::Config {
        let value = |name: &str| match name {
            "NEXUS_CELL" => Some(cell.name().to_owned()),
            "NEXUS_EDGE_URL" => Some("https://edge.example.com".to_owned()),
            "NEXUS_SPOOL_DIR" => Some("spool".to_owned()),
            "DEEPGRAM_API_KEY" | "ELEVENLABS_API_KEY" | "OPENAI_API_KEY" => Some("key".to_owned()),
            _ => self.0.get(&format!("{name}{}", cell.ending())).cloned(),
        };
        voice::Config::read(&value).unwrap()
    }
}

/// A voice server takes the edge's tickets, and the edge takes its requests.
fn understand(edge: &edge::Config, voice: &voice::Config) {
    let (id, seed) = edge.ticket_keys.current();
    let seed: [u8; 32] = seed.expose().try_into().unwrap();
    let public = SigningKey::from_bytes(&seed).verifying_key();
    let known = voice.ticket_keys.iter().any(|one| one.id == id && one.key == public);
    assert!(known, "tickets signed with {id} are refused");
    let key = edge.service_keys.get(&voice.service_key.kid).expect("the edge knows the key's id");
    assert_eq!(key.key.expose(), voice.service_key.key.expose().as_slice());
    assert_eq!(key.cell, voice.cell);
}

/// What one version signed, the other verifies.
fn same_people(signed_by: &edge::Config, read_by: &edge::Config) {
    for (ours, theirs) in
        [(&signed_by.access_keys, &read_by.access_keys), (&signed_by.peppers, &read_by.peppers)]
    {
        let (id, key) = ours.current();
        assert!(theirs.get(id) == Some(key), "key {id} is not known");
    }
}

fn compatible(old: &Shell, new: &Shell) {
    for edge in [old.edge(), new.edge()] {
        for cell in Cell::ALL {
            for voice in [old.voice(cell), new.voice(cell)] {
                understand(&edge, &voice);
            }
        }
    }
    same_people(&old.edge(), &new.edge());
    same_people(&new.edge(), &old.edge());
}

#[test]
fn at_every_step_of_a_rotation_old_and_new_servers_understand_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("production.env");
    KeyFile::generate().unwrap().create(&path).unwrap();
    let first = Shell::read(&path);
    compatible(&first, &first);
    let rings = [
        Ring::Access,
        Ring::Ticket,
        Ring::Pepper,
        Ring::Service(Cell::Us),
        Ring::Service(Cell::Eu),
    ];
    for ring in rings {
        let steps: &[Step] = match ring {
            Ring::Pepper => &[Step::Add, Step::Use],
            _ => &[Step::Add, Step::Use, Step::Drop],
        };
        let before = Shell::read(&path);
        for step in steps {
            let old = Shell::read(&path);
            let mut file = KeyFile::read(&path).unwrap();
            file.step(ring, *step).unwrap();
            file.replace(&path).unwrap();
            compatible(&old, &Shell::read(&path));
        }
        assert_ne!(before.0, Shell::read(&path).0, "{ring:?}");
    }
    // Nothing of the first set is left but what never changes.
    let last = Shell::read(&path);
    for name in ["NEXUS_ACCESS_KEYS", "NEXUS_TICKET_PRIVATE_KEYS", "NEXUS_SERVICE_KEYS"] {
        let old = first.0[name].split('"').filter(|word| {
            BASE64URL_NOPAD.decode(word.as_bytes()).is_ok_and(|key| key.len() == 32)
        });
        assert!(old.clone().count() > 0);
        assert!(old.into_iter().all(|key| !last.0[name].contains(key)), "{name} keeps an old key");
    }
    assert_eq!(first.0["NEXUS_DIRECTORY_KEY"], last.0["NEXUS_DIRECTORY_KEY"]);
}

#[test]
fn without_the_step_between_they_would_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("production.env");
    KeyFile::generate().unwrap().create(&path).unwrap();
    let old = Shell::read(&path);
    let mut file = KeyFile::read(&path).unwrap();
    file.step(Ring::Ticket, Step::Add).unwrap();
    file.step(Ring::Ticket, Step::Use).unwrap();
    file.replace(&path).unwrap();
    let new = Shell::read(&path);
    assert!(std::panic::catch_unwind(|| compatible(&old, &new)).is_err());
}
