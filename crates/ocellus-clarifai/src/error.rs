//! Errors in the vendor's words: one match from the core's error to a status code and HTTP status.

use http::StatusCode as Http;
use ocellus_core::{Error, Kind, Resource, maps};

use crate::pb::status::{Status, StatusCode as Code};
use crate::rpc::Era;
use crate::status;

/// An error on its way to a client.
#[derive(Clone, Debug)]
pub struct WireError {
    pub code: Code,
    pub http: Http,
    pub details: String,
    pub retry_after_s: Option<u32>,
}

impl WireError {
    pub fn new(code: Code, http: Http, details: impl Into<String>) -> Self {
        Self { code, http, details: details.into(), retry_after_s: None }
    }

    /// A request that cannot be read: broken JSON, a value of the wrong type.
    pub fn malformed(details: impl Into<String>) -> Self {
        Self::new(Code::ConnBadRequestFormat, Http::BAD_REQUEST, details)
    }

    /// No key came with the request.
    pub fn no_key() -> Self {
        let details = "Empty or malformed authorization header. Please provide an API key or session token.";
        Self::new(Code::ConnInvalidRequest, Http::UNAUTHORIZED, details)
    }

    /// The error in the words of a client's generation.
    pub fn of(error: &Error, era: Era) -> Self {
        let (code, http) = wire(error.kind, error.about.as_ref());
        // Before 2020 a key that does not exist had a code of its own, and old clients look for it.
        let code = match (code, era) {
            (Code::ConnKeyInvalid, Era::Y2019) if error.kind == Kind::Unauthenticated => {
                Code::ConnKeyNotFound
            }
            (code, Era::Y2019 | Era::Current) => code,
        };
        Self { code, http, details: details(error, era), retry_after_s: error.retry_after_s }
    }

    pub fn status(&self, era: Era) -> Status {
        Status { details: self.details.clone(), ..status::of(era, self.code) }
    }
}

impl From<Error> for WireError {
    fn from(error: Error) -> Self {
        Self::of(&error, Era::Current)
    }
}

/// The one table of error codes. There is no catch-all arm for kinds, so that a new kind must be
/// given its codes here before anything compiles.
fn wire(kind: Kind, about: Option<&Resource>) -> (Code, Http) {
    use Resource as R;
    match (kind, about) {
        (Kind::Invalid, Some(R::Field(field))) => invalid_field(field),
        (Kind::Invalid, Some(R::Other("workflow node", _))) => {
            (Code::WorkflowInvalidGraph, Http::BAD_REQUEST)
        }
        (Kind::Invalid, about) => (invalid(about), Http::BAD_REQUEST),
        (Kind::Unauthenticated, Some(R::Account(_))) => (Code::ConnCredentialsInvalid, Http::UNAUTHORIZED),
        (Kind::Unauthenticated, _) => (Code::ConnKeyInvalid, Http::UNAUTHORIZED),
        (Kind::Forbidden, Some(R::Url(_))) => (Code::InputInvalidUrl, Http::BAD_REQUEST),
        (Kind::Forbidden, Some(R::Other("task", _))) => (Code::TaskPermissionDenied, Http::FORBIDDEN),
        (Kind::Forbidden, Some(R::Other("signup", _))) => (Code::SignupFlagged, Http::FORBIDDEN),
        (Kind::Forbidden, _) => (Code::ConnInsufficientScopes, Http::FORBIDDEN),
        (Kind::NotFound, Some(R::Url(_))) => (Code::InputFailed, Http::BAD_REQUEST),
        (Kind::NotFound, Some(R::Other("runner", _))) => (Code::RunnerDoesNotExist, Http::NOT_FOUND),
        (Kind::NotFound, Some(R::Other(maps::NO_MAP, _))) => (Code::MissingAppVisualization, Http::NOT_FOUND),
        (Kind::NotFound, _) => (Code::ConnDoesNotExist, Http::NOT_FOUND),
        (Kind::Conflict, Some(R::Input(_) | R::Url(_))) => (Code::InputDuplicate, Http::BAD_REQUEST),
        (Kind::Conflict, Some(R::Annotation(_))) => (Code::AnnotationInvalidArgument, Http::BAD_REQUEST),
        (Kind::Conflict, Some(R::Other("task", _))) => (Code::TaskConflict, Http::CONFLICT),
        (Kind::Conflict, Some(R::Concept(_))) => (Code::ConceptsInvalidRequest, Http::BAD_REQUEST),
        (Kind::Conflict, Some(R::Model(_) | R::ModelVersion(_))) => {
            (Code::ModelInvalidArgument, Http::BAD_REQUEST)
        }
        (Kind::Conflict, _) => (Code::DatabaseDuplicateKey, Http::CONFLICT),
        (Kind::TooLarge, Some(R::Url(_) | R::Image(_) | R::Input(_))) => {
            (Code::InputOverLimit, Http::BAD_REQUEST)
        }
        (Kind::TooLarge, Some(R::Field(field))) => invalid_field(field),
        (Kind::TooLarge, _) => (Code::RpcMaxMessageSizeExceeded, Http::PAYLOAD_TOO_LARGE),
        (Kind::Unsupported, Some(R::Url(_) | R::Image(_) | R::Input(_))) => {
            (Code::InputUnsupportedFormat, Http::BAD_REQUEST)
        }
        (Kind::Unsupported, Some(R::Model(_) | R::ModelVersion(_))) => {
            (Code::ModelInvalidRequest, Http::BAD_REQUEST)
        }
        (Kind::Unsupported, Some(R::Other("untrained model", _))) => {
            (Code::ModelUntrained, Http::BAD_REQUEST)
        }
        (Kind::Unsupported, Some(R::Other("untrained node", _))) => {
            (Code::WorkflowRequireTrainedModel, Http::BAD_REQUEST)
        }
        (Kind::Unsupported, Some(R::Other("task", _))) => (Code::TaskNotImplemented, Http::NOT_IMPLEMENTED),
        (Kind::Unsupported, _) => (Code::NotImplemented, Http::NOT_IMPLEMENTED),
        (Kind::Exhausted, Some(R::Other("quota", period))) => (quota(period), Http::TOO_MANY_REQUESTS),
        (Kind::Exhausted, _) => (Code::ConnThrottled, Http::TOO_MANY_REQUESTS),
        (Kind::Unavailable, Some(R::Model(_) | R::ModelVersion(_))) => {
            (Code::ModelBusyPleaseRetry, Http::SERVICE_UNAVAILABLE)
        }
        (Kind::Unavailable, Some(R::Url(_))) => (Code::InputConnectionFailed, Http::BAD_REQUEST),
        (Kind::Unavailable, Some(R::Other("runner item", _))) => {
            (Code::RunnerProcessingFailed, Http::SERVICE_UNAVAILABLE)
        }
        (Kind::Unavailable, _) => (Code::RpcRequestQueueFull, Http::SERVICE_UNAVAILABLE),
        (Kind::Timeout, Some(R::Url(_))) => (Code::InputConnectionFailed, Http::BAD_REQUEST),
        (Kind::Timeout, _) => (Code::RpcRequestTimeout, Http::GATEWAY_TIMEOUT),
        (Kind::Cancelled, Some(R::Other("runner item", _))) => (Code::RunnerItemCancelled, Http::CONFLICT),
        (Kind::Cancelled, _) => (Code::RpcCanceled, Http::SERVICE_UNAVAILABLE),
        (Kind::Internal, _) => (Code::InternalUncategorized, Http::INTERNAL_SERVER_ERROR),
    }
}

/// A wrong request is answered with the code of what it is about.
fn invalid(about: Option<&Resource>) -> Code {
    use Resource as R;
    match about {
        Some(R::Url(_)) => Code::InputFailed,
        Some(R::Image(_)) => Code::AllInputInvalidBytes,
        Some(R::Input(_)) => Code::InputInvalidArgument,
        Some(R::Concept(_)) => Code::ConceptsInvalidRequest,
        Some(R::Annotation(_)) => Code::AnnotationInvalidArgument,
        Some(R::Model(_) | R::ModelVersion(_)) => Code::ModelInvalidArgument,
        Some(R::Search(_)) => Code::SearchInvalidRequest,
        Some(R::Other(maps::NOTHING_TO_MAP, _)) => Code::VisualizationFailedToSampleApp,
        _ => Code::ConnInvalidRequest,
    }
}

/// The code for a quota that is used up depends on how long it lasts.
fn quota(period: &str) -> Code {
    match period {
        "hour" => Code::ConnExceedHourlyLimit,
        "month" => Code::ConnExceedMonthlyLimit,
        "day" => Code::ConnExceedsLimits,
        _ => Code::ConnThrottled,
    }
}

/// Some wrong fields have a code of their own; the field's path says which.
fn invalid_field(field: &str) -> (Code, Http) {
    match field.split(['.', '[']).next().unwrap_or_default() {
        // A personal access token belongs to no app, so the call must name one.
        "user_app_id" => (Code::ConnKeyInvalid, Http::UNAUTHORIZED),
        "select_concepts" | "max_concepts" | "min_value" | "model" | "models" | "model_versions" => {
            (Code::ModelInvalidArgument, Http::BAD_REQUEST)
        }
        "workflows" | "workflow_versions" => (Code::WorkflowInvalidArgument, Http::BAD_REQUEST),
        "inputs" => (Code::InputInvalidArgument, Http::BAD_REQUEST),
        "runners" | "runner_item_outputs" => (Code::RunnerInvalidArgument, Http::BAD_REQUEST),
        "annotations" => (Code::AnnotationInvalidArgument, Http::BAD_REQUEST),
        "bulk_operations" => (Code::BulkOperationInvalidRequest, Http::BAD_REQUEST),
        "concepts" => (Code::ConceptsInvalidRequest, Http::BAD_REQUEST),
        "password" => (Code::PasswordValidationFailed, Http::BAD_REQUEST),
        "query" | "searches" => (Code::SearchInvalidRequest, Http::BAD_REQUEST),
        _ => (Code::ConnInvalidRequest, Http::BAD_REQUEST),
    }
}

/// The vendor's texts where clients read them, ours everywhere else.
fn details(error: &Error, era: Era) -> String {
    match (error.kind, &error.about) {
        // The current SDK tells a model that is to be made from other troubles by these words.
        (Kind::NotFound, Some(Resource::Model(id))) if era == Era::Current => {
            format!("Model does not exist: model_id '{id}' not found. Check the url of your request.")
        }
        (Kind::NotFound, Some(about @ (Resource::Model(_) | Resource::Input(_) | Resource::Concept(_)))) => {
            format!("{}_id '{}' not found. Check the url of your request.", about.noun(), about.id())
        }
        (Kind::Invalid, Some(Resource::Field(field))) if field == "user_app_id.app_id" => {
            "Must provide app external ID in API authorizer".to_owned()
        }
        (Kind::Invalid | Kind::TooLarge, Some(Resource::Field(field)))
            if !error.message.contains(field.as_str()) =>
        {
            format!("{field} {}", error.message)
        }
        (Kind::Conflict, Some(Resource::Concept(id))) => {
            format!("{} (duplicate concept id '{id}')", error.message)
        }
        _ => error.message.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(error: &Error, code: i32, http: u16) {
        let wire = WireError::of(error, Era::Current);
        assert_eq!((wire.code as i32, wire.http.as_u16()), (code, http), "{error:?}");
    }

    #[test]
    fn errors_have_the_codes_that_clients_look_for() {
        let id = || "x".to_owned();
        for about in
            [Resource::Model(id()), Resource::Input(id()), Resource::Concept(id()), Resource::App(id())]
        {
            check(&Error::not_found(about), 11101, 404);
        }
        check(&Error::unauthenticated("no"), 11008, 401);
        check(&Error::forbidden(Resource::Scope(id()), "no"), 11007, 403);
        check(&Error::invalid("user_app_id.app_id", "needs an app id"), 11008, 401);
        check(&Error::invalid("select_concepts", "none matches"), 21202, 400);
        check(&Error::invalid("inputs[3].data.image", "is missing"), 30104, 400);
        check(&Error::invalid("per_page", "must be 1 to 1000"), 11102, 400);
        check(&Error::conflict(Resource::Concept(id()), "exists"), 40003, 400);
        check(&Error::conflict(Resource::Input(id()), "exists"), 30100, 400);
        check(&Error::conflict(Resource::App(id()), "exists"), 40010, 409);
        check(&Error::unavailable("full"), 40030, 503);
        check(&Error::internal(std::io::Error::other("secret")), 99009, 500);
        check(&Error::new(Kind::Exhausted, "slow down"), 11005, 429);
        for (period, code) in
            [("second", 11005), ("minute", 11005), ("hour", 11003), ("day", 11006), ("month", 11004)]
        {
            let quota = Resource::Other("quota", period.to_owned());
            check(&Error::new(Kind::Exhausted, "exceeded limit").about(quota), code, 429);
        }
    }

    #[test]
    fn every_kind_about_every_thing_has_an_error_code_and_an_error_status() {
        let things: [fn(String) -> Resource; 14] = [
            Resource::Account,
            Resource::Key,
            Resource::App,
            Resource::Input,
            Resource::Concept,
            Resource::Annotation,
            Resource::Model,
            Resource::ModelVersion,
            Resource::Job,
            Resource::Search,
            Resource::Url,
            Resource::Image,
            Resource::Scope,
            Resource::Field,
        ];
        for kind in [
            Kind::Invalid,
            Kind::Unauthenticated,
            Kind::Forbidden,
            Kind::NotFound,
            Kind::Conflict,
            Kind::TooLarge,
            Kind::Unsupported,
            Kind::Exhausted,
            Kind::Unavailable,
            Kind::Timeout,
            Kind::Cancelled,
            Kind::Internal,
        ] {
            for thing in things {
                let wire = WireError::of(&Error::new(kind, "m").about(thing("x".to_owned())), Era::Current);
                assert!(wire.http.is_client_error() || wire.http.is_server_error(), "{kind:?}");
                assert!(wire.code as i32 > 10000, "{kind:?}");
            }
        }
    }

    #[test]
    fn an_unknown_key_has_the_code_of_the_clients_generation() {
        let error = Error::unauthenticated("the key does not exist");
        assert_eq!(WireError::of(&error, Era::Y2019).code as i32, 11009);
        assert_eq!(WireError::of(&error, Era::Current).code as i32, 11008);
    }

    #[test]
    fn texts_that_clients_read_are_the_vendors() {
        let missing = Error::not_found(Resource::Model("x".to_owned()));
        let text = "model_id 'x' not found. Check the url of your request.";
        assert_eq!(WireError::of(&missing, Era::Y2019).details, text);
        let current = WireError::of(&missing, Era::Current).details;
        assert_eq!(current, format!("Model does not exist: {text}"));
        let twice = WireError::from(Error::conflict(Resource::Concept("dog".to_owned()), "exists"));
        assert!(twice.details.contains("duplicate"), "{}", twice.details);
    }
}
