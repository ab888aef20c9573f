//! Documents: where they come from, what they say, and what is wrong with them.

use std::time::{Duration, Instant};

use nexus_core::audio::pcm;
use nexus_core::audio::wav::{self, WavEncoding, WavFormat};
use nexus_stand_ins::twilio::{
    Answer, CallStatus, DialOutcome, Event, Exchange, InboundCall, Line,
};
use nexus_stand_ins::words::speak;

use crate::application::{Application, FROM, LIMIT, Reply, TO, account};

async fn ended(application: &Application) -> (CallStatus, Line) {
    let line = application.ring();
    (line.wait_ended(LIMIT).await.unwrap(), line)
}

fn errors(line: &Line) -> Vec<u32> {
    let errors = line.events().into_iter().filter_map(|seen| match seen.event {
        Event::Error { code, .. } => Some(code),
        _ => None,
    });
    errors.collect()
}

#[tokio::test]
async fn faulty_answers_end_the_call_with_twilios_codes() {
    for (reply, code) in [
        (Reply::of(500, "text/xml", "<Response/>"), 11_200),
        (Reply::of(302, "text/xml", "<Response/>"), 11_200),
        (Reply::of(200, "text/xml", "<Response><Say>a & b</Say></Response>"), 12_100),
        (Reply::of(200, "text/xml", "<Hangup/>"), 12_100),
        (Reply::of(200, "text/xml", ""), 12_100),
        (Reply::of(200, "application/json", "{}"), 12_300),
        (Reply::of(200, "text/plain", "<Response/>"), 12_300),
    ] {
        let application = Application::start().await;
        application.on("/voice", reply);
        let (status, line) = ended(&application).await;
        assert_eq!((status, errors(&line)), (CallStatus::Completed, vec![code]));
    }
    let line =
        Exchange::new(account()).unwrap().call(InboundCall::new(FROM, TO, "http://127.0.0.1:1/v"));
    line.wait_ended(LIMIT).await.unwrap();
    assert_eq!(errors(&line), [11_200]);
}

#[tokio::test]
async fn a_fallback_is_asked_once() {
    let application = Application::start().await;
    application.on("/voice", Reply::of(500, "text/xml", ""));
    application.on("/fallback", Reply::twiml("<Redirect>/voice</Redirect>"));
    let mut call = InboundCall::new(FROM, TO, application.url("/voice"));
    call.fallback_url = Some(application.url("/fallback"));
    let line = Exchange::new(account()).unwrap().call(call);
    line.wait_ended(LIMIT).await.unwrap();
    let fallback = application.seen("/fallback");
    assert_eq!(fallback.len(), 1);
    assert_eq!(fallback[0].form.get("ErrorCode"), Some("11200"));
    assert_eq!(fallback[0].form.get("ErrorUrl"), Some(application.url("/voice").as_str()));
    assert_eq!(errors(&line), [11_200, 11_200]);
}

#[tokio::test]
async fn calls_are_refused_without_an_answer() {
    for (verb, status) in [
        (r#"<Reject reason="busy"/>"#, CallStatus::Busy),
        ("<Reject/>", CallStatus::NoAnswer),
        (r#"<Pause length="0"/><Reject/>"#, CallStatus::NoAnswer),
        ("<Say>hi</Say><Reject/>", CallStatus::Completed),
    ] {
        let application = Application::start().await;
        application.on("/voice", Reply::twiml(verb));
        let (ended, line) = ended(&application).await;
        assert_eq!(ended, status, "{verb}");
        assert_eq!(line.answered_ms().is_some(), status == CallStatus::Completed, "{verb}");
    }
}

#[tokio::test]
async fn other_documents_answer_even_when_they_say_nothing() {
    for verbs in ["", "<Hangup/>", "<Shout/>"] {
        let application = Application::start().await;
        application.on("/voice", Reply::twiml(verbs));
        let (status, line) = ended(&application).await;
        assert_eq!((status, line.answered_ms().is_some()), (CallStatus::Completed, true));
        let unknown = u64::from(verbs == "<Shout/>");
        assert_eq!(line.warnings().get(&12_200).copied().unwrap_or(0), unknown, "{verbs}");
    }
}

#[tokio::test]
async fn a_pause_takes_its_time_and_a_redirect_loop_ends() {
    let application = Application::start().await;
    application.on("/voice", Reply::twiml(r#"<Pause length="1"/><Hangup/>"#));
    let begin = Instant::now();
    ended(&application).await;
    assert!(begin.elapsed() >= Duration::from_secs(1), "{:?}", begin.elapsed());
    let application = Application::start().await;
    application.on("/voice", Reply::twiml("<Redirect>voice</Redirect>"));
    let (_status, line) = ended(&application).await;
    assert_eq!(errors(&line), [12_400]);
    assert_eq!(application.seen("/voice").len(), 200);
}

#[tokio::test]
async fn twilios_own_audio_is_heard_in_order() {
    let application = Application::start().await;
    let samples = speak("two", 16_000).samples;
    let format = WavFormat { encoding: WavEncoding::Pcm16, sample_rate: 16_000, channels: 1 };
    let mut file = wav::header(format, samples.len() as u64 * 2);
    pcm::encode_onto(&samples, &mut file);
    let document = "<Say>one</Say><Play>/two.wav</Play><Play>/missing.wav</Play><Say>three</Say>";
    application
        .on("/voice", Reply::twiml(document))
        .on("/two.wav", Reply::of(200, "audio/wav", file));
    let (_status, line) = ended(&application).await;
    assert_eq!(line.heard_words(), "one two three");
    assert_eq!(line.warnings(), [(13_520, 1)].into());
}

#[tokio::test]
async fn a_dial_is_recorded_and_comes_out_as_told() {
    for (answer, told) in [
        (Answer::Answer, "completed"),
        (Answer::Busy, "busy"),
        (Answer::NoAnswer, "no-answer"),
        (Answer::Failed, "failed"),
    ] {
        let application = Application::start().await;
        let dial = r#"<Dial action="/after" timeout="0" callerId="+15551230002"><Number>+15559990000</Number></Dial>"#;
        application.on("/voice", Reply::twiml(dial)).on("/after", Reply::twiml("<Hangup/>"));
        let exchange = Exchange::new(account()).unwrap();
        exchange.behave(|behaviour| {
            behaviour.dial = DialOutcome { answer, talk: Duration::from_millis(20) };
        });
        let line = application.call(&exchange);
        line.wait_ended(LIMIT).await.unwrap();
        let dialled = Event::Dialled { numbers: vec!["+15559990000".to_owned()], answer };
        assert!(line.events().iter().any(|seen| seen.event == dialled), "{answer:?}");
        assert_eq!(application.seen("/after")[0].form.get("DialCallStatus"), Some(told));
    }
}

#[tokio::test]
async fn callers_hang_up_before_the_answer() {
    let application = Application::start().await;
    application.on("/voice", Reply::twiml(r#"<Pause length="30"/>"#));
    let mut line = application.ring();
    let pausing = |event: &Event| matches!(event, Event::Verb(_));
    line.wait_for("the pause", LIMIT, pausing).await.unwrap();
    line.hang_up();
    assert_eq!(line.wait_ended(LIMIT).await.unwrap(), CallStatus::Canceled);
    let told = |event: &Event| matches!(event, Event::StatusCallback { .. });
    line.wait_for("the callback", LIMIT, told).await.unwrap();
    let status = &application.seen("/status")[0].form;
    assert_eq!((status.get("CallStatus"), status.get("Duration")), (Some("canceled"), None));
    assert_eq!(status.get("SipResponseCode"), Some("487"));
}
