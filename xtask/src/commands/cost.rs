//! `cargo xtask cost`: what a month of calls costs at list prices.

use lexopt::Arg::Long;
use lexopt::{Parser, ValueExt};
use serde_json::json;
use xtask::cell::Cell;
use xtask::cost::{self, Channel, Plan, Prices};
use xtask::error::Fault;

/// Of `cost`.
#[derive(Debug)]
pub(crate) struct Cost {
    plan: Plan,
    json: bool,
}

fn wrong(error: &lexopt::Error) -> Fault {
    Fault::of("command line", error)
}

/// The flags of `cost`.
pub(crate) fn flags(mut parser: Parser) -> Result<Cost, Fault> {
    let mut plan = Plan::new(0.0, 0.0);
    let mut json = false;
    let mut cells = Vec::new();
    while let Some(argument) = parser.next().map_err(|error| wrong(&error))? {
        let Long(name) = argument else { return Err(wrong(&argument.unexpected())) };
        let name = name.to_owned();
        if name == "json" {
            json = true;
            continue;
        }
        let value = parser.value().and_then(ValueExt::string).map_err(|error| wrong(&error))?;
        match name.as_str() {
            "calls-per-day" => plan.calls_per_day = positive(&name, &value)?,
            "minutes" => plan.minutes = positive(&name, &value)?,
            "months-kept" => plan.months_kept = positive(&name, &value)?,
            "cell-regions" => cells.push(regions(&value)?),
            "channel" => plan.channel = channel(&value)?,
            "transcriber" => plan.transcriber = value,
            "model" => plan.model = value,
            "voice" => plan.voice = value,
            _ => return Err(Fault(format!("there is no flag --{name}"))),
        }
    }
    if plan.calls_per_day <= 0.0 || plan.minutes <= 0.0 {
        return Err(Fault("cost wants --calls-per-day N and --minutes M".to_owned()));
    }
    if !cells.is_empty() {
        plan.cells = cells;
    }
    Ok(Cost { plan, json })
}

fn positive(name: &str, value: &str) -> Result<f64, Fault> {
    let number = value.parse::<f64>().ok().filter(|number| *number > 0.0 && number.is_finite());
    number.ok_or_else(|| Fault(format!("--{name} wants a number above 0")))
}

fn channel(value: &str) -> Result<Channel, Fault> {
    match value {
        "phone" => Ok(Channel::Phone),
        "web" => Ok(Channel::Web),
        _ => Err(Fault("--channel is phone or web".to_owned())),
    }
}

/// `us=iad,fra`.
fn regions(value: &str) -> Result<(Cell, Vec<String>), Fault> {
    let wrong = || Fault("--cell-regions is a cell and its regions, as in us=iad,fra".to_owned());
    let (cell, regions) = value.split_once('=').ok_or_else(wrong)?;
    let cell = Cell::ALL.into_iter().find(|one| one.name() == cell).ok_or_else(wrong)?;
    let regions: Vec<String> = regions.split(',').map(str::to_owned).collect();
    let fits =
        |region: &String| region.len() == 3 && region.bytes().all(|byte| byte.is_ascii_lowercase());
    if regions.iter().all(fits) { Ok((cell, regions)) } else { Err(wrong()) }
}

/// Prints the estimate.
pub(crate) fn run(cost: &Cost) -> Result<(), Fault> {
    let prices = Prices::list()?;
    let estimate = cost::estimate(&cost.plan, &prices)?;
    let oldest = prices.all().iter().map(|price| price.month).min().unwrap_or_default();
    if cost.json {
        let all = json!({"estimate": estimate, "oldest_price": oldest});
        println!("{all:#}");
        return Ok(());
    }
    println!(
        "{:.0} calls and {:.0} minutes in 30 days, {:.0} calls at once in the busiest hour\n",
        estimate.calls, estimate.minutes, estimate.peak_calls
    );
    for line in &estimate.lines {
        println!("{:<11} {:<58} {:>11.2}", line.provider, line.what, line.usd_per_month);
    }
    println!("{:<70} {:>11.2} USD a month", "", estimate.usd_per_month);
    println!("{:<70} {:>11.4} USD a call", "", estimate.usd_per_call);
    println!("{:<70} {:>11.4} USD a minute", "", estimate.usd_per_minute);
    println!(
        "\nList prices, the oldest of {oldest} (fly/prices.tsv has each one's date and source), without taxes and \
         discounts. What a call uses is assumed; docs/cost.md says how."
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_needs_calls_and_minutes() {
        let flags = |line: &str| flags(Parser::from_args(line.split(' ')));
        let line =
            "--calls-per-day 10 --minutes 2.5 --cell-regions us=iad --cell-regions eu=fra,ams";
        let cost = flags(line).unwrap();
        assert_eq!(cost.plan.cells.len(), 2);
        assert!((cost.plan.minutes - 2.5).abs() < 1e-9);
        for line in [
            "--calls-per-day 10",
            "--minutes 2",
            "--calls-per-day 0 --minutes 2",
            "--calls-per-day x --minutes 2",
            "--calls-per-day 10 --minutes 2 --cell-regions us",
            "--calls-per-day 10 --minutes 2 --cell-regions us=Iad",
            "--calls-per-day 10 --minutes 2 --channel fax",
            "--calls-per-day 10 --minutes 2 --colour red",
        ] {
            assert!(flags(line).is_err(), "{line}");
        }
    }
}
