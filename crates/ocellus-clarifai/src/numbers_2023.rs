//! Messages of runners with the field numbers of 2023, which mean other fields today. Only gRPC sends numbers; a request
//! tells by its shape whose they are.

use bytes::Bytes;

use crate::transcode::wire::{self, Raw};

/// A field's number in 2023 and today.
type Renumber = &'static [(u32, u32)];

/// A request with the numbers of today, if it came with those of 2023.
pub fn request(rpc: &str, body: &[u8]) -> Option<Bytes> {
    let numbers = numbers(rpc, body)?;
    Some(renumber(body, |number| {
        Some(numbers.iter().find(|(old, _)| *old == number).map_or(number, |(_, new)| *new))
    }))
}

/// An answer with the numbers of 2023.
pub fn answer(rpc: &str, body: &[u8]) -> Bytes {
    const ITEMS: u32 = 2;
    if rpc != "ListRunnerItems" {
        return body.to_vec().into();
    }
    let (mut out, mut rest) = (Vec::with_capacity(body.len()), body);
    while let Some((number, raw)) = wire::next(&mut rest) {
        match raw {
            // Of an item, what is to be done was the third field; what is the third today was not there.
            Raw::Bytes(item) if number == ITEMS => {
                let item = renumber(item, |number| match number {
                    3 => None,
                    4 => Some(3),
                    _ => Some(number),
                });
                wire::put_bytes(&mut out, number, &item);
            }
            Raw::Bytes(_) | Raw::Varint(_) | Raw::Fixed64(_) | Raw::Fixed32(_) => put(&mut out, number, raw),
        }
    }
    out.into()
}

/// No client of today sends a request of these shapes: it would name no runner, or answer nothing.
fn numbers(rpc: &str, body: &[u8]) -> Option<Renumber> {
    const CHANGED: [&str; 5] =
        ["GetRunner", "ListRunners", "DeleteRunners", "ListRunnerItems", "PostRunnerItemOutputs"];
    if !CHANGED.contains(&rpc) {
        return None;
    }
    let mut rest = body;
    let fields: Vec<(u32, bool)> =
        std::iter::from_fn(|| wire::next(&mut rest).map(|(n, raw)| (n, matches!(raw, Raw::Bytes(_)))))
            .collect();
    let has = |number: u32| fields.iter().any(|(n, _)| *n == number);
    let text = |number: u32| fields.contains(&(number, true));
    match rpc {
        "GetRunner" | "ListRunnerItems" | "DeleteRunners" if text(2) && !has(3) && !has(4) => Some(&[(2, 3)]),
        "ListRunners" if fields.contains(&(2, false)) => Some(&[(2, 3), (3, 4)]),
        "PostRunnerItemOutputs" if text(2) && text(3) && text(4) && !has(5) && !has(6) => {
            Some(&[(2, 3), (3, 4), (4, 5)])
        }
        _ => None,
    }
}

fn renumber(message: &[u8], to: impl Fn(u32) -> Option<u32>) -> Bytes {
    let (mut out, mut rest) = (Vec::with_capacity(message.len()), message);
    while let Some((number, raw)) = wire::next(&mut rest) {
        if let Some(number) = to(number) {
            put(&mut out, number, raw);
        }
    }
    out.into()
}

fn put(out: &mut Vec<u8>, number: u32, raw: Raw<'_>) {
    match raw {
        Raw::Bytes(bytes) => wire::put_bytes(out, number, bytes),
        Raw::Varint(value) => {
            wire::put_tag(out, number, wire::VARINT);
            wire::put_varint(out, value);
        }
        Raw::Fixed64(value) => {
            wire::put_tag(out, number, wire::FIXED64);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Raw::Fixed32(value) => {
            wire::put_tag(out, number, wire::FIXED32);
            out.extend_from_slice(&value.to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::pb::runner_item::Request;
    use crate::pb::*;

    fn encoded(fields: &[(u32, Raw<'_>)]) -> Vec<u8> {
        let mut out = Vec::new();
        fields.iter().for_each(|(number, raw)| put(&mut out, *number, *raw));
        out
    }

    fn read<M: Message + Default>(rpc: &str, fields: &[(u32, Raw<'_>)]) -> M {
        M::decode(request(rpc, &encoded(fields)).unwrap()).unwrap()
    }

    #[test]
    fn requests_of_2023_are_read_with_the_numbers_of_today() {
        let ids = UserAppIdSet { user_id: "me".to_owned(), ..Default::default() };
        let user = ids.encode_to_vec();
        let (user, text) = ((1, Raw::Bytes(&user)), |text: &'static str| Raw::Bytes(text.as_bytes()));
        let found: GetRunnerRequest = read("GetRunner", &[user, (2, text("r"))]);
        assert_eq!((found.user_app_id, found.runner_id.as_str()), (Some(ids), "r"));
        let found: ListRunnerItemsRequest = read("ListRunnerItems", &[user, (2, text("r"))]);
        assert_eq!((found.runner_id.as_str(), found.nodepool_id.as_str()), ("r", ""));
        let found: DeleteRunnersRequest = read("DeleteRunners", &[user, (2, text("r")), (2, text("s"))]);
        assert_eq!(found.ids, ["r", "s"]);
        let found: ListRunnersRequest =
            read("ListRunners", &[user, (2, Raw::Varint(3)), (3, Raw::Varint(300))]);
        assert_eq!((found.page, found.per_page), (3, 300));
        let output = RunnerItemOutput::default().encode_to_vec();
        let fields = [user, (2, text("r")), (3, text("i")), (4, Raw::Bytes(&output))];
        let found: PostRunnerItemOutputsRequest = read("PostRunnerItemOutputs", &fields);
        assert_eq!((found.runner_id.as_str(), found.runner_item_id.as_str()), ("r", "i"));
        assert_eq!(found.runner_item_outputs, [RunnerItemOutput::default()]);
    }

    #[test]
    fn requests_of_today_stay_as_they_are() {
        let (nodepool_id, runner_id) = ("n".to_owned(), "r".to_owned());
        let get = GetRunnerRequest { nodepool_id, runner_id, ..Default::default() };
        assert_eq!(request("GetRunner", &get.encode_to_vec()), None);
        let list = ListRunnersRequest { page: 1, per_page: 2, ..Default::default() };
        assert_eq!(request("ListRunners", &list.encode_to_vec()), None);
        let post = PostRunnerItemOutputsRequest {
            nodepool_id: "n".to_owned(),
            runner_id: "r".to_owned(),
            runner_item_id: "i".to_owned(),
            runner_item_outputs: vec![RunnerItemOutput::default()],
            ..Default::default()
        };
        assert_eq!(request("PostRunnerItemOutputs", &post.encode_to_vec()), None);
        assert_eq!(request("GetInput", &encoded(&[(2, Raw::Bytes(b"x"))])), None);
    }

    #[test]
    fn an_item_is_written_with_the_numbers_of_2023() {
        let wanted = PostModelOutputsRequest { model_id: "m".to_owned(), ..Default::default() };
        let item = RunnerItem {
            id: "i".to_owned(),
            processing_info: Some(ProcessingInfo { runner_method_type: 1, ..Default::default() }),
            request: Some(Request::PostModelOutputsRequest(wanted.clone())),
            ..Default::default()
        };
        let today = MultiRunnerItemResponse { runner_items: vec![item], ..Default::default() };
        let old = answer("ListRunnerItems", &today.encode_to_vec());
        let item = encoded(&[(1, Raw::Bytes(b"i")), (3, Raw::Bytes(&wanted.encode_to_vec()))]);
        assert_eq!(old, encoded(&[(2, Raw::Bytes(&item))]));
        let status = SingleRunnerResponse::default().encode_to_vec();
        assert_eq!(answer("GetRunner", &status), status);
    }
}
