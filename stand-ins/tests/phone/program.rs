//! The whole program: a call from the command line.

use nexus_stand_ins::twilio::{PhonePlan, run};
use serde_json::Value;

use crate::application::{ACCOUNT, Application, LIMIT, Reply, TOKEN};
use crate::media_server::{Got, MediaServer};

#[tokio::test]
async fn a_call_from_the_command_line_is_told_as_json() {
    let (application, media) = (Application::start().await, MediaServer::bind().await);
    application.on("/voice", Reply::twiml(media.connect()));
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("agent.wav");
    let args = [
        ("--voice-url", application.url("/voice")),
        ("--status-url", application.url("/status")),
        ("--account", ACCOUNT.to_owned()),
        ("--auth-token", TOKEN.to_owned()),
        ("--say", "what time is it".to_owned()),
        ("--dtmf", "5".to_owned()),
        ("--turn-limit-ms", "2000".to_owned()),
        ("--out", out.to_str().unwrap().to_owned()),
    ];
    let args = args.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]);
    let plan = PhonePlan::parse(args).unwrap();
    let server = tokio::spawn(async move {
        let mut server = media.start().await;
        server.say("hello ").await;
        server.hear("what time is it").await;
        server.say("noon ").await;
        let digit = server.event().await;
        assert_eq!(digit["dtmf"]["digit"], "5");
        assert_eq!(server.event().await["event"], "stop");
        assert_eq!(server.got().await, Got::Closed);
    });
    let mut told = Vec::new();
    let call = run(plan, |line: &Value| told.push(line.clone()));
    tokio::time::timeout(2 * LIMIT, call).await.unwrap().unwrap();
    server.await.unwrap();
    let summary = &told.last().unwrap()["summary"];
    assert_eq!(
        (&summary["status"], &summary["agent_words"]),
        (&"completed".into(), &"hello noon".into())
    );
    assert_eq!((&summary["documents"], &summary["streams"]), (&1.into(), &1.into()));
    assert!(told.iter().any(|line| line["answered"] == true));
    assert!(std::fs::metadata(&out).unwrap().len() > 16_000);
}
