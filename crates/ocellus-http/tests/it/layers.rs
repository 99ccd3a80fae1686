//! What the layers around every dialect do to requests and answers.

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use http::{Request, StatusCode};
use ocellus_http::scenario::{World, run_text};
use ocellus_http::{AccessNote, HttpConfig, RequestId, wrap};
use tower::ServiceExt;

fn router() -> Router {
    let routes = Router::new()
        .route("/fails", get(|| async { panic!("secret text") as &str }))
        .route("/echo", post(|body: String| async { body }))
        .route(
            "/id/{name}",
            get(|request: axum::extract::Request| async move {
                let note = request.extensions().get::<AccessNote>();
                note.expect("the access log puts it there").set_caller("me/key");
                let id = request.extensions().get::<RequestId>();
                id.expect("the id layer puts it there").0.clone()
            }),
        );
    wrap(routes, &HttpConfig { max_body_bytes: 1_000 })
}

#[tokio::test]
async fn a_panic_a_large_body_and_a_preflight_are_answered_in_order() {
    let text = r#"# The layers answer before and after the handlers.
> GET /fails
< 500 {"error": {"message": "internal error"}}
<! access-control-allow-origin: *
<! x-request-id: [len:32]

> GET /id/x
>! x-request-id: from-caller.1
< 200 =from-caller.1
<! x-request-id: from-caller.1

> POST /echo =small
< 200 =small

> OPTIONS /echo
>! origin: http://example.com
>! access-control-request-method: POST
>! access-control-request-headers: authorization, x-clarifai-client
< 200
<! access-control-allow-methods: [contains:PATCH]
<! access-control-allow-headers: [contains:x-clarifai-client]
"#;
    run_text(&World::new(router()), "layers", text).await.unwrap();
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_whether_announced_or_not() {
    let announced =
        Request::post("/echo").header("content-length", "1001").body(Body::from("x".repeat(1_001))).unwrap();
    let chunks = futures_util::stream::iter((0..20).map(|_| Ok::<_, std::io::Error>("x".repeat(100))));
    let unannounced = Request::post("/echo").body(Body::from_stream(chunks)).unwrap();
    for request in [announced, unannounced] {
        let response = router().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
}
