//! Calls that the account places through the REST API.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nexus_core::twilio::Form;
use nexus_stand_ins::options::Options;
use nexus_stand_ins::server::StandIns;
use nexus_stand_ins::twilio::{Answer, CallStatus, Event, Line};
use serde_json::{Value, json};

use crate::application::{ACCOUNT, Application, FROM, LIMIT, Reply, TO, TOKEN};
use crate::media_server::{Got, MediaServer};

struct Api {
    stand_ins: StandIns,
    http: reqwest::Client,
}

impl Api {
    async fn start() -> Self {
        let options = Options {
            twilio_account: ACCOUNT.to_owned(),
            twilio_auth_token: TOKEN.to_owned(),
            ..Options::default()
        };
        let stand_ins = StandIns::start(options).await.unwrap();
        Self { stand_ins, http: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    async fn send(&self, request: reqwest::RequestBuilder, auth: &str) -> (u16, Value) {
        let basic = format!("Basic {}", STANDARD.encode(auth));
        let response = request.header("authorization", basic).send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/2010-04-01/Accounts/{ACCOUNT}/{path}", self.stand_ins.address())
    }

    async fn post(&self, path: &str, pairs: &[(&str, &str)]) -> (u16, Value) {
        let body: Form = pairs.iter().copied().collect();
        let request = self.http.post(self.url(path)).body(body.encode());
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        self.send(request, &format!("{ACCOUNT}:{TOKEN}")).await
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.send(self.http.get(self.url(path)), &format!("{ACCOUNT}:{TOKEN}")).await
    }

    /// Calls somebody with every callback.
    async fn call(&self, application: &Application) -> (String, Line) {
        let (url, status) = (application.url("/voice"), application.url("/status"));
        let mut pairs =
            vec![("To", TO), ("From", FROM), ("Url", &url), ("StatusCallback", &status)];
        for event in ["initiated", "ringing", "answered", "completed"] {
            pairs.push(("StatusCallbackEvent", event));
        }
        let (code, call) = self.post("Calls.json", &pairs).await;
        assert_eq!(code, 201, "{call}");
        let line = self.stand_ins.exchange().outbound(LIMIT).await.unwrap();
        assert_eq!(call["sid"], line.call_sid());
        assert_eq!(
            (&call["status"], &call["direction"]),
            (&json!("queued"), &json!("outbound-api"))
        );
        (format!("Calls/{}.json", line.call_sid()), line)
    }
}

async fn settled(line: &mut Line, callbacks: usize) {
    let mut told = 0;
    line.wait_for("every callback", LIMIT, |event| {
        told += usize::from(matches!(event, Event::StatusCallback { .. }));
        told == callbacks
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_call_is_placed_answered_and_ended_through_the_api() {
    let (api, application) = (Api::start().await, Application::start().await);
    let media = MediaServer::bind().await;
    application.on("/voice", Reply::twiml(media.connect()));
    let (path, mut line) = api.call(&application).await;
    let mut server = media.start().await;
    let voice = &application.seen("/voice")[0].form;
    assert_eq!(voice.get("Direction"), Some("outbound-api"));
    assert_eq!((voice.get("CallStatus"), voice.get("To")), (Some("in-progress"), Some(TO)));
    let (_code, call) = api.get(&path).await;
    assert_eq!(call["status"], "in-progress");
    assert!(call["start_time"].as_str().unwrap().ends_with(" +0000"), "{call}");

    let (code, call) = api.post(&path, &[("Status", "completed")]).await;
    assert_eq!((code, &call["status"], &call["duration"]), (200, &json!("completed"), &json!("0")));
    assert_eq!(server.event().await["event"], "stop");
    assert_eq!(server.got().await, Got::Closed);
    let (code, error) = api.post(&path, &[("Status", "completed")]).await;
    assert_eq!((code, &error["code"], &error["status"]), (400, &json!(21_220), &json!(400)));
    assert_eq!(error["more_info"], "https://www.twilio.com/docs/errors/21220");

    settled(&mut line, 4).await;
    let told: Vec<_> = application
        .seen("/status")
        .iter()
        .map(|seen| {
            let field = |name| seen.form.get(name).unwrap().to_owned();
            (field("SequenceNumber"), field("CallStatus"))
        })
        .collect();
    let expected = [("0", "initiated"), ("1", "ringing"), ("2", "in-progress"), ("3", "completed")];
    assert_eq!(told, expected.map(|(number, status)| (number.to_owned(), status.to_owned())));
}

#[tokio::test]
async fn calls_that_nobody_answers_end_as_they_should() {
    for (answer, status, callbacks) in [
        (Answer::Busy, CallStatus::Busy, 3),
        (Answer::NoAnswer, CallStatus::NoAnswer, 3),
        (Answer::Failed, CallStatus::Failed, 2),
    ] {
        let (api, application) = (Api::start().await, Application::start().await);
        api.stand_ins.exchange().behave(|behaviour| {
            behaviour.callee.answer = answer;
            behaviour.callee.ring_ms = 0;
        });
        let url = application.url("/status");
        let mut pairs =
            vec![("To", TO), ("From", FROM), ("Twiml", "<Response/>"), ("Timeout", "0")];
        pairs.push(("StatusCallback", &url));
        for event in ["initiated", "ringing", "completed"] {
            pairs.push(("StatusCallbackEvent", event));
        }
        let (code, _call) = api.post("Calls.json", &pairs).await;
        assert_eq!(code, 201);
        let mut line = api.stand_ins.exchange().outbound(LIMIT).await.unwrap();
        assert_eq!(line.wait_ended(LIMIT).await.unwrap(), status);
        settled(&mut line, callbacks).await;
        let last = application.seen("/status").pop().unwrap().form;
        assert_eq!(last.get("CallStatus"), Some(status.as_str()));
        assert_eq!(last.get("CallDuration"), Some("0"));
    }
}

#[tokio::test]
async fn a_call_gets_another_document_in_its_middle() {
    let (api, application) = (Api::start().await, Application::start().await);
    let media = MediaServer::bind().await;
    application.on("/voice", Reply::twiml(media.connect()));
    let (path, line) = api.call(&application).await;
    let mut server = media.start().await;
    let transfer = "<Response><Dial>+15559990000</Dial></Response>";
    let (code, call) = api.post(&path, &[("Twiml", transfer)]).await;
    assert_eq!((code, &call["status"]), (200, &json!("in-progress")));
    assert_eq!(server.event().await["event"], "stop");
    assert_eq!(line.wait_ended(LIMIT).await.unwrap(), CallStatus::Completed);
    let dialled = |event: &Event| matches!(event, Event::Dialled { numbers, .. } if numbers == &["+15559990000"]);
    assert!(line.events().iter().any(|seen| dialled(&seen.event)));
}

#[tokio::test]
async fn machines_are_detected_before_or_beside_the_document() {
    let (api, application) = (Api::start().await, Application::start().await);
    api.stand_ins.exchange().behave(|behaviour| {
        behaviour.callee.answered_by = "machine_start".to_owned();
    });
    application.on("/voice", Reply::twiml("<Hangup/>"));
    let (url, verdict) = (application.url("/voice"), application.url("/amd"));
    let base = [("To", TO), ("From", FROM), ("Url", url.as_str()), ("MachineDetection", "Enable")];
    api.post("Calls.json", &base).await;
    let line = api.stand_ins.exchange().outbound(LIMIT).await.unwrap();
    line.wait_ended(LIMIT).await.unwrap();
    assert_eq!(application.seen("/voice")[0].form.get("AnsweredBy"), Some("machine_start"));
    let (_code, call) = api.get(&format!("Calls/{}.json", line.call_sid())).await;
    assert_eq!(call["answered_by"], "machine_start");

    let beside = [("AsyncAmd", "true"), ("AsyncAmdStatusCallback", verdict.as_str())];
    api.post("Calls.json", &[&base[..], &beside[..]].concat()).await;
    let mut line = api.stand_ins.exchange().outbound(LIMIT).await.unwrap();
    settled(&mut line, 1).await;
    line.wait_ended(LIMIT).await.unwrap();
    assert_eq!(application.seen("/voice")[1].form.get("AnsweredBy"), None);
    assert_eq!(application.seen("/amd")[0].form.get("AnsweredBy"), Some("machine_start"));
}

#[tokio::test]
async fn requests_are_refused_with_twilios_codes() {
    let api = Api::start().await;
    let twiml = ("Twiml", "<Response/>");
    let cases: [(&[(&str, &str)], u32); 11] = [
        (&[("From", FROM), twiml], 21_201),
        (&[("To", ""), ("From", FROM), twiml], 21_201),
        (&[("To", "5551230002"), ("From", FROM), twiml], 21_211),
        (&[("To", TO), twiml], 21_213),
        (&[("To", TO), ("From", "me"), twiml], 21_212),
        (&[("To", TO), ("From", FROM)], 21_205),
        (&[("To", TO), ("From", FROM), ("Url", "/voice")], 21_205),
        (&[("To", TO), ("From", FROM), twiml, ("StatusCallback", "http://a_b/s")], 21_609),
        (
            &[
                ("To", TO),
                ("From", FROM),
                twiml,
                ("StatusCallback", "http://h/s"),
                ("StatusCallbackEvent", "initiated ringing"),
            ],
            21_626,
        ),
        (&[("To", TO), ("From", FROM), twiml, ("AsyncAmd", "yes")], 20_001),
        (&[("To", TO), ("From", FROM), twiml, ("SendDigits", "1x")], 20_001),
    ];
    for (pairs, code) in cases {
        let (status, error) = api.post("Calls.json", pairs).await;
        assert_eq!((status, &error["code"]), (400, &json!(code)), "{pairs:?}: {error}");
        assert!(!error["message"].as_str().unwrap().is_empty());
    }
    let (status, error) = api.get("Calls/CA00000000000000000000000000000000.json").await;
    assert_eq!((status, &error["code"]), (404, &json!(20_404)));
    for auth in ["", "AC1:x", &format!("{ACCOUNT}:wrong"), TOKEN] {
        let (status, error) = api.send(api.http.get(api.url("Calls.json")), auth).await;
        assert_eq!((status, &error["code"]), (401, &json!(20_003)), "{auth}");
    }
    let (status, page) = api.get("Calls.json").await;
    assert_eq!((status, &page["calls"]), (200, &json!([])));
}

#[tokio::test]
async fn calls_are_listed_and_the_control_changes_how_they_go() {
    let api = Api::start().await;
    let control = json!({
        "twilio": {"refuse": 429},
        "phone": {"callee": {"answer": "busy", "ring_ms": 1}, "after_abrupt_close": "end_call"},
    });
    let url = format!("http://{}/control", api.stand_ins.address());
    let request = api.http.post(url).header("content-type", "application/json");
    let response = request.body(control.to_string()).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    let place = [("To", TO), ("From", FROM), ("Twiml", "<Response/>")];
    let (status, error) = api.post("Calls.json", &place).await;
    assert_eq!((status, &error["code"]), (429, &json!(20_429)));
    for _ in 0..3 {
        assert_eq!(api.post("Calls.json", &place).await.0, 201);
        let line = api.stand_ins.exchange().outbound(LIMIT).await.unwrap();
        assert_eq!(line.wait_ended(LIMIT).await.unwrap(), CallStatus::Busy);
    }
    let (_status, page) = api.get("Calls.json?Status=busy&PageSize=2").await;
    assert_eq!(page["calls"].as_array().unwrap().len(), 2);
    let next = page["next_page_uri"].as_str().unwrap();
    assert!(next.contains("Page=1"), "{next}");
    let (_status, page) = api.get("Calls.json?Status=completed").await;
    assert_eq!((&page["calls"], &page["next_page_uri"]), (&json!([]), &json!(null)));
}
