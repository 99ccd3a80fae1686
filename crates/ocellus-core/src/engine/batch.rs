//! The bounded queue in front of one model, and how requests of it become batches.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ocellus_algo::nn::Tensor;
use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::{Error, Result};

/// A request that waits.
pub struct Entry {
    pub input: Tensor,
    pub arrived: Instant,
    reply: oneshot::Sender<Result<Vec<Tensor>>>,
}

impl Entry {
    pub fn new(input: Tensor, reply: oneshot::Sender<Result<Vec<Tensor>>>) -> Self {
        Self { input, arrived: Instant::now(), reply }
    }

    /// Answers the caller, if it is still there.
    pub fn answer(self, result: Result<Vec<Tensor>>) {
        // A caller that left meanwhile wants no answer.
        let _ = self.reply.send(result);
    }
}

/// Why a request was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The queue is full.
    Full,
    /// The model is being unloaded.
    Closed,
}

/// How many requests are put together, and how long one waits for others.
#[derive(Clone, Copy, Debug)]
pub struct BatchRule {
    pub max_batch: usize,
    pub max_wait: Duration,
}

/// Requests for one model in the order of arrival, never more than a fixed number.
pub struct Queue {
    capacity: usize,
    state: Mutex<State>,
    arrival: Condvar,
    /// Requests dropped because their caller left.
    pub n_abandoned: AtomicU64,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Entry>,
    closed: bool,
    /// Workers that wait for a request, or will in a moment.
    n_ready: usize,
}

impl Queue {
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            state: Mutex::new(State::default()),
            arrival: Condvar::new(),
            n_abandoned: AtomicU64::new(0),
        }
    }

    pub fn len(&self) -> usize {
        self.state.lock().waiting.len()
    }

    pub fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    /// Adds a request. Says whether no worker was free to take it at once.
    pub fn push(&self, entry: Entry) -> std::result::Result<bool, (Refusal, Entry)> {
        let mut state = self.state.lock();
        if state.closed {
            return Err((Refusal::Closed, entry));
        }
        if state.waiting.len() >= self.capacity {
            // Those whose callers left hold no places.
            self.drop_abandoned(&mut state);
        }
        if state.waiting.len() >= self.capacity {
            return Err((Refusal::Full, entry));
        }
        state.waiting.push_back(entry);
        let crowded = state.waiting.len() > state.n_ready;
        drop(state);
        self.arrival.notify_one();
        Ok(crowded)
    }

    /// A worker will take a request in a moment. Said before an answer is given: whoever asks one question after the
    /// other must not look like two callers.
    pub fn ready(&self) {
        self.state.lock().n_ready += 1;
    }

    /// A worker that was ready will not come after all.
    pub fn not_ready(&self) {
        self.state.lock().n_ready -= 1;
    }

    /// Waits for requests and takes the oldest with others of its shape; `None` when closed and empty. The worker must be
    /// ready, and is no longer after a batch.
    pub fn next_batch(&self, rule: BatchRule) -> Option<Vec<Entry>> {
        let mut state = self.state.lock();
        loop {
            self.drop_abandoned(&mut state);
            if !state.waiting.is_empty() {
                break;
            }
            if state.closed {
                return None;
            }
            self.arrival.wait(&mut state);
        }
        if rule.max_batch > 1 && !rule.max_wait.is_zero() {
            let deadline = state.waiting[0].arrived + rule.max_wait;
            while state.waiting.len() < rule.max_batch && !state.closed {
                if self.arrival.wait_until(&mut state, deadline).timed_out() {
                    break;
                }
            }
            // Another worker may have been faster.
            if state.waiting.is_empty() {
                return Some(Vec::new());
            }
        }
        state.n_ready -= 1;
        Some(take_alike(&mut state.waiting, rule.max_batch))
    }

    /// Takes no more requests; what waits is still served.
    pub fn close(&self) {
        self.state.lock().closed = true;
        self.arrival.notify_all();
    }

    /// Takes no more requests and answers what waits with an error.
    pub fn fail(&self, error: &Error) {
        let waiting = {
            let mut state = self.state.lock();
            state.closed = true;
            std::mem::take(&mut state.waiting)
        };
        self.arrival.notify_all();
        for entry in waiting {
            entry.answer(Err(error.clone()));
        }
    }

    fn drop_abandoned(&self, state: &mut State) {
        let before = state.waiting.len();
        state.waiting.retain(|entry| !entry.reply.is_closed());
        self.n_abandoned.fetch_add((before - state.waiting.len()) as u64, Ordering::Relaxed);
    }
}

/// The oldest request and, in order of arrival, others that can be stacked with it.
fn take_alike(waiting: &mut VecDeque<Entry>, max_batch: usize) -> Vec<Entry> {
    let Some(first) = waiting.pop_front() else { return Vec::new() };
    let stackable = first.input.shape.first() == Some(&1);
    let shape = first.input.shape.clone();
    let mut batch = vec![first];
    let mut idx = 0;
    while stackable && batch.len() < max_batch && idx < waiting.len() {
        if waiting[idx].input.shape == shape {
            batch.extend(waiting.remove(idx));
        } else {
            idx += 1;
        }
    }
    batch
}

/// Puts the inputs of a batch together; a batch of one is passed as it is.
pub fn stacked(batch: &mut [Entry]) -> Result<Tensor> {
    let empty = || Tensor { shape: Vec::new(), data: Vec::new() };
    if let [only] = batch {
        return Ok(std::mem::replace(&mut only.input, empty()));
    }
    let inputs: Vec<Tensor> =
        batch.iter_mut().map(|entry| std::mem::replace(&mut entry.input, empty())).collect();
    Ok(Tensor::stack(&inputs)?)
}

/// Gives each request of a batch of `n` its own rows of every output.
pub fn shared_out(outputs: Vec<Tensor>, n: usize) -> Result<Vec<Vec<Tensor>>> {
    if n == 1 {
        return Ok(vec![outputs]);
    }
    let mut rows: Vec<Vec<Tensor>> = (0..n).map(|_| Vec::with_capacity(outputs.len())).collect();
    for output in outputs {
        let parts = output.split();
        if parts.len() != n {
            return Err(Error::internal(anyhow::anyhow!(
                "a model answered {} rows for {n} requests",
                parts.len()
            )));
        }
        for (row, part) in rows.iter_mut().zip(parts) {
            row.push(part);
        }
    }
    Ok(rows)
}
