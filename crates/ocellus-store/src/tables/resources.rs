//! Table `resources`: documents of many kinds that need no table of their own.

use std::collections::HashMap;

use crate::db::{BadColumn, Row, Tx, Val};
use crate::page::id_chunks;
use crate::{JsonMap, Result};

/// A document of some kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// The uid of the app, or `@` and the id of the account that it belongs to.
    pub owner_uid: String,
    /// What kind of thing it is.
    pub kind: String,
    /// What the id is unique within, besides owner and kind; empty for nothing more.
    pub parent: String,
    /// Unique within owner, kind and parent.
    pub id: String,
    /// Its place in the order of creation among the owner's things of this kind; set by the insertion.
    pub seq: i64,
    /// What it is about, to list by; empty for nothing.
    pub about: String,
    /// Where it stands, to list by; what the numbers mean is the kind's affair.
    pub state: i64,
    /// All the rest.
    pub doc: JsonMap,
    /// The key of its content in the blob store, if it has such; kept there as long as this is written here.
    pub blob: Option<String>,
    /// Who made it.
    pub account_id: String,
    /// The public id of the key with which it was made.
    pub key_id: String,
    /// Account and key of the last change, as `account/key`.
    pub modified_by: String,
    /// When it was created, in microseconds since 1970 UTC.
    pub created_at_us: i64,
    /// When it was last changed, in microseconds since 1970 UTC.
    pub modified_at_us: i64,
}

/// Which things of one owner and kind [`Tx::resources_page`] returns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResourceQuery {
    /// Only those within this parent.
    pub parent: Option<String>,
    /// Only those about this.
    pub about: Option<String>,
    /// Only those in this state.
    pub state: Option<i64>,
    /// Only those that come after this one in the order asked for.
    pub after_seq: Option<i64>,
    /// The last made first.
    pub newest_first: bool,
    /// At most this many.
    pub limit: i64,
    /// Leave out this many first.
    pub offset: i64,
}

const COLUMNS: &str = "owner_uid, kind, parent, id, seq, about, state, doc, blob, account_id, key_id, modified_by, \
                       created_at_us, modified_at_us";

fn from_row(row: &mut Row) -> Result<Resource, BadColumn> {
    Ok(Resource {
        owner_uid: row.text()?,
        kind: row.text()?,
        parent: row.text()?,
        id: row.text()?,
        seq: row.int()?,
        about: row.text()?,
        state: row.int()?,
        doc: row.json()?,
        blob: row.opt_text()?,
        account_id: row.text()?,
        key_id: row.text()?,
        modified_by: row.text()?,
        created_at_us: row.int()?,
        modified_at_us: row.int()?,
    })
}

/// The test of a query as SQL, its values added to `params`.
fn tests<'a>(query: &'a ResourceQuery, params: &mut Vec<Val<'a>>) -> String {
    let mut tests = String::new();
    let mut test = |text: &str, val: Val<'a>| {
        params.push(val);
        tests.push_str(&format!(" AND {text} ?{}", params.len()));
    };
    if let Some(parent) = &query.parent {
        test("parent =", parent.into());
    }
    if let Some(about) = &query.about {
        test("about =", about.into());
    }
    if let Some(state) = query.state {
        test("state =", state.into());
    }
    if let Some(seq) = query.after_seq {
        test(if query.newest_first { "seq <" } else { "seq >" }, seq.into());
    }
    tests
}

impl Tx<'_> {
    /// Adds a document and returns its number in the order of creation; `Conflict` when there is one with
    /// this owner, kind, parent and id, and then the transaction goes on.
    pub fn insert_resource(&self, resource: &Resource) -> Result<i64> {
        let seq = self.take_numbers(&resource.owner_uid, &format!("resources/{}", resource.kind), 1)?;
        let row = vec![
            (&resource.owner_uid).into(),
            (&resource.kind).into(),
            (&resource.parent).into(),
            (&resource.id).into(),
            seq.into(),
            (&resource.about).into(),
            resource.state.into(),
            Val::json(&resource.doc),
            (&resource.blob).into(),
            (&resource.account_id).into(),
            (&resource.key_id).into(),
            (&resource.modified_by).into(),
            resource.created_at_us.into(),
            resource.modified_at_us.into(),
        ];
        self.insert("resources", COLUMNS, row)?;
        Ok(seq)
    }

    /// A document by id.
    pub fn resource(&self, owner_uid: &str, kind: &str, parent: &str, id: &str) -> Result<Option<Resource>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM resources WHERE owner_uid = ?1 AND kind = ?2 AND parent = ?3 AND id = ?4"
        );
        let params = [owner_uid.into(), kind.into(), parent.into(), id.into()];
        self.select_one("resources", &sql, &params, from_row)
    }

    /// The documents with these ids, in the order of the ids; missing ones are left out.
    pub fn resources_by_ids<S: AsRef<str>>(
        &self,
        owner_uid: &str,
        kind: &str,
        parent: &str,
        ids: &[S],
    ) -> Result<Vec<Resource>> {
        let mut found = HashMap::new();
        for (list, vals) in id_chunks(ids, 4) {
            let sql = format!(
                "SELECT {COLUMNS} FROM resources \
                 WHERE owner_uid = ?1 AND kind = ?2 AND parent = ?3 AND id IN ({list})"
            );
            let mut params = vec![owner_uid.into(), kind.into(), parent.into()];
            params.extend(vals);
            let rows = self.select("resources", &sql, &params, from_row)?;
            found.extend(rows.into_iter().map(|row| (row.id.clone(), row)));
        }
        Ok(ids.iter().filter_map(|id| found.get(id.as_ref()).cloned()).collect())
    }

    /// The owner's documents of a kind in the order of creation.
    pub fn resources_page(
        &self,
        owner_uid: &str,
        kind: &str,
        query: &ResourceQuery,
    ) -> Result<Vec<Resource>> {
        let mut params: Vec<Val<'_>> =
            vec![owner_uid.into(), kind.into(), query.limit.into(), query.offset.into()];
        let tests = tests(query, &mut params);
        let order = if query.newest_first { "DESC" } else { "ASC" };
        let sql = format!(
            "SELECT {COLUMNS} FROM resources WHERE owner_uid = ?1 AND kind = ?2{tests} \
             ORDER BY seq {order} LIMIT ?3 OFFSET ?4"
        );
        self.select("resources", &sql, &params, from_row)
    }

    /// The documents of a kind that are about something, of all apps of an account, app by app.
    pub fn resources_of_account_about(
        &self,
        account_id: &str,
        kind: &str,
        about: &str,
    ) -> Result<Vec<Resource>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM resources WHERE owner_uid IN \
             (SELECT uid FROM apps WHERE account_id = ?1 AND deleted_at_us IS NULL) \
             AND kind = ?2 AND about = ?3 ORDER BY owner_uid, seq"
        );
        self.select("resources", &sql, &[account_id.into(), kind.into(), about.into()], from_row)
    }

    /// How many documents a query finds, whatever its limit and offset.
    pub fn count_resources(&self, owner_uid: &str, kind: &str, query: &ResourceQuery) -> Result<i64> {
        let mut params: Vec<Val<'_>> = vec![owner_uid.into(), kind.into()];
        let tests = tests(query, &mut params);
        let sql = format!("SELECT COUNT(*) FROM resources WHERE owner_uid = ?1 AND kind = ?2{tests}");
        Ok(self.select_one("resources", &sql, &params, |row| row.int())?.unwrap_or(0))
    }

    /// Writes what a document is about, its state, its content and who changed it; false when there is none.
    pub fn update_resource(&self, resource: &Resource) -> Result<bool> {
        let sql = "UPDATE resources SET about = ?5, state = ?6, doc = ?7, modified_by = ?8, \
                   modified_at_us = ?9, blob = ?10 WHERE owner_uid = ?1 AND kind = ?2 AND parent = ?3 AND id = ?4";
        let params = [
            (&resource.owner_uid).into(),
            (&resource.kind).into(),
            (&resource.parent).into(),
            (&resource.id).into(),
            (&resource.about).into(),
            resource.state.into(),
            Val::json(&resource.doc),
            (&resource.modified_by).into(),
            resource.modified_at_us.into(),
            (&resource.blob).into(),
        ];
        Ok(self.exec(sql, &params)? > 0)
    }

    /// Gives the document with an id within owner, kind and parent another id, which must be free; false when there is
    /// none. `by` is who did it, as `account/key`, and when.
    pub fn rename_resource(
        &self,
        (owner_uid, kind, parent): (&str, &str, &str),
        id: &str,
        new_id: &str,
        by: (&str, i64),
    ) -> Result<bool> {
        let sql = "UPDATE resources SET id = ?5, modified_by = ?6, modified_at_us = ?7 \
                   WHERE owner_uid = ?1 AND kind = ?2 AND parent = ?3 AND id = ?4";
        let params = [
            owner_uid.into(),
            kind.into(),
            parent.into(),
            id.into(),
            new_id.into(),
            by.0.into(),
            by.1.into(),
        ];
        Ok(self.exec(sql, &params)? > 0)
    }

    /// Removes the documents with these ids; returns how many went.
    pub fn delete_resources<S: AsRef<str>>(
        &self,
        owner_uid: &str,
        kind: &str,
        parent: &str,
        ids: &[S],
    ) -> Result<u64> {
        let mut n_deleted = 0;
        for (list, vals) in id_chunks(ids, 4) {
            let sql = format!(
                "DELETE FROM resources WHERE owner_uid = ?1 AND kind = ?2 AND parent = ?3 AND id IN ({list})"
            );
            let mut params = vec![owner_uid.into(), kind.into(), parent.into()];
            params.extend(vals);
            n_deleted += self.exec(&sql, &params)?;
        }
        Ok(n_deleted)
    }

    /// Removes everything of a kind within a parent; returns how many went.
    pub fn delete_resources_within(&self, owner_uid: &str, kind: &str, parent: &str) -> Result<u64> {
        let sql = "DELETE FROM resources WHERE owner_uid = ?1 AND kind = ?2 AND parent = ?3";
        self.exec(sql, &[owner_uid.into(), kind.into(), parent.into()])
    }
}
