use super::*;

/// Round prices, so that sums can be done by hand.
const TABLE: &str = "\
performance-1x-2048\t30\tmachine-month\t2026-11\thttps://a
region-iad\t1\tfactor\t2026-11\thttps://a
region-other\t2\tfactor\t2026-11\thttps://a
egress-na-eu\t0.1\tgb\t2026-11\thttps://a
twilio/inbound-minute\t0.01\tminute\t2026-11\thttps://a
twilio/stream-minute\t0.005\tminute\t2026-11\thttps://a
twilio/number\t1\tnumber-month\t2026-11\thttps://a
deepgram/nova-3\t0.01\tminute\t2026-11\thttps://a
elevenlabs/eleven_flash\t0.1\t1000-characters\t2026-11\thttps://a
openai-prompt/gpt-4.1\t9\tmillion-tokens\t2026-11\thttps://a
openai-reply/gpt-4.1\t9\tmillion-tokens\t2026-11\thttps://a
openai-prompt/gpt-4.1-mini\t1\tmillion-tokens\t2026-11\thttps://a
openai-reply/gpt-4.1-mini\t2\tmillion-tokens\t2026-11\thttps://a
workers/plan\t5\tmonth\t2026-11\thttps://a
workers/requests\t0.5\tmillion\t2026-11\thttps://a
workers/cpu\t0.1\tmillion-ms\t2026-11\thttps://a
d1/read\t0.001\tmillion-rows\t2026-11\thttps://a
d1/written\t1\tmillion-rows\t2026-11\thttps://a
d1/stored\t1\tgb-month\t2026-11\thttps://a
r2/stored\t0.02\tgb-month\t2026-11\thttps://a
r2/class-a\t5\tmillion\t2026-11\thttps://a
r2/class-b\t0.5\tmillion\t2026-11\thttps://a
";

fn bill(plan: &Plan) -> Vec<(String, f64)> {
    let estimate = estimate(plan, &Prices::parse(TABLE).unwrap()).unwrap();
    let sum: f64 = estimate.lines.iter().map(|line| line.usd_per_month).sum();
    assert!((estimate.usd_per_month - sum).abs() < 1e-9);
    assert!((estimate.usd_per_call * estimate.calls - sum).abs() < 1e-6);
    assert!((estimate.usd_per_minute * estimate.minutes - sum).abs() < 1e-6);
    let line = |line: &Line| {
        let what: String = line.what.chars().filter(|c| c.is_alphabetic()).take(9).collect();
        (format!("{} {what}", line.provider), (line.usd_per_month * 1e4).round() / 1e4)
    };
    estimate.lines.iter().map(line).collect()
}

#[test]
fn a_small_month_by_hand() {
    // 100 calls a day of 2.5 minutes: 3,000 calls, 7,500 minutes; Twilio counts 3 minutes each: 9,000.
    let lines = bill(&Plan::new(100.0, 2.5));
    let expected = [
        ("Twilio minutesof", 90.0),
        ("Twilio minutesof", 45.0),
        ("Twilio numbersonea", 1.0),
        ("Deepgram minutesof", 75.0),
        // 30,000 answers: 24 million tokens at 1 and 1.2 million at 2.
        ("OpenAI milliontok", 26.4),
        // 3,375 thousand characters.
        ("ElevenLabs millionch", 337.5),
        ("Fly machinesp", 30.0),
        ("Fly machinesp", 60.0),
        // 450,000 s of 29,400 bytes: 13.23 GB.
        ("Fly GBout", 1.323),
        ("Cloudflare Workerspa", 5.0),
        // All below what is included; 7.2 GB of recordings too.
        ("Cloudflare Workersmi", 0.0),
        ("Cloudflare Dmillionr", 0.0),
        ("Cloudflare RGBmillio", 0.0),
    ];
    let found: Vec<(&str, f64)> = lines.iter().map(|(name, usd)| (name.as_str(), *usd)).collect();
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for ((name, usd), (wanted, sum)) in found.iter().zip(expected) {
        assert!(name.starts_with(wanted.get(..9).unwrap()), "{name}: {wanted}");
        assert!((usd - sum).abs() < 1e-4, "{name}: {usd}, not {sum}");
    }
}

#[test]
fn a_large_month_goes_beyond_what_is_included() {
    // 80,000 calls a day of 3 minutes in two cells: 2.4 million calls, 7.2 million minutes.
    let mut plan = Plan::new(80_000.0, 3.0);
    plan.channel = Channel::Web;
    plan.cells = vec![
        (Cell::Us, vec!["iad".to_owned()]),
        (Cell::Eu, vec!["xxx".to_owned(), "yyy".to_owned()]),
    ];
    let usage = Usage::of(&plan);
    // The busiest hour has 12,000 calls of a twentieth of an hour: 600 at once, 300 in each cell.
    assert!((usage.peak_calls - 600.0).abs() < 1e-9);
    assert!((usage.machines_per_region(&plan, 1) - 2.0).abs() < 1e-9);
    assert!((usage.machines_per_region(&plan, 2) - 1.0).abs() < 1e-9);
    // 4 machines' heartbeats: 2,073,600; two sweeps a minute: 86,400; calls: 14.4 million, 43.2 million segments,
    // 57.6 million batches.
    let requests = 14_400_000.0 + 43_200_000.0 + 57_600_000.0 + 2_073_600.0 + 86_400.0;
    assert!((usage.requests - requests).abs() < 1.0, "{}", usage.requests);
    let lines = bill(&plan);
    let usd = |start: &str| {
        let of = lines.iter().filter(|(name, _)| name.starts_with(start));
        of.map(|(_, usd)| usd).sum::<f64>()
    };
    assert!((usd("Twilio")).abs() < 1e-9);
    // Two in iad, and one in each of two regions at twice the price.
    assert!((usd("Fly machines") - (60.0 + 60.0 + 60.0)).abs() < 1e-9);
    let workers = (requests - 10e6) / 1e6 * 0.5 + (requests * 1.1 - 30e6) / 1e6 * 0.1;
    assert!((usd("Cloudflare Workersmi") - workers).abs() < 1e-3, "{lines:?}");
    // 115.2 million requests write 4 rows each, heartbeats one: 462.8736 million, less 50; 57.6 GB after a year, less 5.
    assert!((usd("Cloudflare Dmil") - (412.8736 + 52.6)).abs() < 1e-3, "{lines:?}");
    // 6,912 GB less 10 at 0.02; 48 million writes less 1; 43.2 million reads less 10, rounded up.
    assert!((usd("Cloudflare RGB") - (138.04 + 235.0 + 17.0)).abs() < 1e-3, "{lines:?}");
}

#[test]
fn the_longest_name_of_a_model_counts_and_an_unknown_one_is_named() {
    let prices = Prices::parse(TABLE).unwrap();
    assert!((prices.model("openai-prompt/", "gpt-4.1-mini-2025").unwrap() - 1.0).abs() < 1e-9);
    let mut plan = Plan::new(1.0, 1.0);
    plan.model = "llama3".to_owned();
    assert!(estimate(&plan, &prices).unwrap_err().to_string().contains("llama3"));
}

#[test]
fn the_checkouts_table_prices_a_plan() {
    let prices = Prices::list().unwrap();
    let estimate = estimate(&Plan::new(100.0, 3.0), &prices).unwrap();
    assert!(estimate.usd_per_minute > 0.01 && estimate.usd_per_minute < 1.0);
}
