//! Matching request paths against the templates of `google.api.http`: on the raw path, so that an
//! id may hold `%2F`; `{x=**}` and `:verb` are understood; a literal wins over a variable.

use std::collections::HashMap;

use http::Method;
use percent_encoding::percent_decode_str;

/// All templates of a service with what they lead to.
pub struct Paths<T> {
    root: Node<T>,
}

/// What a path leads to.
#[derive(Debug, PartialEq)]
pub enum Found<'a, T> {
    /// The target with its variables, decoded.
    Target(&'a T, Vec<(&'a str, String)>),
    /// The path exists, but not with this method.
    WrongMethod,
    Nothing,
}

struct Node<T> {
    literals: HashMap<String, Node<T>>,
    variable: Option<Box<Node<T>>>,
    /// Targets of templates that end here, by method.
    ends: Vec<End<T>>,
    /// Targets of templates that end here and take the rest of the path (`{x=**}`).
    rests: Vec<End<T>>,
}

struct End<T> {
    method: Method,
    /// The part after the colon of the last segment, or nothing.
    verb: String,
    variables: Vec<String>,
    target: T,
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { literals: HashMap::new(), variable: None, ends: Vec::new(), rests: Vec::new() }
    }
}

impl<T> Default for Paths<T> {
    fn default() -> Self {
        Self { root: Node::default() }
    }
}

impl<T> Paths<T> {
    /// Adds a template. If method and shape are taken already, the target is given back.
    pub fn add(&mut self, method: Method, template: &str, target: T) -> Result<(), T> {
        let (template, verb) = split_verb(template);
        let mut node = &mut self.root;
        let mut variables = Vec::new();
        let mut rest = false;
        for segment in segments(template) {
            node = match segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) {
                None => node.literals.entry(segment.to_owned()).or_default(),
                Some(variable) => {
                    let (name, pattern) = variable.split_once('=').unwrap_or((variable, "*"));
                    variables.push(name.to_owned());
                    if pattern == "**" {
                        rest = true;
                        break;
                    }
                    node.variable.get_or_insert_default()
                }
            };
        }
        let ends = if rest { &mut node.rests } else { &mut node.ends };
        if ends.iter().any(|end| end.method == method && end.verb == verb) {
            return Err(target);
        }
        ends.push(End { method, verb: verb.to_owned(), variables, target });
        Ok(())
    }

    /// Finds the target of a raw path, that is one still percent-encoded.
    pub fn find(&self, method: &Method, path: &str) -> Found<'_, T> {
        let segments: Vec<&str> = segments(path).collect();
        let mut known = false;
        let mut taken = Vec::new();
        match find(&self.root, method, &segments, &mut taken, &mut known) {
            Some((end, values)) => {
                let names = end.variables.iter().map(String::as_str);
                Found::Target(&end.target, names.zip(values).collect())
            }
            None if known => Found::WrongMethod,
            None => Found::Nothing,
        }
    }
}

/// Splits `…/{id}:publish` into the template and its verb. A colon inside braces is no verb.
fn split_verb(template: &str) -> (&str, &str) {
    let last = template.rfind('/').map_or(0, |i| i + 1);
    match template[last..].rfind(':') {
        Some(i) if !template[last + i..].contains('}') => (&template[..last + i], &template[last + i + 1..]),
        _ => (template, ""),
    }
}

/// Segments between slashes; a slash at the end is forgiven.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.strip_suffix('/').unwrap_or(path).split('/')
}

fn decode(raw: &str) -> String {
    percent_decode_str(raw).decode_utf8_lossy().into_owned()
}

fn find<'n, 'p, T>(
    node: &'n Node<T>,
    method: &Method,
    segments: &[&'p str],
    taken: &mut Vec<&'p str>,
    known: &mut bool,
) -> Option<(&'n End<T>, Vec<String>)> {
    let Some((&segment, later)) = segments.split_first() else {
        *known |= node.ends.iter().any(|end| end.verb.is_empty());
        let end = node.ends.iter().find(|end| end.verb.is_empty() && end.method == *method)?;
        return Some((end, taken.iter().map(|raw| decode(raw)).collect()));
    };
    if let Some(next) = node.literals.get(segment)
        && let Some(found) = find(next, method, later, taken, known)
    {
        return Some(found);
    }
    if later.is_empty()
        && let Some((id, verb)) = segment.rsplit_once(':')
        && let Some(next) = &node.variable
    {
        let mut ends = next.ends.iter().filter(|end| end.verb == verb && !verb.is_empty());
        if let Some(end) = ends.find(|end| end.method == *method) {
            return Some((end, taken.iter().chain([&id]).map(|raw| decode(raw)).collect()));
        }
    }
    // An empty segment is no id: `GET /v2/models//outputs` must not match a template.
    if let Some(next) = node.variable.as_ref().filter(|_| !segment.is_empty()) {
        taken.push(segment);
        if let Some(found) = find(next, method, later, taken, known) {
            return Some(found);
        }
        taken.pop();
    }
    *known |= !node.rests.is_empty();
    let end = node.rests.iter().find(|end| end.method == *method)?;
    let rest: Vec<String> = segments.iter().map(|raw| decode(raw)).collect();
    let values = taken.iter().map(|raw| decode(raw)).chain([rest.join("/")]).collect();
    Some((end, values))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths() -> Paths<&'static str> {
        let mut paths = Paths::default();
        for (method, template) in [
            (Method::GET, "/v2/inputs/{input_id}"),
            (Method::GET, "/v2/inputs/status"),
            (Method::DELETE, "/v2/inputs/{input_id}"),
            (Method::POST, "/v2/users/{user_app_id.user_id}/apps/{user_app_id.app_id}/inputs"),
            (Method::GET, "/v2/files/{path=**}"),
            (Method::POST, "/v2/models/{id}:publish"),
            (Method::GET, "/v2/{a}/x/y"),
        ] {
            paths.add(method, template, template).unwrap();
        }
        paths
    }

    #[test]
    fn a_path_leads_to_its_template_with_decoded_variables() {
        let paths = paths();
        let cases: &[(Method, &str, &str, &[&str])] = &[
            (Method::GET, "/v2/inputs/abc", "/v2/inputs/{input_id}", &["abc"]),
            (Method::GET, "/v2/inputs/abc/", "/v2/inputs/{input_id}", &["abc"]),
            (Method::GET, "/v2/inputs/status", "/v2/inputs/status", &[]),
            (Method::DELETE, "/v2/inputs/status", "/v2/inputs/{input_id}", &["status"]),
            (Method::GET, "/v2/inputs/a%2Fb", "/v2/inputs/{input_id}", &["a/b"]),
            (Method::GET, "/v2/inputs/%E7%9A%84%E3%81%AA", "/v2/inputs/{input_id}", &["的な"]),
            (Method::GET, "/v2/inputs/的な", "/v2/inputs/{input_id}", &["的な"]),
            (Method::GET, "/v2/inputs/a%3Fb:c", "/v2/inputs/{input_id}", &["a?b:c"]),
            (Method::GET, "/v2/files/a/b%20c/d", "/v2/files/{path=**}", &["a/b c/d"]),
            (Method::POST, "/v2/models/m%201:publish", "/v2/models/{id}:publish", &["m 1"]),
            (Method::GET, "/v2/inputs/x/y", "/v2/{a}/x/y", &["inputs"]),
            (
                Method::POST,
                "/v2/users/me/apps/a/inputs",
                "/v2/users/{user_app_id.user_id}/apps/{user_app_id.app_id}/inputs",
                &["me", "a"],
            ),
        ];
        for (method, path, template, values) in cases {
            match paths.find(method, path) {
                Found::Target(target, variables) => {
                    assert_eq!(target, template, "{path}");
                    let found: Vec<&str> = variables.iter().map(|(_, v)| v.as_str()).collect();
                    assert_eq!(&found, values, "{path}");
                }
                Found::WrongMethod | Found::Nothing => panic!("{path} leads nowhere"),
            }
        }
    }

    #[test]
    fn unknown_paths_and_wrong_methods_are_told_apart() {
        let paths = paths();
        for path in ["/v2", "/", "/v2/nothing", "/v2/inputs/", "/v2/inputs//", "/v2/users//apps/a/inputs"] {
            assert_eq!(paths.find(&Method::GET, path), Found::Nothing, "{path}");
        }
        assert_eq!(paths.find(&Method::PUT, "/v2/inputs/abc"), Found::WrongMethod);
    }

    #[test]
    fn the_first_of_two_equal_templates_stays() {
        let mut paths = Paths::default();
        assert_eq!(paths.add(Method::GET, "/v2/a/{x}", 1), Ok(()));
        assert_eq!(paths.add(Method::GET, "/v2/a/{y}", 2), Err(2));
        assert_eq!(paths.add(Method::PUT, "/v2/a/{y}", 3), Ok(()));
    }
}
