//! Sends a scenario's requests to the router and reports the first exchange that does not fit.

use std::collections::BTreeMap;
use std::path::Path;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use serde_json::Value;
use tower::ServiceExt;

use super::compare::{Outcome, compare, shorten};
use super::expand::Scope;
use super::parse::{self, Exchange, Step};
use super::{Seen, World};

/// More than any answer in a scenario has.
const MAX_ANSWER_BYTES: usize = 256 << 20;

/// Runs the file at `path`; `Err` is a report for people.
pub async fn run_file(world: &World, path: &Path) -> Result<(), String> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
    run_text(world, &name, &text).await
}

/// Runs a scenario's text; `name` stands in front of the line numbers in the report.
pub async fn run_text(world: &World, name: &str, text: &str) -> Result<(), String> {
    variables_after(world, name, text).await.map(|_| ())
}

/// Like [`run_text`]; gives the variables as they are at the end.
pub async fn variables_after(
    world: &World,
    name: &str,
    text: &str,
) -> Result<BTreeMap<String, Value>, String> {
    let located = |(line, message): (usize, String)| format!("{name}:{line}: {message}");
    let script = parse::parse(text).map_err(located)?;
    let mut run = Run {
        world,
        vars: world.vars.clone(),
        key: world.vars.contains_key("api_key").then(|| "api_key".to_owned()),
        headers: BTreeMap::new(),
    };
    for (line, step) in &script.steps {
        run.step(*line, step).await.map_err(located)?;
    }
    Ok(run.vars)
}

struct Run<'a> {
    world: &'a World,
    vars: BTreeMap<String, Value>,
    key: Option<String>,
    headers: BTreeMap<String, String>,
}

struct Received {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Run<'_> {
    fn scope(&self) -> Scope<'_> {
        Scope { vars: &self.vars, file_roots: &self.world.file_roots }
    }

    async fn step(&mut self, line: usize, step: &Step) -> Result<(), (usize, String)> {
        let at_line = |message: String| (line, message);
        match step {
            Step::Key(name) if name == "none" => self.key = None,
            Step::Key(name) => self.key = Some(name.clone()),
            Step::Header { name, value } => {
                let value = self.scope().text(value).map_err(at_line)?;
                self.headers.insert(name.to_lowercase(), value);
            }
            Step::Set { name, value } => {
                let value = self.scope().text(value).map_err(at_line)?;
                let value = serde_json::from_str(&value).unwrap_or(Value::String(value));
                self.vars.insert(name.clone(), value);
            }
            Step::Jobs => {
                let hook = self.world.jobs.as_ref();
                let hook = hook.ok_or_else(|| at_line("this test gave no jobs".to_owned()))?;
                hook().await.map_err(at_line)?;
            }
            Step::Exchange(exchange) => self.exchange(exchange).await?,
        }
        Ok(())
    }

    async fn exchange(&mut self, exchange: &Exchange) -> Result<(), (usize, String)> {
        let mut sends = Vec::new();
        for request in &exchange.requests {
            let built = self.build(request).map_err(|error| (request.line, error))?;
            let path = built.uri().path().to_owned();
            sends.push((path, tokio::spawn(send(self.world.router.clone(), built))));
        }
        let mut received = Vec::new();
        for (request, (path, sending)) in exchange.requests.iter().zip(sends) {
            let answer = sending.await.unwrap_or_else(|error| Err(error.to_string()));
            let answer = answer.map_err(|error| (request.line, error))?;
            self.look(request, &path, &answer).map_err(|error| (request.line, error))?;
            received.push(answer);
        }
        if let [answer] = exchange.answers.as_slice() {
            let outcome = self.check(answer, &received[0]);
            let outcome = outcome.map_err(|error| (answer.line, error))?;
            let title = title(&exchange.requests[0]);
            return self.conclude(answer.line, &title, outcome, &received);
        }
        self.check_together(exchange, &received)
    }

    fn look(&self, request: &parse::Request, path: &str, answer: &Received) -> Result<(), String> {
        let Some(watch) = &self.world.watch else { return Ok(()) };
        let content_type = answer.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let seen = Seen {
            method: &request.method,
            path,
            status: answer.status,
            content_type: content_type.unwrap_or_default(),
            body: &answer.text,
        };
        watch(&seen).map_err(|problem| format!("{}\n  {problem}", title(request)))
    }

    fn conclude(
        &mut self,
        line: usize,
        title: &str,
        outcome: Outcome,
        received: &[Received],
    ) -> Result<(), (usize, String)> {
        if outcome.problems.is_empty() {
            self.vars.extend(outcome.kept);
            return Ok(());
        }
        let mut report = title.to_owned();
        for problem in &outcome.problems {
            report.push_str(&format!("\n  {problem}"));
        }
        for answer in received {
            let text = shorten(&answer.text);
            report.push_str(&format!("\n  answer: {} {text}", answer.status));
        }
        Err((line, report))
    }

    /// Answers of requests sent together may come in any order, so each expectation is tried on each of them.
    fn check_together(&mut self, exchange: &Exchange, received: &[Received]) -> Result<(), (usize, String)> {
        let mut fits = vec![Vec::new(); exchange.answers.len()];
        let mut outcomes: BTreeMap<(usize, usize), Outcome> = BTreeMap::new();
        for (want_idx, answer) in exchange.answers.iter().enumerate() {
            for (got_idx, got) in received.iter().enumerate() {
                let outcome = self.check(answer, got).map_err(|e| (answer.line, e))?;
                if outcome.problems.is_empty() {
                    fits[want_idx].push(got_idx);
                    outcomes.insert((want_idx, got_idx), outcome);
                }
            }
        }
        let line = exchange.answers[0].line;
        let Some(chosen) = choose(&fits) else {
            let outcome = Outcome {
                problems: vec!["no order of the answers fits what is expected".to_owned()],
                ..Outcome::default()
            };
            return self.conclude(line, "requests sent together", outcome, received);
        };
        for (want_idx, got_idx) in chosen.into_iter().enumerate() {
            if let Some(outcome) = outcomes.remove(&(want_idx, got_idx)) {
                self.vars.extend(outcome.kept);
            }
        }
        Ok(())
    }

    fn build(&self, request: &parse::Request) -> Result<Request<Body>, String> {
        let scope = self.scope();
        let (body, is_json) = request_body(&scope, &request.body)?;
        let mut headers = HeaderMap::new();
        if is_json {
            let json = HeaderValue::from_static("application/json");
            headers.insert(header::CONTENT_TYPE, json);
        }
        if let Some(name) = &self.key {
            let key = scope.text(&format!("Key {{{{{name}}}}}"))?;
            headers.insert(header::AUTHORIZATION, header_value(&key)?);
        }
        let own = request.headers.iter().map(|(name, value)| (name, value));
        for (name, value) in self.headers.iter().chain(own) {
            let name: HeaderName = name.parse().map_err(|_| format!("`{name}` is no header"))?;
            match scope.text(value)?.as_str() {
                "" => headers.remove(name),
                value => headers.insert(name, header_value(value)?),
            };
        }
        let path = encode_path(&scope.path(&request.path)?);
        let mut built = Request::builder()
            .method(request.method.as_str())
            .uri(&path)
            .body(Body::from(body))
            .map_err(|error| format!("`{path}`: {error}"))?;
        *built.headers_mut() = headers;
        Ok(built)
    }

    fn check(&self, answer: &parse::Answer, received: &Received) -> Result<Outcome, String> {
        let mut outcome = Outcome::default();
        if !status_fits(&answer.status, received.status) {
            let (wanted, found) = (&answer.status, received.status);
            let problem = format!("expected status {wanted}, got {found}");
            outcome.problems.push(problem);
        }
        for (name, wanted) in &answer.headers {
            let wanted = Value::from(self.scope().text(wanted)?);
            let found = received.headers.get(name.as_str());
            let expected = serde_json::json!({ name.as_str(): wanted });
            let found = match found {
                Some(value) => {
                    serde_json::json!({ name.as_str(): String::from_utf8_lossy(value.as_bytes()) })
                }
                None => serde_json::json!({}),
            };
            compare(&expected, &found, "header", &mut outcome);
        }
        self.check_body(&answer.body, received, &mut outcome)?;
        Ok(outcome)
    }

    fn check_body(&self, wanted: &str, received: &Received, outcome: &mut Outcome) -> Result<(), String> {
        if wanted.is_empty() {
            return Ok(());
        }
        if let Some(exact) = wanted.strip_prefix('=') {
            if received.text != self.scope().text(exact)? {
                outcome.problems.push(format!("expected the text `{exact}`"));
            }
            return Ok(());
        }
        if let Some(part) = wanted.strip_prefix('~') {
            if !received.text.contains(self.scope().text(part)?.trim()) {
                outcome.problems.push(format!("expected `{part}` in the text"));
            }
            return Ok(());
        }
        let expected: Value = serde_json::from_str(wanted)
            .map_err(|error| format!("the expected body is not JSON: {error}"))?;
        let expected = self.scope().json(&expected)?;
        match serde_json::from_str::<Value>(&received.text) {
            Ok(found) => compare(&expected, &found, "", outcome),
            Err(error) => outcome.problems.push(format!("the answer is not JSON: {error}")),
        }
        Ok(())
    }
}

fn title(request: &parse::Request) -> String {
    format!("{} {}", request.method, request.path)
}

/// For each expectation the number of the answer it takes; every answer is taken once.
fn choose(fits: &[Vec<usize>]) -> Option<Vec<usize>> {
    fn search(fits: &[Vec<usize>], taken: &mut Vec<usize>) -> bool {
        let Some(candidates) = fits.get(taken.len()) else {
            return true;
        };
        for &candidate in candidates {
            if taken.contains(&candidate) {
                continue;
            }
            taken.push(candidate);
            if search(fits, taken) {
                return true;
            }
            taken.pop();
        }
        false
    }
    let mut taken = Vec::with_capacity(fits.len());
    search(fits, &mut taken).then_some(taken)
}

fn request_body(scope: &Scope<'_>, body: &str) -> Result<(Vec<u8>, bool), String> {
    if body.is_empty() {
        return Ok((Vec::new(), false));
    }
    if let Some(text) = body.strip_prefix('=') {
        return Ok((scope.text(text)?.into_bytes(), false));
    }
    let file = body.strip_prefix("[file:").and_then(|rest| rest.strip_suffix(']'));
    if let Some(path) = file {
        return Ok((scope.file(path)?, false));
    }
    let value: Value = serde_json::from_str(body)
        .map_err(|error| format!("the body is not JSON ({error}); begin it with `=` if so meant"))?;
    Ok((scope.json(&value)?.to_string().into_bytes(), true))
}

/// Scenarios may write non-ASCII letters in a path plainly.
fn encode_path(path: &str) -> String {
    percent_encoding::utf8_percent_encode(path, percent_encoding::CONTROLS).to_string()
}

fn header_value(value: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_str(value).map_err(|_| format!("`{value}` cannot stand in a header"))
}

fn status_fits(wanted: &str, found: u16) -> bool {
    let found = found.to_string();
    wanted == "*"
        || (wanted.len() == found.len()
            && wanted.bytes().zip(found.bytes()).all(|(wanted, found)| wanted == b'x' || wanted == found))
}

async fn send(router: Router, request: Request<Body>) -> Result<Received, String> {
    let response = match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let bytes = crate::body::read(response.into_body(), MAX_ANSWER_BYTES)
        .await
        .map_err(|error| format!("the answer's body cannot be read: {error:?}"))?;
    Ok(Received { status, headers, text: String::from_utf8_lossy(&bytes).into_owned() })
}
