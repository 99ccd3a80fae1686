//! What a scenario tells, read without running it: who sends what, and what must come back.

use super::parse::{self, Step};

/// One request and its expected answer, before variables are put in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The line of the request, counted from 1.
    pub line: usize,
    /// The variable whose key is sent, or nothing. Headers of the request itself are not looked at.
    pub key: Option<String>,
    /// The verb in capitals.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The expected status, such as `200` or `4xx`.
    pub status: String,
    /// The expected body; empty where anything is right.
    pub answer: String,
}

/// Everything a scenario's text tells. Requests that are sent together are left out: which of the answers is whose
/// stands nowhere. `Err` is a report for people.
pub fn told(name: &str, text: &str) -> Result<Vec<Told>, String> {
    let script = parse::parse(text).map_err(|(line, message)| format!("{name}:{line}: {message}"))?;
    let mut key = Some("api_key".to_owned());
    let mut found = Vec::new();
    for (_, step) in script.steps {
        match step {
            Step::Key(name) => key = (name != "none").then_some(name),
            Step::Header { .. } | Step::Set { .. } | Step::Jobs => {}
            Step::Exchange(exchange) => {
                let (mut requests, mut answers) = (exchange.requests, exchange.answers);
                if let (1, Some(request), Some(answer)) = (requests.len(), requests.pop(), answers.pop()) {
                    found.push(Told {
                        line: request.line,
                        key: key.clone(),
                        method: request.method,
                        path: request.path,
                        status: answer.status,
                        answer: answer.body,
                    });
                }
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_tells_who_sends_what_and_what_comes_back() {
        let text = "# Somebody sends something.\n> GET /a?b=c\n< 200 {}\n@key none\n> POST /d  {}\n> POST /d  {}\n< 200\n< 4xx\n> GET /e\n< 401\n";
        let found = told("x.txt", text).unwrap();
        let short: Vec<_> =
            found.iter().map(|t| (t.line, t.key.as_deref(), t.path.as_str(), t.status.as_str())).collect();
        assert_eq!(short, [(2, Some("api_key"), "/a?b=c", "200"), (9, None, "/e", "401")]);
        assert_eq!(found[0].answer, "{}");
        assert!(told("x.txt", "no head\n").unwrap_err().starts_with("x.txt:1: "));
    }
}
