//! What a month of calls uses of each provider.

use super::{DAYS, Plan};

/// What an average call is like. Measured figures say where; the others are for you to change.
#[derive(Clone, Copy, Debug)]
pub struct Assumptions {
    /// Share of a day's calls that come in its busiest hour.
    pub busy_hour: f64,
    /// Calls that one machine is planned for: from there on the proxy starts a spare (`soft_limit` in `fly/fly.toml`).
    /// Measured: 100 calls take less than a fifth of a core.
    pub calls_per_machine: f64,
    /// Answers of the agent in a minute.
    pub turns_per_minute: f64,
    /// Tokens of context of an answer: prompt, tools and what was said so far.
    pub prompt_tokens_per_turn: f64,
    /// Tokens of an answer.
    pub reply_tokens_per_turn: f64,
    /// Characters that the agent says in a minute of call: it talks for half of it, 15 a second.
    pub characters_per_minute: f64,
    /// Bytes that a voice server sends in a second of call: 8,000 to the recogniser, 16,000 of recording, and the agent's
    /// audio, 8,000 in base64 for half of the time.
    pub bytes_out_per_second: f64,
    /// Bytes of recording in a second: two channels of mu-law.
    pub recorded_bytes_per_second: f64,
    /// Requests of a call that do not depend on its length: webhooks or API, claim, report.
    pub requests_per_call: f64,
    /// Segments of recording in a minute: one each 10 s.
    pub segments_per_minute: f64,
    /// Batches of journal in a minute: two each turn.
    pub batches_per_minute: f64,
    /// CPU of a request in ms. Measured: 1.1.
    pub cpu_ms_per_request: f64,
    /// Rows that a request writes, indexes counted.
    pub rows_written_per_request: f64,
    /// Rows that a request reads.
    pub rows_read_per_request: f64,
    /// KB of database that a closed call leaves.
    pub kb_per_call: f64,
}

impl Default for Assumptions {
    fn default() -> Self {
        Self {
            busy_hour: 0.15,
            calls_per_machine: 150.0,
            turns_per_minute: 4.0,
            prompt_tokens_per_turn: 800.0,
            reply_tokens_per_turn: 40.0,
            characters_per_minute: 450.0,
            bytes_out_per_second: 29_400.0,
            recorded_bytes_per_second: 16_000.0,
            requests_per_call: 6.0,
            segments_per_minute: 6.0,
            batches_per_minute: 8.0,
            cpu_ms_per_request: 1.1,
            rows_written_per_request: 4.0,
            rows_read_per_request: 10.0,
            kb_per_call: 2.0,
        }
    }
}

/// Heartbeats of a machine in a minute.
const HEARTBEATS_PER_MINUTE: f64 = 12.0;
const MINUTES_PER_DAY: f64 = 1440.0;
const GB: f64 = 1e9;

/// What a month uses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// Calls.
    pub calls: f64,
    /// Their minutes.
    pub minutes: f64,
    /// Most calls at once.
    pub peak_calls: f64,
    /// Tokens of context.
    pub prompt_tokens: f64,
    /// Tokens of answers.
    pub reply_tokens: f64,
    /// Characters spoken.
    pub characters: f64,
    /// GB that voice servers send.
    pub egress_gb: f64,
    /// Requests to the edge, those of heartbeats and the clock too.
    pub requests: f64,
    /// Their CPU.
    pub cpu_ms: f64,
    /// Rows of D1 read.
    pub rows_read: f64,
    /// Rows of D1 written.
    pub rows_written: f64,
    /// GB of database after a year.
    pub database_gb: f64,
    /// GB of recordings that are kept.
    pub recordings_gb: f64,
    /// Writes to R2.
    pub class_a: f64,
    /// Reads from R2.
    pub class_b: f64,
    calls_per_machine: f64,
}

impl Usage {
    /// Of a plan.
    pub fn of(plan: &Plan) -> Self {
        let like = plan.assumptions;
        let calls = plan.calls_per_day * DAYS;
        let minutes = calls * plan.minutes;
        let peak_calls = (plan.calls_per_day * like.busy_hour * plan.minutes / 60.0).ceil();
        let turns = minutes * like.turns_per_minute;
        let segments = minutes * like.segments_per_minute;
        let of_calls =
            calls * like.requests_per_call + segments + minutes * like.batches_per_minute;
        let mut usage = Self {
            calls,
            minutes,
            peak_calls,
            prompt_tokens: turns * like.prompt_tokens_per_turn,
            reply_tokens: turns * like.reply_tokens_per_turn,
            characters: minutes * like.characters_per_minute,
            egress_gb: minutes * 60.0 * like.bytes_out_per_second / GB,
            requests: 0.0,
            cpu_ms: 0.0,
            rows_read: 0.0,
            rows_written: 0.0,
            database_gb: calls * 12.0 * like.kb_per_call * 1e3 / GB,
            recordings_gb: minutes * 60.0 * like.recorded_bytes_per_second * plan.months_kept / GB,
            // Beside the segments: transcript and journal of each call.
            class_a: segments + calls * 2.0,
            // Each call's recording is read once.
            class_b: segments,
            calls_per_machine: like.calls_per_machine,
        };
        let month = MINUTES_PER_DAY * DAYS;
        let machines: f64 = plan
            .cells
            .iter()
            .map(|(_, regions)| {
                usage.machines_per_region(plan, regions.len()) * regions.len() as f64
            })
            .sum();
        let heartbeats = machines * HEARTBEATS_PER_MINUTE * month;
        let sweeps = plan.cells.len() as f64 * month;
        usage.requests = of_calls + heartbeats + sweeps;
        usage.cpu_ms = usage.requests * like.cpu_ms_per_request;
        usage.rows_read = usage.requests * like.rows_read_per_request;
        usage.rows_written = of_calls * like.rows_written_per_request + heartbeats;
        usage
    }

    /// Machines that always run in each of a cell's `regions`: enough for an even share of the busiest moment.
    pub fn machines_per_region(&self, plan: &Plan, regions: usize) -> f64 {
        let shares = (plan.cells.len() * regions) as f64;
        (self.peak_calls / shares / self.calls_per_machine).ceil().max(1.0)
    }
}
