//! What a hostile client sends, and how its connection may end.

use data_encoding::BASE64;
use serde_json::json;

use super::chance::Chance;
use super::peer::{BINARY, CLOSE, CONTINUATION, End, FIN, PING, TEXT, binary, frame, head, text};

pub(crate) const CALL_SID: &str = "CA00000000000000000000000000000001";
const STREAM_SID: &str = "MZ00000000000000000000000000000001";
/// The close code for whoever breaks the protocol.
const VIOLATION: End = End::Closed(4400);
const OVER: End = End::Closed(1000);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Browser,
    Phone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Malformed,
    Oversized,
    OutOfOrder,
    TooFast,
    Half,
}

pub(crate) const KINDS: [Kind; 5] =
    [Kind::Malformed, Kind::Oversized, Kind::OutOfOrder, Kind::TooFast, Kind::Half];

/// What the client does when all is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// Waits for the end.
    Waits,
    /// Ends its side of the connection and waits for the other's end.
    Finishes,
    /// Resets the connection.
    Resets,
}

#[derive(Debug)]
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    /// Whether `start` comes first.
    pub(crate) started: bool,
    pub(crate) bytes: Vec<u8>,
    pub(crate) then: Then,
    pub(crate) ends: Vec<End>,
}

impl Attack {
    fn new(name: &'static str, started: bool, bytes: Vec<u8>) -> Self {
        Self { name, started, bytes, then: Then::Waits, ends: vec![VIOLATION] }
    }

    fn ends(self, ends: &[End]) -> Self {
        Self { ends: ends.to_vec(), ..self }
    }

    /// The call is in order, and ended by the client.
    fn hangs_up(mut self, transport: Transport) -> Self {
        self.bytes.extend(text(hang_up(transport)));
        self.ends(&[OVER])
    }
}

/// The frames that open a call.
pub(crate) fn opening(transport: Transport, token: &str) -> Vec<u8> {
    match transport {
        Transport::Browser => text(r#"{"type":"start"}"#),
        Transport::Phone => [text(connected()), text(start(token))].concat(),
    }
}

fn connected() -> String {
    json!({"event": "connected", "protocol": "Call", "version": "1.0.0"}).to_string()
}

fn start(token: &str) -> String {
    json!({"event": "start", "sequenceNumber": "1", "streamSid": STREAM_SID, "start": {
        "accountSid": "AC00000000000000000000000000000001", "callSid": CALL_SID,
        "streamSid": STREAM_SID, "tracks": ["inbound"], "customParameters": {"ticket": token},
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}}})
    .to_string()
}

fn hang_up(transport: Transport) -> String {
    match transport {
        Transport::Browser => json!({"type": "end"}),
        Transport::Phone => {
            json!({"event": "stop", "streamSid": STREAM_SID, "stop":
                {"accountSid": "AC", "callSid": CALL_SID}})
        }
    }
    .to_string()
}

fn media(payload: &str) -> String {
    json!({"event": "media", "streamSid": STREAM_SID, "media":
        {"track": "inbound", "chunk": "1", "timestamp": "5", "payload": payload}})
    .to_string()
}

fn mark(transport: Transport, name: &str) -> String {
    match transport {
        Transport::Browser => json!({"type": "mark", "name": name}),
        Transport::Phone => json!({"event": "mark", "streamSid": STREAM_SID, "mark":
            {"name": name}}),
    }
    .to_string()
}

/// A valid frame of a call that runs.
fn valid(transport: Transport, chance: &mut Chance) -> String {
    match (transport, chance.below(4)) {
        (_, 0) => mark(transport, &chance.below(1000).to_string()),
        (Transport::Browser, 1) => json!({"type": "text", "text": "hi"}).to_string(),
        (Transport::Browser, 2) => json!({"type": "dtmf", "digits": "12#"}).to_string(),
        (Transport::Browser, _) => json!({"type": "mute", "on": chance.coin()}).to_string(),
        (Transport::Phone, 1) => {
            json!({"event": "dtmf", "streamSid": STREAM_SID, "dtmf": {"digit": "5"}}).to_string()
        }
        (Transport::Phone, _) => media(&BASE64.encode(&chance.bytes(160))),
    }
}

/// Caller audio of so many bytes.
fn audio(transport: Transport, bytes: &[u8]) -> Vec<u8> {
    match transport {
        Transport::Browser => binary(bytes),
        Transport::Phone => text(media(&BASE64.encode(bytes))),
    }
}

pub(crate) fn attack(transport: Transport, kind: Kind, chance: &mut Chance) -> Attack {
    match kind {
        Kind::Malformed => malformed(transport, chance),
        Kind::Oversized => oversized(transport, chance),
        Kind::OutOfOrder => out_of_order(transport, chance),
        Kind::TooFast => too_fast(transport, chance),
        Kind::Half => half(transport, chance),
    }
}

fn malformed(transport: Transport, chance: &mut Chance) -> Attack {
    let started = chance.coin();
    match chance.below(8) {
        0 => {
            let count = chance.within(1..2000);
            let garbage = String::from_utf8_lossy(&chance.bytes(count)).into_owned();
            Attack::new("garbage", started, text(format!("\u{1}{garbage}")))
        }
        1 => {
            let whole = valid(transport, chance);
            let cut = chance.below(whole.len());
            Attack::new("cut JSON", started, text(&whole[..cut]))
        }
        2 => {
            let deep = chance.one(&["[", "{\"a\":", "[[{\"type\":"]).repeat(chance.within(1..1500));
            Attack::new("deep JSON", started, text(deep))
        }
        3 => {
            // Whatever becomes of it, the hang-up behind it ends the connection.
            let mut changed = valid(transport, chance).into_bytes();
            let at = chance.below(changed.len());
            changed[at] = chance.within(0x20..0x7F) as u8;
            let mut bytes = text(changed);
            bytes.extend(text(hang_up(transport)));
            Attack::new("changed JSON", started, bytes).ends(&[VIOLATION, OVER])
        }
        4 => Attack::new("wrong types", started, text(wrong_types(transport, chance))),
        5 => match transport {
            Transport::Browser => {
                let unknown = chance.one(&["stop", "START", "", "clear", "ready"]);
                let unknown = json!({"type": unknown}).to_string();
                Attack::new("unknown type", started, text(unknown))
            }
            Transport::Phone => {
                // What Twilio may add later is passed over.
                let unknown = json!({"event": "later", "later": chance.below(9)}).to_string();
                Attack::new("unknown event", true, text(unknown)).hangs_up(transport)
            }
        },
        6 => wrong_audio(transport, chance, started),
        _ => {
            let mut bytes = valid(transport, chance).into_bytes();
            let at = chance.below(bytes.len());
            bytes[at] = chance.one(&[0xC0, 0xFF, 0x80, 0xF8]);
            Attack::new("no UTF-8", started, text(bytes))
        }
    }
}

fn wrong_types(transport: Transport, chance: &mut Chance) -> &'static str {
    match transport {
        Transport::Browser => chance.one(&[
            r#"{"type":7}"#,
            r#"{"type":"mute","on":"yes"}"#,
            r#"{"type":"mark","name":3}"#,
            r#"{"type":"text","text":[]}"#,
            r#"{"type":"dtmf","digits":1}"#,
            r#"{"type":"start","audio":{"encoding":"pcm16","sample_rate":-1}}"#,
            r#"{"type":"end","now":true}"#,
            "null",
            "1e999",
            "\"start\"",
        ]),
        Transport::Phone => chance.one(&[
            r#"{"event":7}"#,
            r#"{"event":"media","media":7}"#,
            r#"{"event":"start"}"#,
            r#"{"event":"media","media":{"payload":[]}}"#,
            r#"{"event":"mark"}"#,
            r#"{"event":"dtmf","dtmf":{"digit":[]}}"#,
            r#"{"event":"stop"}"#,
            "null",
            "[]",
            r#"{"event":"start","start":{"callSid":"CA"}}"#,
        ]),
    }
}

fn wrong_audio(transport: Transport, chance: &mut Chance, started: bool) -> Attack {
    match transport {
        Transport::Browser => {
            let odd = 2 * chance.below(900) + 1;
            Attack::new("odd PCM", started, binary(&chance.bytes(odd)))
        }
        Transport::Phone if chance.coin() => {
            let count = chance.within(1..900);
            Attack::new("binary", started, binary(&chance.bytes(count)))
        }
        Transport::Phone => {
            let payload = chance.one(&["*", "/////w", "====", "/ / /", "é", "\u{0}AAA"]);
            Attack::new("no base64", started, text(media(payload)))
        }
    }
}

fn oversized(transport: Transport, chance: &mut Chance) -> Attack {
    let started = chance.coin();
    match chance.below(6) {
        0 => {
            let long = "x".repeat(chance.within(16_385..64_000));
            let long = match transport {
                Transport::Browser => json!({"type": "text", "text": long}),
                Transport::Phone => json!({"event": "connected", "version": long}),
            };
            Attack::new("long text", started, text(long.to_string()))
        }
        1 => {
            let count = chance.within(65_537..400_000);
            Attack::new("huge text", started, text("x".repeat(count)))
        }
        2 => {
            let count = 2 * chance.within(32_769..200_000);
            Attack::new("huge binary", started, binary(&vec![0; count]))
        }
        3 => {
            let len = chance.one(&[65_537, 1 << 24, u64::from(u32::MAX), 1 << 40, u64::MAX >> 1]);
            let opcode = chance.one(&[TEXT, BINARY]);
            Attack::new("huge declared length", started, head(FIN | opcode, len))
        }
        4 => {
            let mut bytes = frame(TEXT, &[b'x'; 9_000]);
            for _ in 0..8 {
                bytes.extend(frame(CONTINUATION, &[b'x'; 9_000]));
            }
            Attack::new("huge in fragments", started, bytes)
        }
        _ => {
            let count = chance.within(126..4000);
            Attack::new("long ping", started, frame(FIN | PING, &vec![0; count]))
        }
    }
}

fn out_of_order(transport: Transport, chance: &mut Chance) -> Attack {
    match chance.below(9) {
        0 => Attack::new("before start", false, text(valid(transport, chance))),
        1 => Attack::new("end before start", false, text(hang_up(transport))),
        2 => Attack::new("audio before start", false, audio(transport, &[0; 160])),
        3 => Attack::new("double start", true, opening(transport, "t")),
        4 => {
            let mut bytes = Vec::new();
            for _ in 0..chance.within(1..40) {
                let name = chance.one(&[0, 1, 2, 77, 4_294_967_295_usize]).to_string();
                bytes.extend(text(mark(transport, &name)));
            }
            Attack::new("marks never sent", true, bytes).hangs_up(transport)
        }
        5 => {
            let name = chance.one(&["4294967296", "-1", "x", "", "1.0", "99999999999999999999"]);
            let attack = Attack::new("no mark's name", true, text(mark(transport, name)));
            match transport {
                Transport::Browser => attack,
                Transport::Phone => attack.hangs_up(transport),
            }
        }
        6 => Attack::new("continuation of nothing", chance.coin(), frame(FIN | CONTINUATION, b"x")),
        7 => {
            let bytes = [frame(TEXT, b"{"), text("{}")].concat();
            Attack::new("text within fragments", chance.coin(), bytes)
        }
        _ => {
            let goodbye = frame(FIN | CLOSE, &1000_u16.to_be_bytes());
            let bytes = [goodbye, text("{"), audio(transport, &[0; 160])].concat();
            // What comes behind a close and is not read lets the system reset the connection.
            Attack::new("frames after close", chance.coin(), bytes).ends(&[OVER, End::Dropped])
        }
    }
}

fn too_fast(transport: Transport, chance: &mut Chance) -> Attack {
    let flood = |one: Vec<u8>, chance: &mut Chance| one.repeat(chance.within(420..900));
    match chance.below(5) {
        0 => {
            let one = audio(transport, &[0xFF; 64]);
            Attack::new("many audio frames", true, flood(one, chance))
        }
        1 => Attack::new("many pings", chance.coin(), flood(frame(FIN | PING, b"p"), chance)),
        2 => {
            let one = text(mark(transport, "1"));
            Attack::new("many marks", true, flood(one, chance))
        }
        3 => {
            let one = text(valid(transport, chance));
            Attack::new("many messages", true, flood(one, chance))
        }
        _ => {
            // Two seconds a frame for the browser, one and a half for the telephone.
            let count = match transport {
                Transport::Browser => 64_000,
                Transport::Phone => 12_000,
            };
            let bytes = audio(transport, &vec![0; count]).repeat(chance.within(6..12));
            Attack::new("audio ahead of time", true, bytes)
        }
    }
}

fn half(transport: Transport, chance: &mut Chance) -> Attack {
    let started = chance.coin();
    match chance.below(9) {
        0 | 1 => {
            let whole = text(valid(transport, chance));
            let cut = chance.within(1..whole.len());
            let then = chance.one(&[Then::Finishes, Then::Resets]);
            let attack = Attack::new("cut frame", started, whole[..cut].to_vec());
            Attack { then, ..attack }.ends(&[End::Dropped])
        }
        2 => {
            let len = chance.within(200..60_000) as u64;
            let mut bytes = head(FIN | BINARY, len);
            bytes.extend(chance.bytes(100));
            let attack = Attack::new("less than declared", started, bytes);
            // What is declared may be too much already.
            Attack { then: Then::Finishes, ..attack }.ends(&[End::Dropped, VIOLATION])
        }
        3 => {
            let bit = chance.one(&[0x40, 0x20, 0x10, 0x70]);
            Attack::new("reserved bits", started, frame(FIN | bit | TEXT, b"{}"))
        }
        4 => {
            let opcode = chance.one(&[0x3, 0x7, 0xB, 0xF]);
            Attack::new("reserved opcode", started, frame(FIN | opcode, b"{}"))
        }
        5 => Attack::new("unmasked", started, vec![FIN | TEXT, 2, b'{', b'}']),
        6 => {
            let opcode = chance.one(&[PING, CLOSE, 0xA]);
            Attack::new("fragmented control", started, frame(opcode, b""))
        }
        7 => {
            let (payload, ends): (&[u8], &[End]) = chance.one(&[
                (&[3][..], &[VIOLATION, End::Closed(1002)][..]),
                (&[3, 0xE8, 0xFF, 0xFE], &[VIOLATION, End::Closed(1007), End::Closed(1002)]),
                (&[3, 0xED], &[VIOLATION, End::Closed(1002)]),
                (&[0, 1], &[VIOLATION, End::Closed(1002)]),
                (&[], &[End::ClosedSilently, OVER]),
                (&[3, 0xE8], &[OVER]),
                (&[0x0F, 0xA0, b'b', b'y', b'e'], &[End::Closed(4000)]),
            ]);
            Attack::new("odd close", started, frame(FIN | CLOSE, payload)).ends(ends)
        }
        _ => {
            let attack = Attack::new("nothing", started, Vec::new());
            Attack { then: Then::Finishes, ..attack }.ends(&[End::Dropped])
        }
    }
}
