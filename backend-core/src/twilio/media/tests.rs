use super::*;
use proptest::prelude::*;

const START: &str = r#"{"event":"start","sequenceNumber":"1","start":{"accountSid":"AC1","streamSid":"MZ1","callSid":"CA1","tracks":["inbound"],"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1},"customParameters":{"token":"abc"}},"streamSid":"MZ1"}"#;

fn start() -> Start<'static> {
    Start {
        account_sid: "AC1".into(),
        call_sid: "CA1".into(),
        stream_sid: "MZ1".into(),
        tracks: vec![Track::Inbound],
        format: MediaFormat::PHONE,
        parameters: [("token", "abc")].into_iter().collect(),
    }
}

fn in_stream(sequence: u64, event: StreamEvent<'_>) -> FromTwilio<'_> {
    FromTwilio { sequence: Some(sequence), stream_sid: Some("MZ1".into()), event }
}

fn documented() -> Vec<(&'static str, FromTwilio<'static>)> {
    let media = Media {
        track: Track::Inbound,
        chunk: Some(1),
        timestamp_ms: Some(5),
        payload: Payload("/w==".into()),
    };
    let connected = StreamEvent::Connected { protocol: "Call".into(), version: "1.0.0".into() };
    let stop = Stop { account_sid: "AC1".into(), call_sid: "CA1".into() };
    vec![
        (
            r#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#,
            FromTwilio { sequence: None, stream_sid: None, event: connected },
        ),
        (START, in_stream(1, StreamEvent::Start(start()))),
        (
            r#"{"event":"media","sequenceNumber":"2","media":{"track":"inbound","chunk":"1","timestamp":"5","payload":"/w=="},"streamSid":"MZ1"}"#,
            in_stream(2, StreamEvent::Media(media)),
        ),
        (
            r#"{"event":"dtmf","sequenceNumber":"5","dtmf":{"track":"inbound_track","digit":"1"},"streamSid":"MZ1"}"#,
            in_stream(5, StreamEvent::Dtmf(Digit("1".into()))),
        ),
        (
            r#"{"event":"mark","sequenceNumber":"4","mark":{"name":"m1"},"streamSid":"MZ1"}"#,
            in_stream(4, StreamEvent::Mark { name: "m1".into() }),
        ),
        (
            r#"{"event":"stop","sequenceNumber":"9","stop":{"accountSid":"AC1","callSid":"CA1"},"streamSid":"MZ1"}"#,
            in_stream(9, StreamEvent::Stop(stop)),
        ),
    ]
}

#[test]
fn documented_messages_are_read_and_written() {
    for (text, message) in documented() {
        assert_eq!(FromTwilio::parse(text), Ok(message.clone()), "{text}");
        assert_eq!(message.to_json(), text);
    }
}

#[test]
fn numbers_may_be_numbers_or_strings_in_any_order_of_fields() {
    let text = r#"{"streamSid":"MZ1","media":{"payload":"","chunk":7,"timestamp":"120",
        "later":[1]},"sequenceNumber":3,"event":"media","new":{"a":null}}"#;
    let media = Media {
        track: Track::Inbound,
        chunk: Some(7),
        timestamp_ms: Some(120),
        payload: Payload("".into()),
    };
    assert_eq!(FromTwilio::parse(text), Ok(in_stream(3, StreamEvent::Media(media))));
    let text = START.replace("8000", "\"8000\"").replace(":1}", ":\"1\"}");
    let message = FromTwilio::parse(&text).unwrap();
    let StreamEvent::Start(start) = message.event else { panic!("{message:?}") };
    assert!(start.format.is_phone());
    assert_eq!(start.parameters.get("token"), Some("abc"));
    assert_eq!(start.parameters.get("Token"), None);
}

#[test]
fn texts_are_borrowed_where_json_allows() {
    let plain = r#"{"event":"media","media":{"payload":"/w=="},"streamSid":"MZ1"}"#;
    let escaped = r#"{"event":"media","media":{"payload":"\/w=="},"streamSid":"MZ1"}"#;
    for (text, borrowed) in [(plain, true), (escaped, false)] {
        let message = FromTwilio::parse(text).unwrap();
        let StreamEvent::Media(media) = message.event else { panic!("{text}") };
        assert_eq!(matches!(media.payload.0, Cow::Borrowed(_)), borrowed, "{text}");
        let mut audio = vec![9];
        media.payload.decode_onto(&mut audio).unwrap();
        assert_eq!(audio, [9, 0xFF]);
    }
}

#[test]
fn what_is_unknown_is_told_from_what_is_broken() {
    for later in [r#"{"event":"later","x":1}"#, r#"{"event":"clear","streamSid":"MZ1"}"#] {
        let message = FromTwilio::parse(later).unwrap();
        assert_eq!(message.event, StreamEvent::Unknown, "{later}");
    }
    for broken in [
        "",
        "null",
        "[]",
        "{}",
        r#"{"event":1}"#,
        r#"{"event":"media","media":{"payload":7}}"#,
        r#"{"event":"media","media":{}}"#,
        r#"{"event":"media","media":{"payload":""},"sequenceNumber":"-1"}"#,
        r#"{"event":"media","media":{"payload":""},"sequenceNumber":1.5}"#,
        r#"{"event":"mark","mark":{"name":"a"}} x"#,
    ] {
        assert_eq!(FromTwilio::parse(broken), Err(MediaError::Malformed), "{broken}");
    }
    for event in ["media", "mark", "dtmf", "start", "stop"] {
        let text = format!(r#"{{"event":"{event}"}}"#);
        assert_eq!(FromTwilio::parse(&text), Err(MediaError::Missing(event)));
    }
}

#[test]
fn payloads_that_are_no_base64_leave_the_buffer_alone() {
    for bad in ["/w=", "/w", "!!!!", "/w==/w=", "////?w=="] {
        let mut audio = vec![1, 2];
        let outcome = Payload(bad.into()).decode_onto(&mut audio);
        assert_eq!((outcome, audio), (Err(MediaError::Payload), vec![1, 2]), "{bad}");
    }
}

#[test]
fn commands_are_those_of_the_documentation() {
    let commands = Commands::new("MZ1");
    let cases = [
        (
            commands.media(&[0xFF, 0x00]),
            r#"{"event":"media","streamSid":"MZ1","media":{"payload":"/wA="}}"#,
            StreamCommand::Media(Payload("/wA=".into())),
        ),
        (
            commands.mark("m\"1"),
            r#"{"event":"mark","streamSid":"MZ1","mark":{"name":"m\"1"}}"#,
            StreamCommand::Mark { name: "m\"1".into() },
        ),
        (commands.clear(), r#"{"event":"clear","streamSid":"MZ1"}"#, StreamCommand::Clear),
    ];
    for (written, documented, command) in cases {
        assert_eq!(written, documented);
        let expected = ToTwilio { stream_sid: "MZ1".into(), command };
        assert_eq!(ToTwilio::parse(&written), Ok(expected));
    }
}

#[test]
fn commands_are_read_strictly() {
    let cases = [
        ("x", MediaError::Malformed),
        (r#"{"event":"media","streamSid":"MZ1","media":{}}"#, MediaError::Malformed),
        (r#"{"event":"media","streamSid":"MZ1"}"#, MediaError::Missing("media")),
        (r#"{"event":"mark","streamSid":"MZ1"}"#, MediaError::Missing("mark")),
        (r#"{"event":"clear"}"#, MediaError::Missing("streamSid")),
        (r#"{"event":"stop","streamSid":"MZ1"}"#, MediaError::UnknownEvent),
    ];
    for (text, error) in cases {
        assert_eq!(ToTwilio::parse(text), Err(error), "{text}");
    }
}

#[test]
fn nothing_personal_is_printed() {
    let start = in_stream(1, StreamEvent::Start(start()));
    let digit = in_stream(2, StreamEvent::Dtmf(Digit("7".into())));
    let payload = Payload::of(b"voice");
    let printed = format!("{start:?} {digit:?} {payload:?}");
    for secret in ["abc", "7", "dm9pY2U"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}

proptest! {
    #[test]
    fn audio_survives(audio in prop::collection::vec(any::<u8>(), 0..400)) {
        let text = Commands::new("MZ1").media(&audio);
        let StreamCommand::Media(payload) = ToTwilio::parse(&text).unwrap().command else {
            return Err(TestCaseError::fail("no media"));
        };
        let mut decoded = Vec::new();
        payload.decode_onto(&mut decoded).unwrap();
        prop_assert_eq!(decoded, audio);
    }

    #[test]
    fn no_text_breaks_the_reader(text in "\\PC{0,60}") {
        _ = FromTwilio::parse(&text);
        _ = ToTwilio::parse(&text);
    }
}
