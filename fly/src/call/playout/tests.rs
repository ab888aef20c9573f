use super::*;

const REPLY: ReplyId = ReplyId(1);
const BYTES_PER_MS: usize = 32;

fn audio(ms: usize) -> Bytes {
    Bytes::from((0..ms * BYTES_PER_MS).map(|n| (n % 251) as u8).collect::<Vec<_>>())
}

fn playout() -> Playout {
    let mut playout = Playout::new(AudioFormat::BROWSER);
    playout.say(REPLY, "Hello there, all well? ");
    playout
}

fn pieces(playout: &mut Playout, now: CallMs) -> Vec<Piece> {
    std::iter::from_fn(|| playout.next_piece(now)).collect()
}

#[test]
fn the_client_never_gets_more_than_the_lead() {
    let mut playout = playout();
    assert!(playout.audio(REPLY, audio(5000), &[]));
    assert!(!playout.audio(REPLY, audio(5000), &[]));
    playout.complete(REPLY);
    let (mut now, mut sent_ms) = (CallMs(1000), 0);
    while playout.finished().is_none() {
        for piece in pieces(&mut playout, now) {
            sent_ms += u64::from(piece.audio_ms);
        }
        let played = now.0 - 1000;
        assert!(sent_ms <= played + LEAD_MS + PIECE_MS, "{sent_ms} at {played}");
        assert!(sent_ms == 10_000 || sent_ms >= played + LEAD_MS, "{sent_ms} at {played}");
        now = now.plus(20);
    }
    assert_eq!(sent_ms, 10_000);
}

#[test]
fn pieces_are_the_audio_in_order_with_rising_marks() {
    let mut playout = playout();
    let whole = audio(990);
    for chunk in whole.chunks(1001) {
        playout.audio(REPLY, Bytes::copy_from_slice(chunk), &[]);
    }
    playout.complete(REPLY);
    let pieces = pieces(&mut playout, CallMs(0));
    let joined: Vec<u8> = pieces.iter().flat_map(|piece| piece.audio.to_vec()).collect();
    assert_eq!(joined, whole);
    let marks: Vec<u32> = pieces.iter().map(|piece| piece.mark.0).collect();
    assert_eq!(marks, (1..=pieces.len() as u32).collect::<Vec<_>>());
    assert!(pieces.iter().all(|piece| piece.audio.len() % 2 == 0));
    assert!(pieces.iter().map(|piece| piece.spoken_to).is_sorted());
    assert_eq!(pieces.last().unwrap().spoken_to, "Hello there, all well? ".len());
    assert_eq!(playout.finished(), Some(REPLY));
    assert_eq!(playout.finished(), None);
}

#[test]
fn a_short_rest_waits_for_more_unless_the_client_runs_dry() {
    let mut playout = playout();
    playout.audio(REPLY, audio(200), &[]);
    assert_eq!(pieces(&mut playout, CallMs(0)).len(), 1);
    // 40 ms wait; the client has 160 to play, then 50.
    assert_eq!(playout.next_piece(CallMs(10)), None);
    assert_eq!(playout.next_piece(CallMs(110)).map(|piece| piece.audio_ms), Some(40));
}

#[test]
fn cancelled_and_stale_speech_is_dropped() {
    let mut playout = playout();
    playout.audio(REPLY, audio(500), &[]);
    playout.cancel(REPLY);
    assert_eq!(playout.next_piece(CallMs(0)), None);
    assert!(!playout.audio(REPLY, audio(500), &[]));
    playout.say(ReplyId(2), "Next. ");
    assert!(!playout.audio(REPLY, audio(500), &[]));
    assert!(playout.audio(ReplyId(2), audio(500), &[]));
    assert_eq!(playout.next_piece(CallMs(0)).map(|piece| piece.reply), Some(ReplyId(2)));
}

#[test]
fn it_is_full_while_two_seconds_wait() {
    let mut playout = playout();
    assert!(!playout.is_full());
    playout.audio(REPLY, audio(WAITING_MAX_MS), &[]);
    assert!(playout.is_full());
    assert!(!pieces(&mut playout, CallMs(0)).is_empty());
    assert!(!playout.is_full());
    playout.audio(REPLY, audio(WAITING_MAX_MS), &[]);
    assert!(playout.is_full());
    playout.cancel(REPLY);
    assert!(!playout.is_full(), "what was cancelled is still to be read");
}
