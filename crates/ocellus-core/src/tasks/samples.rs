//! Samples of what was labelled in a task: a few of the latest annotations of each labeller, with their inputs.

use std::collections::HashMap;

use ocellus_store as store;

use super::Task;
use crate::annotations::{self, Annotation};
use crate::inputs::{self, Input};
use crate::resources;
use crate::{AppCtx, Error, Result};

/// The annotations of each labeller in a sample.
const EACH: usize = 10;
/// The most labellers one call may name.
const MAX_USERS: usize = 128;
/// The annotations of a task that are looked at.
const MAX_LOOKED_AT: i64 = 10_000;

/// Up to ten annotations by each of these labellers, or by everybody who labels in the task, the latest first.
pub async fn samples(app: &AppCtx, task_id: &str, user_ids: &[String]) -> Result<Vec<(Input, Annotation)>> {
    if user_ids.len() > MAX_USERS {
        return Err(Error::invalid("user_ids", format!("must hold at most {MAX_USERS} items")));
    }
    let task = resources::get::<Task>(&resources::Shelf::from(app), task_id).await?.doc;
    let users = if user_ids.is_empty() { task.workers } else { user_ids.to_vec() };
    let query = store::AnnotationQuery {
        account_ids: users.clone(),
        task_id: Some(task_id.to_owned()),
        by_people: true,
        limit: MAX_LOOKED_AT,
        ..store::AnnotationQuery::default()
    };
    let uid = app.uid().to_owned();
    let read = move |tx: &mut store::Tx<'_>| {
        let mut rows = tx.annotations_page(&uid, &query)?;
        rows.reverse();
        let mut n_of: HashMap<String, usize> = HashMap::new();
        rows.retain(|row| {
            let n = n_of.entry(row.account_id.clone()).or_default();
            *n += 1;
            *n <= EACH
        });
        let place = |row: &store::Annotation| users.iter().position(|user| *user == row.account_id);
        rows.sort_by_key(place);
        let found = annotations::read_rows(tx, &uid, rows)?;
        let ids: Vec<&str> = found.iter().map(|annotation| annotation.input_id.as_str()).collect();
        let inputs = inputs::load(tx, &uid, &ids)?;
        let inputs: HashMap<String, Input> =
            inputs.into_iter().map(|input| (input.id.clone(), input)).collect();
        let with_input = found
            .into_iter()
            .filter_map(|annotation| Some((inputs.get(&annotation.input_id)?.clone(), annotation)));
        Ok::<_, Error>(with_input.collect())
    };
    app.platform().store().read(read).await
}
