//! Whether everything that calls left behind has arrived at the edge.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::client::{Outcome, Team};

/// How long delivery and sealing may take after the last hang-up.
const LIMIT: Duration = Duration::from_mins(2);
const INTERVAL: Duration = Duration::from_millis(500);

/// What is left after a level.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Settled {
    /// Seconds from the last hang-up until nothing was left, or until it was given up.
    pub(super) seconds: f64,
    /// Calls that are ended and whose recording is complete.
    pub(super) sealed: usize,
    /// Calls that are not.
    pub(super) unsealed: usize,
    /// Journal entries in the spool.
    pub(super) spooled_entries: u64,
    /// Segments of recordings in the spool.
    pub(super) spooled_segments: u64,
}

/// Waits until all calls of the team are sealed and the spool is empty.
pub(super) async fn wait(team: &Team, metrics: &str, calls: usize) -> Outcome<Settled> {
    let from = Instant::now();
    loop {
        let text = reqwest::get(metrics).await?.text().await?;
        let gauge = |name: &str| gauge(&text, name).ok_or(format!("no metric {name}"));
        let sealed = sealed(team).await?;
        let settled = Settled {
            seconds: from.elapsed().as_secs_f64(),
            sealed,
            unsealed: calls.saturating_sub(sealed),
            spooled_entries: gauge("nexus_voice_spool_entries")?,
            spooled_segments: gauge("nexus_voice_spool_segments")?,
        };
        let left = settled.unsealed as u64 + settled.spooled_entries + settled.spooled_segments;
        if left == 0 || from.elapsed() > LIMIT {
            return Ok(settled);
        }
        sleep(INTERVAL).await;
    }
}

async fn sealed(team: &Team) -> Outcome<usize> {
    Ok(calls(team).await?.iter().filter(|call| is_sealed(call)).count())
}

/// All calls of the team.
async fn calls(team: &Team) -> Outcome<Vec<Value>> {
    let mut path = "/api/calls?limit=100".to_owned();
    let mut all = Vec::new();
    loop {
        let page = team.get(&path, &[]).await?.json();
        let calls = page.get("data").and_then(Value::as_array).ok_or("no list of calls")?;
        all.extend_from_slice(calls);
        let Some(cursor) = page.get("next_cursor").and_then(Value::as_str) else {
            return Ok(all);
        };
        path = format!("/api/calls?limit=100&cursor={cursor}");
    }
}

/// How many turns the team's callers have in their transcripts that are not this text.
pub(super) async fn turns_but(team: &Team, text: &str) -> Outcome<u64> {
    let mut count = 0;
    for call in calls(team).await? {
        let id = call.get("id").and_then(Value::as_str).ok_or("a call without an id")?;
        let turns = team.turns(id).await?;
        count += turns.iter().filter(|turn| is_other_turn(turn, text)).count() as u64;
    }
    Ok(count)
}

fn is_other_turn(turn: &Value, text: &str) -> bool {
    let member = |name: &str| turn.get(name).and_then(Value::as_str);
    member("role") == Some("user") && member("text").map(str::trim) != Some(text)
}

fn is_sealed(call: &Value) -> bool {
    call.get("status").and_then(Value::as_str) == Some("ended")
        && call.pointer("/recording/complete").and_then(Value::as_bool) == Some(true)
}

/// The value of a metric; its labels are part of its name.
pub(super) fn gauge(text: &str, name: &str) -> Option<u64> {
    let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok();
    text.lines().find_map(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_metric_is_found_by_its_whole_name() {
        let text = "# HELP a_b Of a.\na_b_c 3\na_b 17\n";
        assert_eq!((gauge(text, "a_b"), gauge(text, "a")), (Some(17), None));
    }

    #[test]
    fn a_turn_of_the_caller_that_nobody_said_is_another() {
        let turn = |role, text| json!({"role": role, "text": text});
        assert!(is_other_turn(&turn("user", "(speech, 0.3 s)"), "Hello"));
        assert!(!is_other_turn(&turn("user", "Hello "), "Hello"));
        assert!(!is_other_turn(&turn("agent", "Hi"), "Hello"));
    }

    #[test]
    fn a_call_is_sealed_with_its_recording() {
        let call =
            |status, complete| json!({"status": status, "recording": {"complete": complete}});
        assert!(is_sealed(&call("ended", true)));
        assert!(!is_sealed(&call("ended", false)));
        assert!(!is_sealed(&call("in_progress", true)));
        assert!(!is_sealed(&json!({"status": "ended", "recording": null})));
    }
}
