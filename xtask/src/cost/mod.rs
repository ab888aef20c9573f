//! What a month of calls costs: usage from the number of calls and their length, times list prices.

mod prices;
mod usage;

use serde::Serialize;

use crate::cell::Cell;
use crate::error::Fault;

pub use prices::{Price, Prices};
pub use usage::{Assumptions, Usage};

/// Days of a month.
pub const DAYS: f64 = 30.0;
/// The machine of `fly/fly.toml`.
const MACHINE: &str = "performance-1x-2048";
/// Workers' paid plan includes these: requests, ms of CPU, D1 rows read and written, D1 GB.
const INCLUDED_REQUESTS: f64 = 10e6;
const INCLUDED_CPU_MS: f64 = 30e6;
const INCLUDED_ROWS_READ: f64 = 25e9;
const INCLUDED_ROWS_WRITTEN: f64 = 50e6;
const INCLUDED_D1_GB: f64 = 5.0;
/// R2 includes these: GB, writing and reading operations.
const INCLUDED_R2_GB: f64 = 10.0;
const INCLUDED_CLASS_A: f64 = 1e6;
const INCLUDED_CLASS_B: f64 = 10e6;

/// How callers come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Over Twilio.
    Phone,
    /// In a browser.
    Web,
}

/// What is asked about.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Calls a day, of all cells together.
    pub calls_per_day: f64,
    /// Mean length of a call.
    pub minutes: f64,
    /// How they come.
    pub channel: Channel,
    /// The regions of each cell's voice servers. The calls are shared evenly.
    pub cells: Vec<(Cell, Vec<String>)>,
    /// Recordings are kept so long.
    pub months_kept: f64,
    /// The models' names.
    pub transcriber: String,
    /// The same.
    pub model: String,
    /// The same.
    pub voice: String,
    /// What an average call is like.
    pub assumptions: Assumptions,
}

impl Plan {
    /// One with the usual models in the first two regions of cell us.
    pub fn new(calls_per_day: f64, minutes: f64) -> Self {
        Self {
            calls_per_day,
            minutes,
            channel: Channel::Phone,
            cells: vec![(Cell::Us, vec!["iad".to_owned(), "fra".to_owned()])],
            months_kept: 1.0,
            transcriber: "nova-3".to_owned(),
            model: "gpt-4.1-mini".to_owned(),
            voice: "eleven_flash_v2_5".to_owned(),
            assumptions: Assumptions::default(),
        }
    }
}

/// One line of the bill.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// Who sends the bill.
    pub provider: &'static str,
    /// For what.
    pub what: String,
    /// A month, in US dollars.
    pub usd_per_month: f64,
}

/// The whole.
#[derive(Clone, Debug, Serialize)]
pub struct Estimate {
    /// Calls of the month.
    pub calls: f64,
    /// Their minutes.
    pub minutes: f64,
    /// Most calls at once, of all cells.
    pub peak_calls: f64,
    /// Line by line.
    pub lines: Vec<Line>,
    /// Their sum, in US dollars.
    pub usd_per_month: f64,
    /// The same for each call.
    pub usd_per_call: f64,
    /// The same for each minute.
    pub usd_per_minute: f64,
}

struct Bill<'a> {
    prices: &'a Prices<'a>,
    lines: Vec<Line>,
}

impl Bill<'_> {
    fn add(&mut self, provider: &'static str, what: impl Into<String>, usd_per_month: f64) {
        self.lines.push(Line { provider, what: what.into(), usd_per_month });
    }

    fn phone(&mut self, plan: &Plan, usage: &Usage) -> Result<(), Fault> {
        if plan.channel == Channel::Web {
            return Ok(());
        }
        let billed = usage.calls * plan.minutes.ceil();
        let line = self.prices.get("twilio/inbound-minute")?;
        self.add("Twilio", format!("{billed:.0} minutes of inbound calls"), billed * line);
        let stream = self.prices.get("twilio/stream-minute")?;
        self.add("Twilio", format!("{billed:.0} minutes of media streams"), billed * stream);
        let number = self.prices.get("twilio/number")? * plan.cells.len() as f64;
        self.add("Twilio", format!("numbers, one a cell: {}", plan.cells.len()), number);
        Ok(())
    }

    fn speech(&mut self, plan: &Plan, usage: &Usage) -> Result<(), Fault> {
        let minute = self.prices.model("deepgram/", &plan.transcriber)?;
        let what = format!("{:.0} minutes of {}", usage.minutes, plan.transcriber);
        self.add("Deepgram", what, usage.minutes * minute);
        let prompt = self.prices.model("openai-prompt/", &plan.model)?;
        let reply = self.prices.model("openai-reply/", &plan.model)?;
        let model = usage.prompt_tokens / 1e6 * prompt + usage.reply_tokens / 1e6 * reply;
        let what = format!(
            "{:.1} + {:.1} million tokens of {}",
            usage.prompt_tokens / 1e6,
            usage.reply_tokens / 1e6,
            plan.model
        );
        self.add("OpenAI", what, model);
        let thousand = self.prices.model("elevenlabs/", &plan.voice)?;
        let what = format!("{:.2} million characters of {}", usage.characters / 1e6, plan.voice);
        self.add("ElevenLabs", what, usage.characters / 1000.0 * thousand);
        Ok(())
    }

    fn machines(&mut self, plan: &Plan, usage: &Usage) -> Result<(), Fault> {
        let machine = self.prices.get(MACHINE)?;
        for (cell, regions) in &plan.cells {
            for region in regions {
                let factor = self.prices.get(&format!("region-{region}"));
                let factor = factor.or_else(|_| self.prices.get("region-other"))?;
                let count = usage.machines_per_region(plan, regions.len());
                let what =
                    format!("{count:.0} machines {MACHINE} in {region}, cell {}", cell.name());
                self.add("Fly", what, count * machine * factor);
            }
        }
        let egress = self.prices.get("egress-na-eu")?;
        self.add("Fly", format!("{:.1} GB out", usage.egress_gb), usage.egress_gb * egress);
        Ok(())
    }

    fn edge(&mut self, usage: &Usage) -> Result<(), Fault> {
        let beyond = |used: f64, included: f64| (used - included).max(0.0);
        self.add("Cloudflare", "Workers, paid plan", self.prices.get("workers/plan")?);
        let requests = beyond(usage.requests, INCLUDED_REQUESTS) / 1e6;
        let cpu = beyond(usage.cpu_ms, INCLUDED_CPU_MS) / 1e6;
        let usd = requests * self.prices.get("workers/requests")?
            + cpu * self.prices.get("workers/cpu")?;
        let what = format!("Workers, {:.2} million requests", usage.requests / 1e6);
        self.add("Cloudflare", what, usd);
        let read = beyond(usage.rows_read, INCLUDED_ROWS_READ) / 1e6;
        let written = beyond(usage.rows_written, INCLUDED_ROWS_WRITTEN) / 1e6;
        let stored = beyond(usage.database_gb, INCLUDED_D1_GB);
        let usd = read * self.prices.get("d1/read")?
            + written * self.prices.get("d1/written")?
            + stored * self.prices.get("d1/stored")?;
        let what = format!(
            "D1, {:.2} million rows read, {:.2} million written",
            usage.rows_read / 1e6,
            usage.rows_written / 1e6
        );
        self.add("Cloudflare", what, usd);
        // R2 counts whole GB and whole millions.
        let stored = beyond(usage.recordings_gb, INCLUDED_R2_GB).ceil();
        let class_a = (beyond(usage.class_a, INCLUDED_CLASS_A) / 1e6).ceil();
        let class_b = (beyond(usage.class_b, INCLUDED_CLASS_B) / 1e6).ceil();
        let usd = stored * self.prices.get("r2/stored")?
            + class_a * self.prices.get("r2/class-a")?
            + class_b * self.prices.get("r2/class-b")?;
        let what =
            format!("R2, {:.1} GB, {:.2} million writes", usage.recordings_gb, usage.class_a / 1e6);
        self.add("Cloudflare", what, usd);
        Ok(())
    }
}

/// What `plan` costs.
pub fn estimate(plan: &Plan, prices: &Prices<'_>) -> Result<Estimate, Fault> {
    let usage = Usage::of(plan);
    let mut bill = Bill { prices, lines: Vec::new() };
    bill.phone(plan, &usage)?;
    bill.speech(plan, &usage)?;
    bill.machines(plan, &usage)?;
    bill.edge(&usage)?;
    let sum: f64 = bill.lines.iter().map(|line| line.usd_per_month).sum();
    Ok(Estimate {
        calls: usage.calls,
        minutes: usage.minutes,
        peak_calls: usage.peak_calls,
        lines: bill.lines,
        usd_per_month: sum,
        usd_per_call: sum / usage.calls,
        usd_per_minute: sum / usage.minutes,
    })
}

#[cfg(test)]
mod tests;
