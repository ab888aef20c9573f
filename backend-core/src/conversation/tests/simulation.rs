//! Random conversations against a simulated driver whose providers, client and caller do what is
//! plausible, late, stale or absurd. The [`oracle`] knows what must follow.

mod oracle;
mod seen;
mod world;

use std::cell::RefCell;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use crate::conversation::Rules;
use crate::conversation::tests::script::rules;
use crate::journal::Failure;
use seen::Seen;
use world::World;

/// Something that happens, if it can at that moment. `Pick`s choose among what is there.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Time passes, with its deadlines.
    Wait(u64),
    /// A deadline that is not due.
    EarlyDeadline,
    Sound,
    /// So many new words, not settled; they go on from those that are not settled yet.
    Words(usize),
    /// The words that are not settled are, and so many more.
    Settle(usize),
    /// The same at a pause.
    Endpoint(usize),
    /// The words that are not settled were none.
    Withdraw,
    UtteranceEnded,
    Typed,
    Token(Pick, usize),
    ModelDone(Pick),
    ModelFailed(Pick, Failure),
    FirstAudio(Pick),
    /// A part of what is not sent (in sixteenths), and its length in ms.
    Sent(Pick, usize, u32),
    /// A piece that comes with the mark of an earlier one.
    SentAgain(Pick),
    VoiceDone(Pick),
    VoiceFailed(Pick, Failure),
    /// The client has played so many pieces.
    Played(usize),
    /// A mark that was cleared or never sent.
    StrayMark(u32),
    TranscriberFailed(Failure),
    TranscriberReady,
    Dtmf,
    Gone,
    HungUp,
    EndRequested,
    TakenOver,
    BeganAgain,
}

/// Which of the requests that were made: the last, or any.
#[derive(Clone, Copy, Debug)]
enum Pick {
    Last,
    Any(u32),
}

fn pick() -> impl Strategy<Value = Pick> {
    prop_oneof![8 => Just(Pick::Last), 1 => any::<u32>().prop_map(Pick::Any)]
}

fn failure() -> impl Strategy<Value = Failure> {
    prop_oneof![
        8 => prop::sample::select(vec![Failure::Server, Failure::Unreachable, Failure::TimedOut]),
        1 => Just(Failure::Quota),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let time = prop_oneof![
        40 => (0u64..900).prop_map(Step::Wait),
        6 => (900u64..6000).prop_map(Step::Wait),
        2 => Just(Step::EarlyDeadline),
    ];
    let caller = prop_oneof![
        4 => Just(Step::Sound),
        5 => (1usize..3).prop_map(Step::Words),
        3 => (0usize..3).prop_map(Step::Settle),
        8 => (0usize..3).prop_map(Step::Endpoint),
        1 => Just(Step::Withdraw),
        3 => Just(Step::UtteranceEnded),
        1 => Just(Step::Typed),
        1 => Just(Step::Dtmf),
    ];
    let agent = prop_oneof![
        20 => (pick(), 1usize..12).prop_map(|(pick, words)| Step::Token(pick, words)),
        6 => pick().prop_map(Step::ModelDone),
        2 => (pick(), failure()).prop_map(|(pick, failure)| Step::ModelFailed(pick, failure)),
        6 => pick().prop_map(Step::FirstAudio),
        20 => (pick(), 0usize..=16, 0u32..800)
            .prop_map(|(pick, share, ms)| Step::Sent(pick, share, ms)),
        1 => pick().prop_map(Step::SentAgain),
        8 => pick().prop_map(Step::VoiceDone),
        2 => (pick(), failure()).prop_map(|(pick, failure)| Step::VoiceFailed(pick, failure)),
        16 => (1usize..4).prop_map(Step::Played),
        2 => (0u32..60).prop_map(Step::StrayMark),
    ];
    let line = prop_oneof![
        8 => failure().prop_map(Step::TranscriberFailed),
        12 => Just(Step::TranscriberReady),
        1 => Just(Step::Gone),
        1 => Just(Step::HungUp),
        1 => Just(Step::EndRequested),
        1 => Just(Step::TakenOver),
        1 => Just(Step::BeganAgain),
    ];
    prop_oneof![48 => time, 25 => caller, 83 => agent, 2 => line]
}

fn some_rules() -> impl Strategy<Value = Rules> {
    (any::<bool>(), 0usize..3, 3_000u64..9_000, 20_000u64..150_000).prop_map(
        |(greets, prompts, idle_ms, max_ms)| Rules {
            greeting: greets.then(|| "Hello there. I am Ann.".to_owned()),
            idle_prompts: ["Still there?", "Hello?"].map(str::to_owned)[..prompts].to_vec(),
            idle_ms,
            max_ms,
            ..rules()
        },
    )
}

/// `NEXUS_LONG_TESTS=1`: many conversations, other ones each time.
fn config() -> Config {
    let is_long = std::env::var_os("NEXUS_LONG_TESTS").is_some_and(|value| value == "1");
    let short = Config { failure_persistence: None, max_shrink_iters: 5_000, ..Config::default() };
    if is_long {
        Config { cases: 10_000, rng_seed: RngSeed::Random, ..short }
    } else {
        Config { cases: 256, rng_seed: RngSeed::Fixed(9), ..short }
    }
}

#[test]
fn every_conversation_keeps_the_rules_and_ends() {
    let config = config();
    let cases = config.cases;
    let total = RefCell::new(Seen::default());
    let steps = proptest::collection::vec(step(), 0..400);
    TestRunner::new(config)
        .run(&(some_rules(), any::<bool>(), steps), |(rules, resumed, steps)| {
            let mut world = World::new(rules, resumed);
            for step in steps {
                world.step(step);
            }
            total.borrow_mut().add(&world.finish());
            Ok(())
        })
        .unwrap();
    total.into_inner().assert_enough(cases);
}
