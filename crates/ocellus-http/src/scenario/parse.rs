//! Text of a scenario into steps. Knows nothing of variables and matchers.

/// A whole file.
#[derive(Debug, PartialEq)]
pub(super) struct Script {
    pub steps: Vec<(usize, Step)>,
}

#[derive(Debug, PartialEq)]
pub(super) enum Step {
    Key(String),
    Header { name: String, value: String },
    Set { name: String, value: String },
    Jobs,
    Exchange(Exchange),
}

/// Requests sent at the same time and the answers wanted; both of equal number.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Exchange {
    pub requests: Vec<Request>,
    pub answers: Vec<Answer>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Request {
    pub line: usize,
    pub method: String,
    pub path: String,
    pub body: String,
    pub headers: Vec<(String, String)>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    pub line: usize,
    pub status: String,
    pub body: String,
    pub headers: Vec<(String, String)>,
}

/// `Err` is the line's number, counted from 1, and what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Script, (usize, String)> {
    let lines = logical_lines(text)?;
    let mut steps = Vec::new();
    let mut open: Option<(usize, Exchange)> = None;
    for (line_no, line) in lines {
        if let Some(rest) = line.strip_prefix(">!") {
            let (_, exchange) = open.as_mut().ok_or((line_no, no_request("`>!`")))?;
            let request = exchange.requests.last_mut();
            let request = request.ok_or((line_no, no_request("`>!`")))?;
            request.headers.push(header(rest).map_err(|e| (line_no, e))?);
        } else if let Some(rest) = line.strip_prefix("<!") {
            let answer = open.as_mut().and_then(|(_, e)| e.answers.last_mut());
            let answer = answer.ok_or((line_no, "`<!` must follow a `<` line".to_owned()))?;
            answer.headers.push(header(rest).map_err(|e| (line_no, e))?);
        } else if let Some(rest) = line.strip_prefix('>') {
            if open.as_ref().is_some_and(|(_, e)| !e.answers.is_empty()) {
                close(open.take(), &mut steps)?;
            }
            let request = request(line_no, rest).map_err(|e| (line_no, e))?;
            let (_, exchange) = open.get_or_insert_with(|| (line_no, Exchange::default()));
            exchange.requests.push(request);
        } else if let Some(rest) = line.strip_prefix('<') {
            let (_, exchange) = open.as_mut().ok_or((line_no, no_request("`<`")))?;
            exchange.answers.push(answer(line_no, rest));
        } else {
            close(open.take(), &mut steps)?;
            steps.push((line_no, directive(&line).map_err(|e| (line_no, e))?));
        }
    }
    close(open.take(), &mut steps)?;
    Ok(Script { steps })
}

fn no_request(what: &str) -> String {
    format!("{what} must follow a `>` line")
}

/// Joins continuation lines, drops comments and blank lines, and insists on the sentence at the head.
fn logical_lines(text: &str) -> Result<Vec<(usize, String)>, (usize, String)> {
    let head = text.lines().next().unwrap_or_default();
    let has_sentence = head.strip_prefix("# ").is_some_and(|sentence| sentence.trim().len() > 10);
    if !has_sentence {
        let message = "the first line must be `# ` and the sentence this file proves";
        return Err((1, message.to_owned()));
    }
    let mut joined: Vec<(usize, String)> = Vec::new();
    for (idx, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.starts_with([' ', '\t']) {
            let last = joined.last_mut();
            let (_, last) = last.ok_or((idx + 1, "nothing to continue here".to_owned()))?;
            last.push('\n');
            last.push_str(trimmed);
        } else {
            joined.push((idx + 1, trimmed.to_owned()));
        }
    }
    Ok(joined)
}

fn close(open: Option<(usize, Exchange)>, steps: &mut Vec<(usize, Step)>) -> Result<(), (usize, String)> {
    let Some((line_no, exchange)) = open else {
        return Ok(());
    };
    let (sent, wanted) = (exchange.requests.len(), exchange.answers.len());
    if sent != wanted {
        return Err((line_no, format!("{sent} requests are followed by {wanted} answers")));
    }
    steps.push((line_no, Step::Exchange(exchange)));
    Ok(())
}

fn request(line: usize, rest: &str) -> Result<Request, String> {
    let (method, rest) = split_word(rest);
    let (path, body) = split_word(rest);
    if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(format!("`{method}` is not a method in capitals"));
    }
    if !path.starts_with('/') {
        return Err(format!("the path `{path}` must begin with `/`"));
    }
    Ok(Request {
        line,
        method: method.to_owned(),
        path: path.to_owned(),
        body: body.to_owned(),
        headers: Vec::new(),
    })
}

fn answer(line: usize, rest: &str) -> Answer {
    let (status, body) = split_word(rest);
    Answer { line, status: status.to_owned(), body: body.to_owned(), headers: Vec::new() }
}

fn directive(line: &str) -> Result<Step, String> {
    let (word, rest) = split_word(line);
    match word {
        "jobs" if rest.is_empty() => Ok(Step::Jobs),
        "@key" if !rest.is_empty() => Ok(Step::Key(rest.to_owned())),
        "@header" => header(rest).map(|(name, value)| Step::Header { name, value }),
        "@set" => {
            let (name, value) = split_word(rest);
            Ok(Step::Set { name: name.to_owned(), value: value.to_owned() })
        }
        _ => Err(format!("cannot read the line `{line}`")),
    }
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) =
        text.split_once(':').ok_or_else(|| format!("`{}` is not `Name: value`", text.trim()))?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim();
    match text.find(char::is_whitespace) {
        Some(end) => (&text[..end], text[end..].trim_start()),
        None => (text, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_requests_in_a_row_make_one_exchange() {
        let script = parse(
            "# Two writers at once.\n@key pat\n> POST /a {\"x\":\n   1}\n>! A: b\n> POST /b\n< 200\n< 4xx {}\njobs\n",
        )
        .unwrap();
        assert_eq!(script.steps.len(), 3);
        let (line, Step::Exchange(exchange)) = &script.steps[1] else {
            panic!("{script:?}");
        };
        assert_eq!(*line, 3);
        assert_eq!(exchange.requests[0].body, "{\"x\":\n1}");
        assert_eq!(exchange.requests[0].headers, [("A".into(), "b".into())]);
        assert_eq!(exchange.requests[1].path, "/b");
        assert_eq!(exchange.answers[1].status, "4xx");
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        let cases = [
            ("> GET /", 1, "first line"),
            ("# It has a sentence.\n> GET /\n", 2, "1 requests are followed by 0"),
            ("# It has a sentence.\n< 200", 2, "must follow"),
            ("# It has a sentence.\n\n> get /x\n< 200", 3, "capitals"),
            ("# It has a sentence.\n> GET x\n< 200", 2, "begin with `/`"),
            ("# It has a sentence.\nsleep 5", 2, "cannot read"),
        ];
        for (text, line, part) in cases {
            let (found, message) = parse(text).unwrap_err();
            assert_eq!(found, line, "{text}");
            assert!(message.contains(part), "{message}");
        }
    }
}
