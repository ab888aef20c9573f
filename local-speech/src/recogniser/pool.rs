//! A few threads that recognise, and the queue in front of them.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::sync::oneshot;

use super::{Recogniser, RecogniserError};

/// Most decodings that wait.
const QUEUE_MAX: usize = 64;

/// Nobody is free for this now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

type Answer = Result<String, RecogniserError>;

struct Job {
    samples: Vec<i16>,
    answer: oneshot::Sender<Answer>,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    idle: usize,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    more: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The threads. Dropping this ends them once what they do is done.
pub struct Pool {
    shared: Arc<Shared>,
}

impl Pool {
    /// A thread for each recogniser.
    pub fn start(recognisers: Vec<Box<dyn Recogniser>>) -> Self {
        let shared = Arc::<Shared>::default();
        for recogniser in recognisers {
            let shared = Arc::clone(&shared);
            thread::spawn(move || work(&shared, recogniser));
        }
        Self { shared }
    }

    /// Recognises what must be recognised, behind what is waiting.
    pub fn submit(&self, samples: Vec<i16>) -> Result<oneshot::Receiver<Answer>, Busy> {
        self.push(samples, |state| state.queue.len() < QUEUE_MAX)
    }

    /// Recognises only if somebody has nothing else to do.
    pub fn offer(&self, samples: Vec<i16>) -> Result<oneshot::Receiver<Answer>, Busy> {
        self.push(samples, |state| state.queue.len() < state.idle)
    }

    fn push(
        &self,
        samples: Vec<i16>,
        room: impl FnOnce(&State) -> bool,
    ) -> Result<oneshot::Receiver<Answer>, Busy> {
        let mut state = self.shared.lock();
        if !room(&state) {
            return Err(Busy);
        }
        let (answer, receiver) = oneshot::channel();
        state.queue.push_back(Job { samples, answer });
        drop(state);
        self.shared.more.notify_one();
        Ok(receiver)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.more.notify_all();
    }
}

fn work(shared: &Shared, mut recogniser: Box<dyn Recogniser>) {
    while let Some(job) = next(shared) {
        // A caller who has gone needs no words.
        if !job.answer.is_closed() {
            let _ = job.answer.send(recogniser.recognise(&job.samples));
        }
    }
}

fn next(shared: &Shared) -> Option<Job> {
    let mut state = shared.lock();
    state.idle += 1;
    let job = loop {
        if let Some(job) = state.queue.pop_front() {
            break Some(job);
        }
        if state.closed {
            break None;
        }
        state = shared.more.wait(state).unwrap_or_else(PoisonError::into_inner);
    };
    state.idle -= 1;
    job
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// Says how many samples it got, once it may.
    struct Gated(mpsc::Receiver<()>);

    impl Recogniser for Gated {
        fn recognise(&mut self, samples: &[i16]) -> Result<String, RecogniserError> {
            self.0.recv().map_err(|error| RecogniserError::Run(error.to_string()))?;
            Ok(samples.len().to_string())
        }
    }

    #[tokio::test]
    async fn what_can_wait_is_left_out_and_what_must_be_done_is_queued_up_to_a_limit() {
        let (open, gate) = mpsc::channel();
        let pool = Pool::start(vec![Box::new(Gated(gate))]);
        let first = pool.submit(vec![0; 1]).unwrap();
        let mut queued: Vec<_> = (0..).map_while(|n| pool.submit(vec![0; n]).ok()).collect();
        assert!((QUEUE_MAX - 1..=QUEUE_MAX).contains(&queued.len()), "{}", queued.len());
        assert_eq!(pool.offer(vec![0; 2]).unwrap_err(), Busy);
        // The last caller goes away: nothing is recognised for it.
        let answers = queued.len() - 1;
        drop(queued.pop());
        for _ in 0..=answers {
            open.send(()).unwrap();
        }
        assert_eq!(first.await.unwrap().unwrap(), "1");
        for (n, answer) in queued.into_iter().enumerate() {
            assert_eq!(answer.await.unwrap().unwrap(), n.to_string());
        }
        // Free again, as soon as its thread has come back.
        open.send(()).unwrap();
        let offered = loop {
            if let Ok(offered) = pool.offer(vec![0; 7]) {
                break offered;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(offered.await.unwrap().unwrap(), "7");
    }
}
