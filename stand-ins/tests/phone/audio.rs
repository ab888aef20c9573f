//! What is said and what is heard, in real time.

use std::time::{Duration, Instant};

use nexus_stand_ins::twilio::{Event, Exchange};
use nexus_stand_ins::words::{hear, speak, text_of};

use crate::application::{Application, LIMIT, Reply, account};
use crate::media_server::{MediaServer, audio_of};

#[tokio::test]
async fn what_is_said_arrives_at_the_pace_of_time() {
    let (application, media) = (Application::start().await, MediaServer::bind().await);
    application.on("/voice", Reply::twiml(media.connect()));
    let mut line = application.ring();
    let mut server = media.start().await;
    line.wait_for_stream(LIMIT).await.unwrap();
    let begin = Instant::now();
    let hearing = tokio::spawn(async move {
        let (mut samples, mut chunk) = (Vec::new(), 0);
        while text_of(&hear(&samples, 8_000).unwrap()) != "Hello, who is there?" {
            let message = server.json().await;
            chunk += 1;
            assert_eq!(message["media"]["chunk"], chunk.to_string());
            assert_eq!(message["media"]["timestamp"], (chunk * 20).to_string());
            samples.extend(audio_of(&message));
        }
        (server, samples)
    });
    line.say("Hello, who is there?").await.unwrap();
    let spoken_ms = speak("Hello, who is there?", 8_000).samples.len() as u64 / 8;
    let (_server, samples) = hearing.await.unwrap();
    let taken = begin.elapsed().as_millis() as u64;
    assert!((spoken_ms - 120..spoken_ms + 5_000).contains(&taken), "{taken} for {spoken_ms}");
    // Both sides agree on every sample, and the telephone's two timelines are of one length.
    let said = line.said();
    assert_eq!(said.len(), line.heard().len());
    assert_eq!(text_of(&hear(&said, 8_000).unwrap()), "Hello, who is there?");
    assert!(said.len() >= samples.len());
}

#[tokio::test]
async fn marks_are_echoed_when_their_audio_has_been_heard() {
    let (application, media) = (Application::start().await, MediaServer::bind().await);
    application.on("/voice", Reply::twiml(media.connect()));
    let line = application.ring();
    let mut server = media.start().await;
    server.mark("nothing before").await;
    assert_eq!(server.marks(1).await, ["nothing before"]);
    let begin = Instant::now();
    let first = server.say("one two ").await;
    server.mark("first").await;
    let second = server.say("three ").await;
    server.mark("second").await;
    assert_eq!(server.marks(1).await, ["first"]);
    let at = begin.elapsed().as_millis() as u64;
    assert!((first - 20..first + 5_000).contains(&at), "{at} ms for {first} ms");
    assert_eq!(server.marks(1).await, ["second"]);
    let at = begin.elapsed().as_millis() as u64;
    let both = first + second;
    assert!((both - 20..both + 5_000).contains(&at), "{at} ms for {both} ms");
    assert_eq!(line.heard_words(), "one two three");
    assert!((second..=both).contains(&line.queued_max_ms()), "{}", line.queued_max_ms());
}

#[tokio::test]
async fn a_clear_drops_what_is_queued_and_echoes_every_pending_mark() {
    let (application, media) = (Application::start().await, MediaServer::bind().await);
    application.on("/voice", Reply::twiml(media.connect()));
    let mut line = application.ring();
    let mut server = media.start().await;
    let first = server.say("one ").await;
    server.mark("a").await;
    let second = server.say("two and many more words that nobody will ever hear ").await;
    server.mark("b").await;
    server.say("three ").await;
    server.mark("c").await;
    assert_eq!(server.marks(1).await, ["a"]);
    let begin = Instant::now();
    server.clear().await;
    assert_eq!(server.marks(2).await, ["b", "c"]);
    assert!(begin.elapsed() < Duration::from_millis(second), "not when they would be heard");
    let cleared = |event: &Event| matches!(event, Event::Clear { .. });
    let Event::Clear { dropped_ms } = line.wait_for("a clear", LIMIT, cleared).await.unwrap().event
    else {
        panic!("no clear")
    };
    assert!(dropped_ms > first, "{dropped_ms} of {second}");
    server.say("four ").await;
    server.mark("d").await;
    assert_eq!(server.marks(1).await, ["d"]);
    let heard = line.heard_words();
    assert!(heard.starts_with("one") && heard.ends_with("four"), "{heard}");
    assert!(!heard.contains("three"), "{heard}");
}

#[tokio::test]
async fn what_is_queued_when_the_stream_ends_is_never_heard() {
    let (application, media) = (Application::start().await, MediaServer::bind().await);
    application.on("/voice", Reply::twiml(format!("{}<Say>bye</Say>", media.connect())));
    let line = application.ring();
    let mut server = media.start().await;
    server.say("a long farewell that is not waited for ").await;
    line.wait_heard(400, LIMIT).await.unwrap();
    server.close(1000).await;
    line.wait_ended(LIMIT).await.unwrap();
    let heard = line.heard_words();
    assert!(heard.ends_with("bye") && !heard.contains("waited"), "{heard}");
}

#[tokio::test]
async fn recordings_are_played_at_any_rate() {
    let (application, media) = (Application::start().await, MediaServer::bind().await);
    application.on("/voice", Reply::twiml(media.connect()));
    let mut line = application.ring();
    let mut server = media.start().await;
    line.wait_for_stream(LIMIT).await.unwrap();
    let samples = speak("good morning", 24_000).samples;
    let playing = tokio::spawn(async move {
        line.play_pcm(&samples, 24_000).await.unwrap();
        line
    });
    server.hear("good morning").await;
    playing.await.unwrap().hang_up();
}

#[tokio::test]
async fn under_load_no_audio_is_kept() {
    let (application, media) = (Application::start().await, MediaServer::bind().await);
    application.on("/voice", Reply::twiml(media.connect()));
    let exchange = Exchange::new(account()).unwrap();
    exchange.behave(|behaviour| behaviour.discard_audio = true);
    let line = application.call(&exchange);
    let mut server = media.start().await;
    server.say("one ").await;
    server.mark("a").await;
    assert_eq!(server.marks(1).await, ["a"]);
    assert_eq!((line.heard().len(), line.said().len()), (0, 0));
}
