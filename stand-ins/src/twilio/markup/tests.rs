use super::*;

fn parse(body: &str) -> Markup {
    let xml = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response>{body}</Response>");
    xml.parse().unwrap()
}

fn verbs(body: &str) -> Vec<Verb> {
    let markup = parse(body);
    assert_eq!(markup.warnings, [] as [String; 0], "{body}");
    markup.verbs
}

#[test]
fn a_connected_call_is_read() {
    let read = verbs(
        r#"
        <Pause length="1"/>
        <Connect action="/after" method="GET">
          <Stream url="wss://h/media" name="n" statusCallback="https://h/st">
            <Parameter name="ticket" value="a&amp;b"/>
          </Stream>
        </Connect>
        <Redirect>https://h/r?x=1&amp;y=2</Redirect>"#,
    );
    let stream = Stream {
        url: "wss://h/media".to_owned(),
        name: Some("n".to_owned()),
        parameters: vec![("ticket".to_owned(), "a&b".to_owned())],
        status_callback: Some(Target { url: "https://h/st".to_owned(), method: Method::Post }),
    };
    let action = Some(Target { url: "/after".to_owned(), method: Method::Get });
    let next = Target { url: "https://h/r?x=1&y=2".to_owned(), method: Method::Post };
    let expected =
        [Verb::Pause { seconds: 1 }, Verb::Connect { stream, action }, Verb::Redirect(next)];
    assert_eq!(read, expected);
}

#[test]
fn what_our_builder_writes_is_read_without_a_warning() {
    use nexus_core::twilio::twiml;
    let stream = twiml::Stream::new("wss://h/media").unwrap();
    let stream = stream.with_parameter("a \"b\"", "<&>\n'").unwrap();
    let written = twiml::Verbs::new().pause(2).say(" <b> & ", "en-US").connect(&stream);
    let read: Markup = written.redirect("https://h/r?a=1&b='2'").as_str().parse().unwrap();
    assert_eq!(read.warnings, [] as [String; 0]);
    let expected_stream = Stream {
        url: "wss://h/media".to_owned(),
        parameters: vec![("a \"b\"".to_owned(), "<&>\n'".to_owned())],
        ..Stream::default()
    };
    let expected = [
        Verb::Pause { seconds: 2 },
        Verb::Say { text: "<b> &".to_owned() },
        Verb::Connect { stream: expected_stream, action: None },
        Verb::Redirect(Target { url: "https://h/r?a=1&b='2'".to_owned(), method: Method::Post }),
    ];
    assert_eq!(read.verbs, expected);
    let busy: Markup = twiml::Twiml::reject(twiml::RejectReason::Busy).as_str().parse().unwrap();
    assert_eq!(busy.verbs, [Verb::Reject { busy: true }]);
}

#[test]
fn small_verbs_are_read() {
    assert_eq!(verbs("<Hangup/>"), [Verb::Hangup]);
    assert_eq!(verbs("<Pause/>"), [Verb::Pause { seconds: 1 }]);
    assert_eq!(verbs("<Reject/>"), [Verb::Reject { busy: false }]);
    let play = Verb::Play { url: String::new(), digits: Some("1w2".to_owned()) };
    assert_eq!(verbs(r#"<Play digits="1w2"/>"#), [play]);
    let dial = Dial { numbers: vec!["+15551".to_owned()], timeout_seconds: 30, ..Dial::default() };
    assert_eq!(verbs("<Dial>+15551</Dial>"), [Verb::Dial(dial.clone())]);
    let read = verbs(r#"<Dial timeout="9" callerId="+1"><Number>+15551</Number></Dial>"#);
    let dial = Dial { timeout_seconds: 9, caller_id: Some("+1".to_owned()), ..dial };
    assert_eq!(read, [Verb::Dial(dial)]);
}

#[test]
fn what_is_no_xml_is_no_document() {
    for xml in [
        "",
        "hello",
        "<Response>",
        "<Response><Say>a & b</Say></Response>",
        "<Response></response>",
        " <?xml version=\"1.0\"?><Response/>",
        "<Response/><Response/>",
        "<response/>",
        "<!DOCTYPE a [<!ENTITY b \"c\">]><Response>&b;</Response>",
    ] {
        assert!(xml.parse::<Markup>().is_err(), "{xml}");
    }
    assert_eq!("<Response/>".parse(), Ok(Markup::default()));
}

#[test]
fn what_the_schema_does_not_know_is_passed_over_with_a_warning() {
    let long = "x".repeat(494);
    let long = format!(
        r#"<Connect><Stream url="wss://h/m"><Parameter name="ticket" value="{long}"/></Stream></Connect>"#
    );
    for (body, left) in [
        ("<Shout>hi</Shout>", 0),
        ("<hangup/>", 0),
        ("<Hangup now=\"1\"/>", 1),
        ("<Connect/>", 0),
        ("<Pause length=\"x\"/>", 1),
        ("<Play/>", 0),
        ("loose<Hangup/>", 1),
        ("<Say><b>x</b></Say>", 1),
        ("<Redirect method=\"PUT\">/</Redirect>", 1),
        (long.as_str(), 1),
    ] {
        let markup = parse(body);
        assert_eq!((markup.warnings.len(), markup.verbs.len()), (1, left), "{body}");
    }
    let room = parse("<Connect><Room>r</Room></Connect>");
    let expected = ["<Room>: not possible here", "<Connect>: nothing to connect to"];
    assert_eq!((room.warnings.as_slice(), room.verbs.len()), (&expected.map(str::to_owned)[..], 0));
    let Verb::Connect { stream, .. } = parse(&long).verbs.remove(0) else { panic!("{long}") };
    assert_eq!(stream.parameters, []);
}
