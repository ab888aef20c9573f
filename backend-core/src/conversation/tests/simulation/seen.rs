//! How much the simulation reached.

/// How much the conversations exercised.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) completed: u32,
    /// Cut while some of it was at the client.
    pub(super) interrupted: u32,
    /// Cut before anything was at the client.
    pub(super) cancelled: u32,
    pub(super) heard_in_part: u32,
    pub(super) model_retries: u32,
    pub(super) voice_retries: u32,
    pub(super) idle_prompts: u32,
    pub(super) user_turns: u32,
    pub(super) late_words: u32,
    pub(super) stale: u32,
    pub(super) ended_idle: u32,
    pub(super) ended_at_max: u32,
    pub(super) ended_by_failure: u32,
    pub(super) abandoned: u32,
}

impl Seen {
    pub(super) fn add(&mut self, other: &Self) {
        self.completed += other.completed;
        self.interrupted += other.interrupted;
        self.cancelled += other.cancelled;
        self.heard_in_part += other.heard_in_part;
        self.model_retries += other.model_retries;
        self.voice_retries += other.voice_retries;
        self.idle_prompts += other.idle_prompts;
        self.user_turns += other.user_turns;
        self.late_words += other.late_words;
        self.stale += other.stale;
        self.ended_idle += other.ended_idle;
        self.ended_at_max += other.ended_at_max;
        self.ended_by_failure += other.ended_by_failure;
        self.abandoned += other.abandoned;
    }

    /// A simulation that hardly reaches the interesting states shows nothing.
    pub(super) fn assert_enough(&self, cases: u32) {
        let floors = [
            ("completed replies", self.completed, 50),
            ("interrupted replies", self.interrupted, 50),
            ("cancelled replies", self.cancelled, 50),
            ("replies heard in part", self.heard_in_part, 20),
            ("models asked again", self.model_retries, 5),
            ("voices replaced", self.voice_retries, 10),
            ("idle prompts", self.idle_prompts, 20),
            ("user turns", self.user_turns, 200),
            ("words of a turn that was complete", self.late_words, 10),
            ("stale events", self.stale, 50),
            ("idle ends", self.ended_idle, 5),
            ("longest calls", self.ended_at_max, 5),
            ("provider failures", self.ended_by_failure, 5),
            ("abandoned calls", self.abandoned, 2),
        ];
        for (name, count, percent) in floors {
            assert!(count * 100 >= cases * percent, "{name}: {count} in {cases}: {self:?}");
        }
    }
}
