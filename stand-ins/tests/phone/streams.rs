//! Streams that go well: what is told to whom, and in which order.

use nexus_stand_ins::twilio::{
    AfterAbruptClose, Behaviour, CallStatus, Event, Exchange, StreamEnd,
};
use serde_json::json;

use crate::application::{ACCOUNT, Application, FROM, LIMIT, Reply, TO, account};
use crate::media_server::{Got, MediaServer, audio_of};

#[tokio::test]
async fn a_call_is_connected_and_ends_as_its_document_says() {
    let (application, media) = (Application::start().await, MediaServer::bind().await);
    let document = format!("{}<Redirect>/resume?try=1&amp;x=2</Redirect>", media.connect());
    application.on("/voice", Reply::twiml(document)).on("/resume", Reply::twiml("<Hangup/>"));
    let mut line = application.ring();
    let mut server = media.accept().await;
    let connected = json!({"event": "connected", "protocol": "Call", "version": "1.0.0"});
    assert_eq!(server.json().await, connected);
    let start = server.json().await;
    let sid = start["streamSid"].as_str().unwrap();
    assert!(sid.starts_with("MZ") && sid.len() == 34, "{sid}");
    let expected = json!({
        "event": "start", "sequenceNumber": "1", "streamSid": sid,
        "start": {
            "accountSid": ACCOUNT, "streamSid": sid, "callSid": line.call_sid(),
            "tracks": ["inbound"], "customParameters": {"ticket": "abc"},
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        },
    });
    assert_eq!(start, expected);
    let media_1 = server.json().await;
    assert_eq!((&media_1["event"], &media_1["sequenceNumber"]), (&json!("media"), &json!("2")));
    assert_eq!(
        (&media_1["media"]["track"], &media_1["media"]["chunk"]),
        (&json!("inbound"), &json!("1"))
    );
    assert_eq!(audio_of(&media_1), [0; 160], "silence is sent too");
    server.close(1000).await;
    assert_eq!(line.wait_ended(LIMIT).await.unwrap(), CallStatus::Completed);

    let voice = &application.seen("/voice")[0].form;
    assert_eq!((voice.get("From"), voice.get("To")), (Some(FROM), Some(TO)));
    assert_eq!(
        (voice.get("CallStatus"), voice.get("Direction")),
        (Some("ringing"), Some("inbound"))
    );
    assert_eq!(voice.get("CallSid"), Some(line.call_sid()));
    assert_eq!((voice.get("AccountSid"), voice.get("FromZip")), (Some(ACCOUNT), Some("")));
    let resume = &application.seen("/resume")[0];
    assert_eq!(resume.path, "/resume?try=1&x=2");
    assert_eq!(resume.form.get("CallStatus"), Some("in-progress"));
    assert_eq!(line.webhooks().len(), 2);
    assert_eq!(line.warnings().len(), 0);

    let delivered = |event: &Event| matches!(event, Event::StatusCallback { .. });
    line.wait_for("the status callback", LIMIT, delivered).await.unwrap();
    let status = &application.seen("/status")[0].form;
    assert_eq!(
        (status.get("CallStatus"), status.get("SequenceNumber")),
        (Some("completed"), Some("0"))
    );
    assert_eq!((status.get("CallDuration"), status.get("Duration")), (Some("0"), Some("1")));
    assert_eq!(status.get("CallbackSource"), Some("call-progress-events"));
    assert_eq!(application.seen("/status").len(), 1);
}

#[tokio::test]
async fn the_caller_hangs_up_with_stop_and_a_close() {
    let (application, media) = (Application::start().await, MediaServer::bind().await);
    application.on("/voice", Reply::twiml(media.connect()));
    let line = application.ring();
    let mut server = media.start().await;
    line.press("1#");
    for digit in ["1", "#"] {
        let event = server.event().await;
        assert_eq!(event["dtmf"], json!({"track": "inbound_track", "digit": digit}));
    }
    line.hang_up();
    let mut last = 0;
    let stop = loop {
        let message = server.json().await;
        let sequence: u64 = message["sequenceNumber"].as_str().unwrap().parse().unwrap();
        assert!(sequence == last + 1 || last == 0, "{sequence} after {last}");
        last = sequence;
        if message["event"] != "media" {
            break message;
        }
    };
    assert_eq!(stop["event"], "stop");
    assert_eq!(stop["stop"], json!({"accountSid": ACCOUNT, "callSid": line.call_sid()}));
    assert_eq!(server.got().await, Got::Closed);
    assert_eq!(line.wait_ended(LIMIT).await.unwrap(), CallStatus::Completed);
    assert!(line.events().iter().any(|seen| seen.event == Event::StreamEnded(StreamEnd::Stopped)));
}

#[tokio::test]
async fn a_line_that_vanishes_says_nothing() {
    let (application, media) = (Application::start().await, MediaServer::bind().await);
    application.on("/voice", Reply::twiml(format!("{}<Redirect>/r</Redirect>", media.connect())));
    let line = application.ring();
    let mut server = media.start().await;
    line.vanish();
    assert_eq!(server.next().await, Got::Cut);
    line.wait_ended(LIMIT).await.unwrap();
    assert_eq!((application.seen("/r").len(), application.seen("/status").len()), (0, 0));
}

#[tokio::test]
async fn a_stream_that_is_cut_leaves_the_call() {
    let (application, media) = (Application::start().await, MediaServer::bind().await);
    application
        .on("/voice", Reply::twiml(format!("{}<Redirect>/voice</Redirect>", media.connect())));
    let line = application.ring();
    let mut first = media.start().await;
    line.cut_stream();
    assert_eq!(first.next().await, Got::Cut);
    let second = media.start().await;
    assert_ne!(second.stream_sid, first.stream_sid);
    assert_eq!(application.seen("/voice").len(), 2);
    line.hang_up();
    line.wait_ended(LIMIT).await.unwrap();
}

#[tokio::test]
async fn a_frozen_stream_stays_open_and_silent() {
    let (application, media) = (Application::start().await, MediaServer::bind().await);
    application.on("/voice", Reply::twiml(media.connect()));
    let mut line = application.ring();
    let mut server = media.start().await;
    line.freeze();
    // The telephone goes on, and what it takes goes nowhere.
    line.say("nobody hears this").await.unwrap();
    line.hang_up();
    let mut samples = Vec::new();
    loop {
        match server.got().await {
            Got::Json(message) if message["event"] == "media" => samples.extend(audio_of(&message)),
            Got::Json(message) => assert_eq!(message["event"], "stop"),
            end => break assert_eq!(end, Got::Closed),
        }
    }
    assert!(samples.iter().all(|sample| *sample == 0), "heard after the freeze");
}

async fn lose_the_server(after: AfterAbruptClose) -> (Application, Vec<Event>) {
    let (application, media) = (Application::start().await, MediaServer::bind().await);
    let document = format!("{}<Redirect>/resume</Redirect>", media.connect());
    application.on("/voice", Reply::twiml(document)).on("/resume", Reply::twiml("<Hangup/>"));
    let exchange = Exchange::new(account()).unwrap();
    exchange.behave(|behaviour: &mut Behaviour| behaviour.after_abrupt_close = after);
    let line = application.call(&exchange);
    drop(media.start().await);
    line.wait_ended(LIMIT).await.unwrap();
    let events = line.events().into_iter().map(|seen| seen.event).collect();
    (application, events)
}

#[tokio::test]
async fn after_an_abrupt_close_the_document_goes_on() {
    let (application, events) = lose_the_server(AfterAbruptClose::ContinueTwiml).await;
    assert_eq!(application.seen("/resume").len(), 1);
    assert!(events.contains(&Event::StreamEnded(StreamEnd::Lost)));
}

#[tokio::test]
async fn after_an_abrupt_close_the_call_ends_if_told_so() {
    let (application, events) = lose_the_server(AfterAbruptClose::EndCall).await;
    assert_eq!(application.seen("/resume").len(), 0);
    assert!(events.contains(&Event::Ended { status: CallStatus::Completed }));
}

#[tokio::test]
async fn a_stream_tells_how_it_fares() {
    let (application, media) = (Application::start().await, MediaServer::bind().await);
    let stream = |url: &str, name: &str| {
        format!(
            r#"<Connect action="/after" method="GET"><Stream url="{url}" name="{name}" statusCallback="{}"/></Connect>"#,
            application.url("/stream")
        )
    };
    application.on("/voice", Reply::twiml(stream(&media.url, "a")));
    application.on("/after", Reply::twiml("<Hangup/>"));
    let mut line = application.ring();
    let server = media.start().await;
    let sid = server.stream_sid.clone();
    server.close(1000).await;
    let ended = |event: &Event| matches!(event, Event::StatusCallback { url, .. } if url.ends_with("/status"));
    line.wait_for("the end", LIMIT, ended).await.unwrap();
    let news = application.seen("/stream");
    let events: Vec<_> = news.iter().map(|seen| seen.form.get("StreamEvent").unwrap()).collect();
    assert_eq!(events, ["stream-started", "stream-stopped"]);
    let form = &news[0].form;
    assert_eq!((form.get("StreamSid"), form.get("StreamName")), (Some(sid.as_str()), Some("a")));
    assert!(form.get("Timestamp").unwrap().ends_with('Z'), "ISO 8601");
    let after = &application.seen("/after")[0];
    assert_eq!((after.method.as_str(), after.form.get("CallStatus")), ("GET", Some("in-progress")));
}
