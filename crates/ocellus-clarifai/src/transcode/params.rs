//! Path variables and query parameters: a dotted name and a string become bytes of the request.

use super::plan::{Kind, Plan, Plans};
use super::{Malformed, scalar, wire};

/// Appends `value` at a dotted path such as `user_app_id.user_id` (either spelling of each part).
/// Protobuf merges a message that appears twice, so this adds to what the body said, and a single
/// value overrides it. Names that the message does not have are ignored.
pub fn set(plans: &Plans, plan: &Plan, path: &str, value: &str, out: &mut Vec<u8>) -> Result<(), Malformed> {
    let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
    let Some(field) = plan.field(head) else { return Ok(()) };
    match (rest, &field.kind) {
        (Some(rest), Kind::Message(index)) if !field.list => {
            let start = wire::open(out, field.number);
            set(plans, plans.get(*index), rest, value, out)?;
            wire::close(out, start);
            Ok(())
        }
        (Some(_), _) => Ok(()),
        (None, kind) if field.map.is_none() && scalar::string(out, field.number, kind, value) => Ok(()),
        (None, _) if value.is_empty() => Ok(()),
        (None, kind) => {
            Err(Malformed::new(path.to_owned(), format!("{value:?} is not {}", scalar::expected(kind))))
        }
    }
}
