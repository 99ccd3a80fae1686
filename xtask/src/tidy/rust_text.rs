//! Looking at Rust as text: lines without comments and tests, and the texts of log calls.

/// Number and text of every line that is neither a comment nor part of the tests at the foot.
pub fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let tests_start = text.find("\n#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    text[..tests_start]
        .lines()
        .enumerate()
        .map(|(idx, line)| (idx + 1, line))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Line number and message of every `tracing` event with a message.
pub fn log_messages(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for level in ["error", "warn", "info", "debug", "trace"] {
        let call = format!("tracing::{level}!(");
        for (start, _) in text.match_indices(&call) {
            let line_no = text[..start].matches('\n').count() + 1;
            if let Some(message) = message(&text[start + call.len()..]) {
                found.push((line_no, message));
            }
        }
    }
    found
}

/// The last string of the call that is not a field's value.
fn message(arguments: &str) -> Option<String> {
    let mut last = None;
    let mut depth = 1;
    let mut chars = arguments.char_indices();
    while let Some((idx, letter)) = chars.next() {
        match letter {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            }
            '"' => {
                let is_value = arguments[..idx].trim_end().ends_with(['=', ':']);
                let text = string(&mut chars);
                if depth == 1 && !is_value {
                    last = Some(text);
                }
            }
            _ => {}
        }
    }
    last
}

/// The rest of a string, whose opening quote was read.
fn string(chars: &mut std::str::CharIndices<'_>) -> String {
    let mut text = String::new();
    while let Some((_, letter)) = chars.next() {
        match letter {
            '"' => break,
            '\\' => {
                chars.next();
            }
            other => text.push(other),
        }
    }
    text
}
