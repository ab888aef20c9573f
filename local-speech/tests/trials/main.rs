//! Trials of the whole server with its models, over the wire. They need what `cargo xtask speech` fetches;
//! without it they are skipped, unless `NEXUS_SPEECH` names the folder where it must be.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]
#![allow(clippy::print_stdout, reason = "figures for a person")]

mod bounds;
mod load;
mod recognition;
mod server;
mod texts;
mod voice;
mod wire;

use libtest_mimic::{Arguments, Failed, Trial};

fn trial(name: &str, run: fn()) -> Trial {
    let run = move || {
        std::panic::catch_unwind(run).map_err(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Failed::from(text.unwrap_or("it panicked").to_owned())
        })
    };
    Trial::test(name, run).with_ignored_flag(!server::fetched())
}

fn main() {
    let mut arguments = Arguments::from_args();
    // Figures are measured: nothing else runs beside a trial.
    arguments.test_threads = Some(1);
    let trials = vec![
        trial("words_at_16_khz", recognition::words_at_16_khz),
        trial("words_through_a_telephone", recognition::words_through_a_telephone),
        trial("human_speech", recognition::human_speech),
        trial("the_protocol_s_own_messages", recognition::the_protocol_s_own_messages),
        trial("speech_is_audible_and_aligned", voice::speech_is_audible_and_aligned),
        trial("a_context_closed_midway_ends", voice::a_context_closed_midway_ends),
        trial("the_openai_endpoints", voice::the_openai_endpoints),
        trial("what_is_wrong_is_refused", bounds::what_is_wrong_is_refused),
        trial("too_much_text_is_refused", bounds::too_much_text_is_refused),
        trial("a_reader_that_does_not_read", bounds::a_reader_that_does_not_read),
        trial("one_connection_too_many", bounds::one_connection_too_many),
        trial("thirty_calls_at_once", load::thirty_calls_at_once),
    ];
    let conclusion = libtest_mimic::run(&arguments, trials);
    server::Server::stop_shared();
    conclusion.exit();
}
