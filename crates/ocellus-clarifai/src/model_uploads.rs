//! `PostModelVersionsUpload`: a model that somebody brings along, or a bundle, piece by piece. Only gRPC has streams.

use std::io::{Seek, SeekFrom, Write};

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use ocellus_core::model_packages::{self, NewPackage};
use ocellus_core::{AppCtx, Error, Kind, Result, user_models};
use prost::Message;
use tempfile::NamedTempFile;

use crate::error::WireError;
use crate::pb::post_model_versions_upload_request::UploadData;
use crate::pb::status::{Status, StatusCode as Code};
use crate::pb::*;
use crate::rpc::Cx;
use crate::{documents, model_versions};

/// The first request says what comes, the others bring it in order. Each is answered with what is left; the last one with
/// "building", as the official client expects, when the version is ready to be asked for.
pub fn post_model_versions_upload(cx: Cx, requests: BoxStream<'static, Bytes>) -> BoxStream<'static, Bytes> {
    let start = Uploading { cx, requests, state: State::Waiting };
    stream::unfold(start, |mut uploading| async move {
        let answer = match Box::pin(uploading.next()).await {
            Ok(answer) => answer?,
            Err(error) => {
                error.log();
                uploading.state = State::Over;
                let status = WireError::of(&error, uploading.cx.era).status(uploading.cx.era);
                PostModelVersionsUploadResponse { status: Some(status), ..Default::default() }
            }
        };
        let encoded = uploading.encoded(answer);
        Some((encoded, uploading))
    })
    .boxed()
}

struct Uploading {
    cx: Cx,
    requests: BoxStream<'static, Bytes>,
    state: State,
}

enum State {
    Waiting,
    Taking(Box<Taking>),
    Over,
}

struct Taking {
    app: AppCtx,
    new: NewPackage,
    file: NamedTempFile,
    n_received: u64,
    n_bytes: u64,
}

impl Uploading {
    fn encoded(&self, mut answer: PostModelVersionsUploadResponse) -> Bytes {
        answer.status.get_or_insert_default().req_id.clone_from(&self.cx.request_id);
        answer.encode_to_vec().into()
    }

    async fn next(&mut self) -> Result<Option<PostModelVersionsUploadResponse>> {
        if matches!(self.state, State::Over) {
            return Ok(None);
        }
        let Some(request) = self.requests.next().await else {
            return match std::mem::replace(&mut self.state, State::Over) {
                State::Taking(taking) => Err(Error::invalid(
                    "content_part",
                    format!("is missing: {} of {} bytes came", taking.n_received, taking.n_bytes),
                )),
                State::Waiting | State::Over => Ok(None),
            };
        };
        let request = PostModelVersionsUploadRequest::decode(request)
            .map_err(|e| Error::new(Kind::Invalid, format!("the request is not a valid message: {e}")))?;
        match (std::mem::replace(&mut self.state, State::Over), request.upload_data) {
            (State::Waiting, Some(UploadData::UploadConfig(config))) => {
                let taking = begin(&self.cx, config).await?;
                let answer = taking.progress(&self.cx);
                self.state = State::Taking(Box::new(taking));
                Ok(Some(answer))
            }
            (State::Taking(taking), Some(UploadData::ContentPart(part))) => {
                let taking = taking.take(part).await?;
                if taking.n_received < taking.n_bytes {
                    let answer = taking.progress(&self.cx);
                    self.state = State::Taking(Box::new(taking));
                    return Ok(Some(answer));
                }
                Box::pin(end(&self.cx, taking)).await.map(Some)
            }
            (State::Waiting, _) => Err(Error::invalid("upload_config", "must come first")),
            (State::Taking(_) | State::Over, _) => Err(Error::invalid("content_part", "must follow")),
        }
    }
}

async fn end(cx: &Cx, taking: Taking) -> Result<PostModelVersionsUploadResponse> {
    let Taking { app, new, file, .. } = taking;
    let (_, version) = model_packages::add(&app, file.path(), new).await?;
    Ok(PostModelVersionsUploadResponse {
        status: Some(cx.status(Code::ModelBuilding)),
        bytes_remaining: 0,
        model_version_id: version.id,
    })
}

async fn begin(cx: &Cx, config: PostModelVersionsUploadConfig) -> Result<Taking> {
    let app = cx.app(config.user_app_id).await?;
    let version = config.model_version.unwrap_or_default();
    // What a container would need says nothing here, and what comes out is in the manifest.
    let said = ModelVersion {
        visibility: version.visibility,
        train_info: version.train_info.clone(),
        import_info: version.import_info.clone(),
        special_handling: version.special_handling.clone(),
        ..Default::default()
    };
    model_versions::check(&said)?;
    let most = model_packages::max_upload_bytes(&cx.platform);
    if config.total_size == 0 || config.total_size > most {
        return Err(Error::invalid("upload_config.total_size", format!("must be 1 to {most}")));
    }
    let model = user_models::get(&app, &config.model_id).await?;
    let id = if version.id.is_empty() { cx.platform.ids().id() } else { version.id };
    let new = NewPackage {
        model_id: model.id,
        version_id: id,
        description: version.description,
        license: version.license,
        metadata: version.metadata.map(documents::from_struct).unwrap_or_default(),
        ..NewPackage::default()
    };
    let file = NamedTempFile::new().map_err(Error::internal)?;
    Ok(Taking { app, new, file, n_received: 0, n_bytes: config.total_size })
}

impl Taking {
    async fn take(mut self: Box<Self>, part: UploadContentPart) -> Result<Self> {
        let n = part.data.len() as u64;
        if part.range_start != self.n_received {
            let text = format!("must be {}: pieces come in order", self.n_received);
            return Err(Error::invalid("content_part.range_start", text));
        }
        if n == 0 || n > self.n_bytes - self.n_received {
            let text = format!("must have 1 to {} bytes", self.n_bytes - self.n_received);
            return Err(Error::invalid("content_part.data", text));
        }
        let work = move || {
            let file = self.file.as_file_mut();
            file.seek(SeekFrom::Start(self.n_received))?;
            file.write_all(&part.data)?;
            self.n_received += n;
            Ok::<_, std::io::Error>(*self)
        };
        let done = tokio::task::spawn_blocking(work).await.map_err(Error::internal)?;
        done.map_err(|error| Error::unavailable("the upload cannot be kept").caused_by(error))
    }

    fn progress(&self, cx: &Cx) -> PostModelVersionsUploadResponse {
        let percent = self.n_received * 100 / self.n_bytes.max(1);
        let percent_completed = u32::try_from(percent).unwrap_or(100);
        PostModelVersionsUploadResponse {
            status: Some(Status { percent_completed, ..cx.status(Code::ModelUploading) }),
            bytes_remaining: self.n_bytes - self.n_received,
            model_version_id: self.new.version_id.clone(),
        }
    }
}
