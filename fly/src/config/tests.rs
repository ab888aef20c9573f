use std::collections::HashMap;

use super::*;

const PUBLIC: &str = r#"{"t1":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

fn base() -> HashMap<&'static str, &'static str> {
    HashMap::from([
        ("NEXUS_CELL", "us"),
        ("NEXUS_EDGE_URL", "http://127.0.0.1:8787"),
        ("NEXUS_SERVICE_KEY", "v1:c2VjcmV0"),
        ("NEXUS_TICKET_PUBLIC_KEYS", PUBLIC),
        ("NEXUS_SPOOL_DIR", "/tmp/spool"),
        ("DEEPGRAM_API_KEY", "dg"),
        ("ELEVENLABS_API_KEY", "xi"),
        ("OPENAI_API_KEY", "sk"),
    ])
}

fn read(changes: &[(&'static str, &'static str)]) -> Result<Config, ConfigError> {
    let mut values = base();
    values.extend(changes.iter().copied());
    Config::read(&|name| values.get(name).map(|value| (*value).to_owned()))
}

#[test]
fn what_is_not_said_has_a_default() {
    let config = read(&[]).unwrap();
    assert_eq!((config.port, config.metrics_port, config.max_calls), (8080, 9080, 200));
    assert_eq!(config.reclaim, Duration::from_secs(15));
    assert_eq!(config.service_key.key.expose(), b"secret");
    assert_eq!(config.ticket_keys.len(), 1);
    assert_eq!(config.providers.deepgram.url.as_str(), "wss://api.deepgram.com/");
    assert!(!config.providers.openai.simulated);
    assert!(!config.providers.opt_out);
}

#[test]
fn all_faults_are_named_at_once_and_no_value_shows() {
    let error = read(&[
        ("NEXUS_CELL", "mars"),
        ("PORT", "hunter2"),
        ("NEXUS_EDGE_URL", "http://example.com"),
        ("NEXUS_SERVICE_KEY", "hunter2"),
        ("NEXUS_TICKET_PUBLIC_KEYS", r#"{"t1":"hunter2"}"#),
        ("NEXUS_SPOOL_DIR", " "),
        ("OPENAI_API_KEY", ""),
    ])
    .unwrap_err();
    let names: Vec<&str> = error.faults.iter().map(|fault| fault.name).collect();
    assert_eq!(
        names,
        [
            "NEXUS_CELL",
            "PORT",
            "NEXUS_EDGE_URL",
            "NEXUS_SERVICE_KEY",
            "NEXUS_TICKET_PUBLIC_KEYS",
            "NEXUS_SPOOL_DIR",
            "OPENAI_API_KEY"
        ]
    );
    let text = error.to_string();
    assert!(!text.contains("hunter2") && !text.contains('\n'), "{text}");
}

#[test]
fn a_spare_machine_ends_without_calls_and_another_does_not() {
    let minutes =
        |changes: &[_]| read(changes).unwrap().idle_exit.map(|limit| limit.as_secs() / 60);
    assert_eq!(minutes(&[]), None);
    assert_eq!(minutes(&[("FLY_PROCESS_GROUP", "app")]), None);
    assert_eq!(minutes(&[("FLY_PROCESS_GROUP", "spare")]), Some(15));
    assert_eq!(minutes(&[("FLY_PROCESS_GROUP", "spare"), ("NEXUS_IDLE_EXIT_MS", "0")]), None);
    assert_eq!(minutes(&[("NEXUS_IDLE_EXIT_MS", "120000")]), Some(2));
    let soon = read(&[("NEXUS_IDLE_EXIT_MS", "soon")]).unwrap_err();
    assert_eq!(soon.faults[0].name, "NEXUS_IDLE_EXIT_MS");
}

#[test]
fn no_secret_shows_in_debug_output() {
    let config = read(&[("DEEPGRAM_API_KEY", "hunter2")]).unwrap();
    let text = format!("{config:?}");
    assert!(!text.contains("hunter2") && !text.contains("c2VjcmV0"), "{text}");
}

#[test]
fn a_loopback_provider_is_simulated_and_needs_no_key() {
    let config =
        read(&[("DEEPGRAM_URL", "ws://127.0.0.1:9900"), ("DEEPGRAM_API_KEY", "")]).unwrap();
    assert!(config.providers.deepgram.simulated);
}

#[test]
fn a_stream_is_checked_when_token_and_address_are_known() {
    let token = ("TWILIO_AUTH_TOKEN", "12345");
    let address = ("NEXUS_PUBLIC_URL", "https://voice.example.com");
    let blind = read(&[token]).unwrap_err();
    assert_eq!(blind.faults[0].name, "NEXUS_PUBLIC_URL", "a token alone checks nothing");
    assert!(read(&[address]).unwrap().twilio.is_none());
    let streams = read(&[token, address]).unwrap().twilio.unwrap();
    let mut headers = http::HeaderMap::new();
    assert!(!streams.has_signed(&headers));
    // HMAC-SHA1 of wss://voice.example.com/v1/twilio.
    headers.insert("x-twilio-signature", "LlXgETQBie/lEXbglT20RkzJTMk=".parse().unwrap());
    assert!(streams.has_signed(&headers));
    headers.insert("x-twilio-signature", "7PR3qMkpDyEJtMrVOY/LDyNq8J8=".parse().unwrap());
    assert!(!streams.has_signed(&headers));
    let plain = read(&[("NEXUS_PUBLIC_URL", "http://voice.example.com")]).unwrap_err();
    assert_eq!(plain.faults[0].name, "NEXUS_PUBLIC_URL");
}

#[test]
fn the_eu_cell_reaches_eu_hosts_alone() {
    let config = read(&[("NEXUS_CELL", "eu")]).unwrap();
    assert!(config.providers.opt_out);
    let hosts =
        [&config.providers.deepgram, &config.providers.elevenlabs, &config.providers.openai]
            .map(|provider| provider.url.host_str().unwrap().to_owned());
    assert_eq!(
        hosts,
        ["api.eu.deepgram.com", "api.eu.residency.elevenlabs.io", "eu.api.openai.com"]
    );
    let abroad = [("NEXUS_CELL", "eu"), ("OPENAI_BASE_URL", "https://api.openai.com/v1")];
    assert_eq!(read(&abroad).unwrap_err().faults[0].name, "OPENAI_BASE_URL");
    for (name, value) in [
        ("OPENAI_BASE_URL", "http://127.0.0.1:9901/v1"),
        ("OPENAI_BASE_URL", "https://llm.example.de/v1"),
    ] {
        let allowed =
            [("NEXUS_CELL", "eu"), ("NEXUS_EU_HOSTS", "a.example, llm.example.de"), (name, value)];
        assert!(read(&allowed).is_ok(), "{value}");
    }
}
