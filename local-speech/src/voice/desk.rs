//! The thread that speaks, and the queue in front of it.

use std::thread;

use tokio::sync::{mpsc, oneshot};

use super::{Clip, Voice, VoiceError};

/// Most orders that wait; who comes later waits for a place among them.
const QUEUE_MAX: usize = 64;

struct Order {
    text: String,
    speed: f64,
    answer: oneshot::Sender<Result<Clip, VoiceError>>,
}

/// Takes orders for the one voice. Dropping it ends the thread.
#[derive(Clone)]
pub struct Desk {
    orders: mpsc::Sender<Order>,
    name: &'static str,
}

impl Desk {
    /// Gives the voice its thread.
    pub fn open(mut voice: Box<dyn Voice>) -> Self {
        let (orders, mut queue) = mpsc::channel::<Order>(QUEUE_MAX);
        let name = voice.name();
        thread::spawn(move || {
            while let Some(order) = queue.blocking_recv() {
                // Nobody listens to a caller who has gone.
                if !order.answer.is_closed() {
                    let _ = order.answer.send(voice.speak(&order.text, order.speed));
                }
            }
        });
        Self { orders, name }
    }

    /// What the voice is called.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Speaks, behind those who wait. Dropping the future takes the order back.
    pub async fn speak(&self, text: String, speed: f64) -> Result<Clip, VoiceError> {
        let (answer, receiver) = oneshot::channel();
        let gone = || VoiceError::Failed(self.name.to_owned());
        self.orders.send(Order { text, speed, answer }).await.map_err(|_| gone())?;
        receiver.await.map_err(|_| gone())?
    }
}
