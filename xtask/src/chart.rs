//! A turn's latency as a small chart of characters.

use std::fmt::Write as _;

use serde_json::Value;

const WIDTH: u64 = 40;
const STAGES: [(&str, &str); 7] = [
    ("endpoint", "end of turn found"),
    ("transcript", "transcript final"),
    ("first_token", "model's first token"),
    ("first_clause", "first clause"),
    ("first_audio", "voice's first audio"),
    ("sent", "sent to the caller"),
    ("heard", "heard by the caller"),
];

/// The stages of one turn, from the caller's end of speech on, each bar from the stage before.
pub fn waterfall(latency: &Value) -> String {
    let at = |name: &str| latency.get(name).and_then(Value::as_u64);
    let total = STAGES.iter().filter_map(|(name, _)| at(name)).max().unwrap_or(0).max(1);
    let mut text = String::new();
    let mut from = 0;
    for (name, words) in STAGES {
        let Some(to) = at(name) else { continue };
        let start = from.min(to) * WIDTH / total;
        let length = (to * WIDTH / total).saturating_sub(start).max(1);
        let bar = format!("{}{}", " ".repeat(start as usize), "█".repeat(length as usize));
        let _ = writeln!(text, "    {words:<20} {to:>5} ms  {bar}");
        from = to;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn bars_follow_one_another_and_missing_stages_are_left_out() {
        let chart = waterfall(&json!({"endpoint": 400, "first_token": 600, "heard": 800}));
        let lines: Vec<&str> = chart.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].ends_with(&"█".repeat(20)), "{chart}");
        assert!(lines[1].ends_with(&format!("  {}{}", " ".repeat(20), "█".repeat(10))), "{chart}");
        assert_eq!(waterfall(&json!({})), "");
    }
}
