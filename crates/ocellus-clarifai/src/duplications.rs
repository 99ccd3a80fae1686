//! Duplications of apps: RPCs and the wire form.

use ocellus_core::duplications::{self, Destination, Duplication, NewDuplication, Parts, State};
use ocellus_core::resources::Stored;
use ocellus_core::{Error, Result};

use crate::pb::status::{Status, StatusCode as Code};
use crate::pb::*;
use crate::rpc::Cx;
use crate::{apps, documents, paging, status};

pub async fn post_app_duplications(
    cx: Cx,
    req: PostAppDuplicationsRequest,
) -> Result<MultiAppDuplicationsResponse> {
    let app = cx.app(req.user_app_id.clone()).await?;
    let account = cx.account(req.user_app_id).await?;
    let [wanted] = <[AppDuplication; 1]>::try_from(req.app_duplications)
        .map_err(|_| Error::invalid("app_duplications", "must hold one duplication"))?;
    let made = duplications::create(&account, &app, new_duplication(wanted)).await?;
    let app_duplications = vec![to_wire(&cx, &account.account().id, &made)];
    Ok(MultiAppDuplicationsResponse { status: status::success(), app_duplications })
}

pub async fn get_app_duplication(
    cx: Cx,
    req: GetAppDuplicationRequest,
) -> Result<SingleAppDuplicationResponse> {
    let account = cx.account(req.user_app_id).await?;
    let found = duplications::get(&account, &req.app_duplication_id).await?;
    let app_duplication = Some(to_wire(&cx, &account.account().id, &found));
    Ok(SingleAppDuplicationResponse { status: status::success(), app_duplication })
}

pub async fn list_app_duplications(
    cx: Cx,
    req: ListAppDuplicationsRequest,
) -> Result<MultiAppDuplicationsResponse> {
    let account = cx.account(req.user_app_id).await?;
    let found = duplications::list(&account, paging::page(req.page, req.per_page)?).await?;
    let app_duplications = found.iter().map(|one| to_wire(&cx, &account.account().id, one)).collect();
    Ok(MultiAppDuplicationsResponse { status: status::success(), app_duplications })
}

/// Without a filter everything is copied that there is.
fn new_duplication(wanted: AppDuplication) -> NewDuplication {
    let destination = if wanted.existing_app_id.is_empty() {
        let mut app = wanted.destination_app.unwrap_or_default();
        if app.id.is_empty() {
            app.id = wanted.new_app_id;
        }
        if app.name.is_empty() {
            app.name = wanted.new_app_name;
        }
        Destination::New(apps::new_app(app))
    } else {
        Destination::Existing(wanted.existing_app_id)
    };
    let parts = wanted.filter.map_or(
        Parts { concepts: true, inputs: true, annotations: true, models: true, workflows: true },
        |filter| Parts {
            concepts: filter.copy_concepts,
            inputs: filter.copy_inputs,
            annotations: filter.copy_annotations,
            models: filter.copy_models,
            workflows: filter.copy_workflows,
        },
    );
    NewDuplication { destination, parts }
}

fn to_wire(cx: &Cx, user_id: &str, duplication: &Stored<Duplication>) -> AppDuplication {
    let doc = &duplication.doc;
    let progress = [
        ("concepts", doc.done.concepts),
        ("inputs", doc.done.inputs),
        ("inputs_skipped", doc.done.inputs_skipped),
        ("annotations", doc.done.annotations),
        ("models", doc.done.models),
        ("models_skipped", doc.done.models_skipped),
        ("workflows", doc.done.workflows),
        ("workflows_skipped", doc.done.workflows_skipped),
    ];
    let progress = progress.map(|(field, value)| AppCopyProgress {
        field: field.to_owned(),
        value: i32::try_from(value).unwrap_or(i32::MAX),
    });
    let destination =
        App { id: doc.destination_app_id.clone(), user_id: user_id.to_owned(), ..Default::default() };
    AppDuplication {
        id: duplication.id.clone(),
        destination_app: Some(destination),
        new_app_id: doc.destination_app_id.clone(),
        status: Some(state(cx, doc)),
        created_at: documents::time(duplication.created_at_us),
        last_modified_at: documents::time(duplication.modified_at_us),
        filter: Some(AppDuplicationFilters {
            copy_inputs: doc.parts.inputs,
            copy_concepts: doc.parts.concepts,
            copy_annotations: doc.parts.annotations,
            copy_models: doc.parts.models,
            copy_workflows: doc.parts.workflows,
        }),
        progress: progress.into(),
        ..Default::default()
    }
}

fn state(cx: &Cx, doc: &Duplication) -> Status {
    let code = match doc.state {
        State::Pending => Code::AppDuplicationPending,
        State::Running => Code::AppDuplicationInProgress,
        State::Done => Code::AppDuplicationSuccess,
        State::Failed => Code::AppDuplicationFailed,
    };
    Status { details: doc.failure.clone(), ..cx.status(code) }
}
