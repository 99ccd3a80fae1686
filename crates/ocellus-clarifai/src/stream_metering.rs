//! Metering of calls that are streams: announced to the usage counts when their first message comes, refused beyond a
//! quota, and counted before their first good answer goes out.
//!
//! A stream counts as one call, whatever it carries; one that shows inputs to a model counts each of its requests as a
//! call of its own.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use ocellus_core::Error;
use ocellus_core::usage::OperationKind;
use ocellus_http::AccessNote;
use parking_lot::Mutex;
use prost::Message;

use crate::metering::{self, Metered};
use crate::pb::status::StatusCode as Code;
use crate::rpc::{Cx, Reply, StreamHandler};

/// What the two directions of a stream know of its metering.
#[derive(Default)]
struct Shared {
    /// Requests that were let in and are not counted yet, in their order.
    begun: VecDeque<Metered>,
    /// Whether there was an answer.
    is_answered: bool,
    /// What ended the stream.
    refusal: Option<Error>,
}

/// Runs a stream; `refusal` makes the answer to a request that was not let in, which ends the stream.
pub fn run(
    cx: Cx,
    handler: StreamHandler,
    requests: BoxStream<'static, Bytes>,
    note: AccessNote,
    refusal: impl Fn(&Error) -> Bytes + Send + Sync + 'static,
) -> BoxStream<'static, Bytes> {
    let shared = Arc::new(Mutex::new(Shared::default()));
    let meter = Meter { shared: shared.clone(), cx: cx.clone(), note: note.clone() };
    let requests = meter.admitted(requests);
    let answers = {
        let (shared, note, cx) = (shared.clone(), note.clone(), cx.clone());
        handler(cx.clone(), requests).then(move |answer| {
            let meter = Meter { shared: shared.clone(), cx: cx.clone(), note: note.clone() };
            async move {
                meter.count(&answer).await;
                answer
            }
        })
    };
    let last = async move {
        let meter = Meter { shared, cx, note };
        meter.count_without_answer().await;
        meter.shared.lock().refusal.take().map(|error| refusal(&error))
    };
    answers.chain(stream::once(last).filter_map(std::future::ready)).boxed()
}

struct Meter {
    shared: Arc<Mutex<Shared>>,
    cx: Cx,
    note: AccessNote,
}

impl Meter {
    fn is_by_request(&self) -> bool {
        metering::kind(&self.cx.rpc) == OperationKind::Predict
    }

    /// The requests that are let in, up to the first that is not.
    fn admitted(self, requests: BoxStream<'static, Bytes>) -> BoxStream<'static, Bytes> {
        stream::unfold((self, requests, true), |(meter, mut requests, is_first)| async move {
            let request = requests.next().await?;
            if is_first || meter.is_by_request() {
                match Metered::begin(&meter.cx, &request, &meter.note).await {
                    Ok(begun) => meter.shared.lock().begun.extend(begun),
                    Err(error) => {
                        meter.shared.lock().refusal = Some(error);
                        return None;
                    }
                }
            }
            Some((request, (meter, requests, false)))
        })
        .boxed()
    }

    /// Counts the oldest request that is not counted yet, if this answer is a good one.
    async fn count(&self, answer: &Bytes) {
        let code = Answered::decode(answer.clone()).unwrap_or_default().status.unwrap_or_default().code;
        let begun = {
            let mut shared = self.shared.lock();
            shared.is_answered = true;
            match Metered::counts(code) || self.is_by_request() {
                true => shared.begun.pop_front(),
                false => None,
            }
        };
        if let Some(begun) = begun {
            self.end(begun, Reply { code, body: answer.clone() }).await;
        }
    }

    /// A stream that had nothing to say, and no complaint, has worked too.
    async fn count_without_answer(&self) {
        let begun = {
            let mut shared = self.shared.lock();
            let counts = !shared.is_answered && shared.refusal.is_none() && !self.is_by_request();
            counts.then(|| shared.begun.pop_front()).flatten()
        };
        if let Some(begun) = begun {
            self.end(begun, Reply { code: Code::Success as i32, body: Bytes::new() }).await;
        }
    }

    async fn end(&self, begun: Metered, reply: Reply) {
        let n_operations = begun.end(Some(&reply)).await;
        if n_operations > 0 {
            self.note.log_operations(&self.cx.request_id, n_operations);
        }
    }
}

// Messages of the vendor with only the field that is looked at: every answer of a stream has its status first.

#[derive(Clone, PartialEq, Message)]
struct Answered {
    #[prost(message, optional, tag = "1")]
    status: Option<Status>,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
}
