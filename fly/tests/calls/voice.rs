//! The voice's socket by itself.

use nexus_core::agent::AgentSettings;
use nexus_core::conversation::ReplyId;
use nexus_core::journal::Failure;
use nexus_core::wire::AudioFormat;
use nexus_stand_ins::options::Options;
use nexus_stand_ins::server::StandIns;
use nexus_stand_ins::words::{hear, text_of};
use nexus_voice::providers::elevenlabs::{Voice, VoiceEvent, socket_address};
use nexus_voice::secret::Secret;
use nexus_voice::tls;
use serde_json::json;

use super::edge::LIMIT;

fn voice(providers: &StandIns) -> Voice {
    let base = format!("ws://{}", providers.address()).parse().unwrap();
    let settings: AgentSettings = serde_json::from_value(json!({"name": "x"})).unwrap();
    let url = socket_address(&base, AudioFormat::BROWSER, &settings);
    Voice::open(url, Secret::new("k".to_owned()), tls::client_config().unwrap(), 1.0)
}

/// All audio of the reply; panics on audio of another one.
async fn whole(voice: &mut Voice, reply: ReplyId) -> Vec<i16> {
    let mut bytes = Vec::new();
    loop {
        match tokio::time::timeout(LIMIT, voice.next()).await.expect("an event") {
            VoiceEvent::Audio { reply: of, audio, .. } => {
                assert_eq!(of, reply);
                bytes.extend_from_slice(&audio);
            }
            VoiceEvent::Done { reply: of } => {
                assert_eq!(of, reply);
                return nexus_core::audio::pcm::samples(&bytes).collect();
            }
            VoiceEvent::Failed { .. } => panic!("the voice failed"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_interruptions_neither_exhaust_the_contexts_nor_mix_the_audio() {
    let providers = StandIns::start(Options::default()).await.unwrap();
    let mut voice = voice(&providers);
    // The first one is spoken to its begin, so that the connection is open for the others.
    voice.say(ReplyId(1), "One long sentence to begin with. ".to_owned());
    tokio::time::timeout(LIMIT, voice.next()).await.expect("audio");
    voice.cancel(ReplyId(1));
    for n in 2..12 {
        voice.say(ReplyId(n), "This will be cut off at once. ".to_owned());
        voice.cancel(ReplyId(n));
    }
    voice.say(ReplyId(12), "At last. ".to_owned());
    voice.end(ReplyId(12));
    let audio = whole(&mut voice, ReplyId(12)).await;
    assert_eq!(text_of(&hear(&audio, 16_000).unwrap()), "At last.");
    voice.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_key_is_said_to_be_one() {
    let providers =
        StandIns::start(Options { refuse_keys: true, ..Options::default() }).await.unwrap();
    let mut voice = voice(&providers);
    voice.say(ReplyId(1), "Hello. ".to_owned());
    let failed = tokio::time::timeout(LIMIT, voice.next()).await.expect("an event");
    assert_eq!(failed, VoiceEvent::Failed { reply: ReplyId(1), failure: Failure::Auth });
}
