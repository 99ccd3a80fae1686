//! How a patch changes a JSON object: the rules of merging and removing, apart from where they are applied.
//!
//! Merging: a null does nothing; an empty object replaces what is there; an object merges key by key; a list appends its
//! items, except that an object with an `id` merges into the item with the same id and an item that is there already is
//! not repeated; anything else replaces. Merging the same patch twice is the same as merging it once.
//!
//! Removing: a key whose patch value is true goes; an object removes key by key; a list removes the items with the same
//! `id`, or equal to one of its own; anything else does nothing.

use serde_json::Value;

use crate::{JsonMap, PatchAction};

impl PatchAction {
    /// Changes a JSON object as the action says.
    pub(crate) fn apply(self, target: &mut JsonMap, patch: &JsonMap) {
        match self {
            Self::Merge => merge(target, patch),
            Self::Overwrite => target.clone_from(patch),
            Self::Remove => remove(target, patch),
        }
    }

    /// Changes the named fields of a JSON object and leaves the others alone, even where it replaces.
    pub(crate) fn apply_to_fields(self, target: &mut JsonMap, patch: &JsonMap) {
        match self {
            Self::Merge => merge_keys(target, patch),
            Self::Overwrite => target.extend(patch.iter().map(|(key, value)| (key.clone(), value.clone()))),
            Self::Remove => remove(target, patch),
        }
    }

    /// Sets a plain field, unless something is being removed.
    pub(crate) fn set<T>(self, target: &mut T, given: Option<T>) {
        match (self, given) {
            (Self::Merge | Self::Overwrite, Some(value)) => *target = value,
            (Self::Merge | Self::Overwrite | Self::Remove, _) => {}
        }
    }
}

/// Merges `patch` into `target`. An empty patch replaces, as an empty object does at any depth.
pub(crate) fn merge(target: &mut JsonMap, patch: &JsonMap) {
    if patch.is_empty() {
        target.clear();
        return;
    }
    merge_keys(target, patch);
}

fn merge_keys(target: &mut JsonMap, patch: &JsonMap) {
    for (key, value) in patch {
        if value.is_null() {
            continue;
        }
        match target.get_mut(key) {
            Some(old) => merge_value(old, value),
            None => {
                target.insert(key.clone(), cleaned(value));
            }
        }
    }
}

fn merge_value(old: &mut Value, new: &Value) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => merge(old, new),
        (Value::Array(old), Value::Array(new)) => {
            for item in new.iter().filter(|item| !item.is_null()) {
                merge_item(old, item);
            }
        }
        (old, new) => *old = cleaned(new),
    }
}

fn merge_item(list: &mut Vec<Value>, item: &Value) {
    if let Some(known) = id_of(item).and_then(|id| list.iter_mut().find(|old| id_of(old) == Some(id))) {
        return merge_value(known, item);
    }
    let item = cleaned(item);
    if !list.contains(&item) {
        list.push(item);
    }
}

/// The value as it would be after merging it into nothing: without nulls and without repeated list items.
fn cleaned(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut fresh = JsonMap::new();
            merge_keys(&mut fresh, map);
            Value::Object(fresh)
        }
        Value::Array(items) => {
            let mut fresh = Vec::with_capacity(items.len());
            for item in items.iter().filter(|item| !item.is_null()) {
                merge_item(&mut fresh, item);
            }
            Value::Array(fresh)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// Takes away from `target` what `patch` names.
pub(crate) fn remove(target: &mut JsonMap, patch: &JsonMap) {
    for (key, value) in patch {
        if *value == Value::Bool(true) {
            target.shift_remove(key);
            continue;
        }
        match (target.get_mut(key), value) {
            (Some(Value::Object(old)), Value::Object(gone)) => remove(old, gone),
            (Some(Value::Array(old)), Value::Array(gone)) => old.retain(|item| !names(gone, item)),
            (Some(_) | None, _) => {}
        }
    }
}

fn names(gone: &[Value], item: &Value) -> bool {
    gone.iter().any(|named| named == item || (id_of(named).is_some() && id_of(named) == id_of(item)))
}

fn id_of(value: &Value) -> Option<&Value> {
    value.as_object()?.get("id").filter(|id| id.is_string() || id.is_number())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> JsonMap {
        value.as_object().expect("tests write objects").clone()
    }

    #[test]
    fn merging_follows_the_rules_for_each_kind_of_value() {
        for (old, patch, expected) in [
            (json!({"a": 1}), json!({"b": 2}), json!({"a": 1, "b": 2})),
            (json!({"a": 1}), json!({"a": 2}), json!({"a": 2})),
            (json!({"a": 1}), json!({"a": null}), json!({"a": 1})),
            (json!({"a": 1}), json!({}), json!({})),
            (json!({"a": {"x": 1}}), json!({"a": {}}), json!({"a": {}})),
            (json!({"a": {"x": 1}}), json!({"a": {"y": 2}}), json!({"a": {"x": 1, "y": 2}})),
            (json!({"a": [1, 2]}), json!({"a": [2, 3]}), json!({"a": [1, 2, 3]})),
            (
                json!({"a": [{"id": "p", "n": 1}]}),
                json!({"a": [{"id": "p", "m": 2}, {"id": "q"}]}),
                json!({"a": [{"id": "p", "n": 1, "m": 2}, {"id": "q"}]}),
            ),
            (json!({"a": 1}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({}), json!({"a": {"x": null, "y": 1}}), json!({"a": {"y": 1}})),
        ] {
            let mut target = map(old.clone());
            merge(&mut target, &map(patch.clone()));
            assert_eq!(Value::Object(target), expected, "{old} merged with {patch}");
        }
    }

    #[test]
    fn removing_takes_true_keys_and_listed_items() {
        for (old, patch, expected) in [
            (json!({"a": 1, "b": 2}), json!({"a": true}), json!({"b": 2})),
            (json!({"a": 1}), json!({"a": false}), json!({"a": 1})),
            (json!({"a": 1}), json!({"a": 1}), json!({"a": 1})),
            (json!({"a": 1}), json!({}), json!({"a": 1})),
            (json!({"a": {"x": 1, "y": 2}}), json!({"a": {"x": true}}), json!({"a": {"y": 2}})),
            (json!({"a": {"x": 1}}), json!({"a": {}}), json!({"a": {"x": 1}})),
            (json!({"a": [1, 2, 3]}), json!({"a": [2]}), json!({"a": [1, 3]})),
            (
                json!({"a": [{"id": "p", "n": 1}, {"id": "q"}]}),
                json!({"a": [{"id": "p"}]}),
                json!({"a": [{"id": "q"}]}),
            ),
        ] {
            let mut target = map(old.clone());
            remove(&mut target, &map(patch.clone()));
            assert_eq!(Value::Object(target), expected, "{patch} removed from {old}");
        }
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0..4_i64).prop_map(Value::from),
            "[a-c]{0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                object(inner).prop_map(Value::Object),
            ]
        })
    }

    fn object(value: impl Strategy<Value = Value>) -> impl Strategy<Value = JsonMap> {
        let key = prop_oneof![Just("id".to_owned()), "[a-c]"];
        prop::collection::vec((key, value), 0..4).prop_map(|pairs| pairs.into_iter().collect())
    }

    proptest! {
        #[test]
        fn merging_twice_is_merging_once(old in object(json_value()), patch in object(json_value())) {
            let mut once = old;
            merge(&mut once, &patch);
            let mut twice = once.clone();
            merge(&mut twice, &patch);
            prop_assert_eq!(once, twice);
        }

        #[test]
        fn removing_undoes_the_merging_of_new_keys(old in object(json_value()), patch in object(json_value())) {
            let fresh: JsonMap = patch.into_iter().map(|(key, value)| (format!("new-{key}"), value)).collect();
            let named: JsonMap = fresh.keys().map(|key| (key.clone(), Value::Bool(true))).collect();
            let mut target = old.clone();
            merge_keys(&mut target, &fresh);
            remove(&mut target, &named);
            prop_assert_eq!(old, target);
        }

        #[test]
        fn removing_an_empty_patch_changes_nothing(old in object(json_value())) {
            let mut target = old.clone();
            remove(&mut target, &JsonMap::new());
            prop_assert_eq!(old, target);
        }
    }
}
