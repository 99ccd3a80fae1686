//! `docs/schema.md`, from the migrations in their order: they are the only place where the schema is said.

use std::fmt::Write as _;
use std::path::Path;

const MIGRATIONS: &str = "crates/ocellus-store/migrations";

/// The document's text.
pub fn document(root: &Path) -> Result<String, String> {
    let mut out = String::from(
        "# Tables\n\n\
         Generated from `crates/ocellus-store/migrations/` by `cargo xtask docs`; do not edit. \
         The code of a table is in `crates/ocellus-store/src/tables/`.\n",
    );
    for (name, text) in migrations(root)? {
        let _ = write!(out, "\n## Migration `{name}`\n");
        render(&text, &mut out);
    }
    Ok(out)
}

/// Name and text of every migration, in order.
pub fn migrations(root: &Path) -> Result<Vec<(String, String)>, String> {
    let dir = root.join(MIGRATIONS);
    let entries = std::fs::read_dir(&dir).map_err(|error| format!("{MIGRATIONS}: {error}"))?;
    let mut found = Vec::new();
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".sql") {
            let text = std::fs::read_to_string(entry.path()).map_err(|error| format!("{name}: {error}"))?;
            found.push((name, text));
        }
    }
    found.sort();
    Ok(found)
}

/// Comments become sentences, tables become tables, all else is quoted.
fn render(sql: &str, out: &mut String) {
    let mut comment = Vec::new();
    let mut lines = sql.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(text) = line.strip_prefix("-- ") {
            comment.push(text);
            continue;
        }
        if line.trim().is_empty() {
            flush(&mut comment, out);
            continue;
        }
        if let Some(name) = line.strip_prefix("CREATE TABLE ").and_then(|rest| rest.strip_suffix(" (")) {
            let _ = write!(out, "\n### {name}\n");
            flush(&mut comment, out);
            out.push_str("\n| column | type |\n| --- | --- |\n");
            for column in lines.by_ref().take_while(|line| !line.starts_with(')')) {
                render_column(column, out);
            }
            continue;
        }
        let mut statement = line.trim().to_owned();
        while !statement.ends_with(';') {
            let Some(more) = lines.next() else { break };
            statement = format!("{statement} {}", more.trim());
        }
        let about = if comment.is_empty() { String::new() } else { format!(" {}", comment.join(" ")) };
        comment.clear();
        let _ = write!(out, "\n`{statement}`{about}\n");
    }
    flush(&mut comment, out);
}

fn flush(comment: &mut Vec<&str>, out: &mut String) {
    if !comment.is_empty() {
        let _ = write!(out, "\n{}\n", comment.join(" "));
        comment.clear();
    }
}

fn render_column(line: &str, out: &mut String) {
    let line = line.trim();
    if let Some(comment) = line.strip_prefix("-- ") {
        let _ = writeln!(out, "| | {comment} |");
        return;
    }
    let (definition, comment) = line.split_once(" -- ").map_or((line, ""), |(left, right)| (left, right));
    let definition = definition.trim_end().trim_end_matches(',');
    let (name, kind) = definition.split_once(' ').unwrap_or((definition, ""));
    let constraint = name.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_');
    let comment = if comment.is_empty() { String::new() } else { format!(". {comment}") };
    if constraint {
        let _ = writeln!(out, "| | {definition}{comment} |");
    } else {
        let _ = writeln!(out, "| `{name}` | {kind}{comment} |");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_migration_becomes_headings_tables_and_quotes() {
        let sql = "-- About all.\n\n-- About one.\nCREATE TABLE one (\n    id TEXT NOT NULL,\n    n BIGINT, -- counted\n    PRIMARY KEY (id)\n);\n-- Why.\nCREATE INDEX i\n  ON one (n);\n";
        let mut out = String::new();
        render(sql, &mut out);
        let expected = "\nAbout all.\n\n### one\n\nAbout one.\n\n| column | type |\n| --- | --- |\n| `id` | TEXT NOT NULL |\n| `n` | BIGINT. counted |\n| | PRIMARY KEY (id) |\n\n`CREATE INDEX i ON one (n);` Why.\n";
        assert_eq!(out, expected);
    }
}
