//! Rules for what is written: log messages, places that exist on one machine only, registries, and things left for later.

use super::SourceFile;
use super::rust_text::log_messages;

pub fn check(file: &SourceFile, complaints: &mut Vec<String>) {
    let path = &file.path;
    // This folder's own lists and examples would be found in it.
    if path.starts_with("xtask/src/tidy/") {
        return;
    }
    if file.is_rust() {
        for (line_no, message) in log_messages(&file.text) {
            let capital = message.chars().next().is_some_and(char::is_uppercase);
            if capital || message.ends_with('.') {
                let rule = "a log text begins small and has no full stop";
                complaints.push(format!("{path}:{line_no}: {rule}: \"{message}\""));
            }
        }
    }
    for (idx, line) in file.text.lines().enumerate() {
        let here = |what: &str| format!("{path}:{}: {what}", idx + 1);
        for place in ["/work/", "/root/", "/home/"] {
            if mentions_place(line, place) {
                complaints.push(here(&format!("`{place}` exists on one machine only")));
            }
        }
        for host in [
            ("pypi", ".org"),
            ("pythonhosted", ".org"),
            ("npmjs", ".org"),
            ("index.crates", ".io"),
            ("static.crates", ".io"),
        ] {
            let host = format!("{}{}", host.0, host.1);
            if line.contains(&host) {
                let rule = "is a registry; packages come through their client as it is configured";
                complaints.push(here(&format!("`{host}` {rule}")));
            }
        }
        for word in ["TODO", "FIXME", "XXX", "todo!()", "unimplemented!()"] {
            if contains_word(line, word) {
                complaints.push(here(&format!("`{word}` marks unfinished work; finish it or file an issue")));
            }
        }
    }
}

/// A path that begins so; `/api/work/` is none.
fn mentions_place(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        !before.is_some_and(|letter| {
            letter.is_alphanumeric() || matches!(letter, '.' | '-' | '_' | '}' | '>' | '/')
        })
    })
}

fn contains_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, _)| {
        let is_letter = |letter: char| letter.is_alphanumeric() || letter == '_';
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        !before.is_some_and(is_letter) && !after.is_some_and(is_letter)
    })
}
