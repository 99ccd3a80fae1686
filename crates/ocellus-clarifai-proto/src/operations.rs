//! Every route of the service with the generation it comes from: the input of the coverage table.

use prost_reflect::{MethodDescriptor, ReflectMessage, Value};

use crate::documented::{
    BINDINGS_2018, BINDINGS_2023, BINDINGS_DOCUMENT_ONLY, DOCUMENTED_2018, DOCUMENTED_2023, METHODS_2023,
    SHADOWED,
};

/// The newest generation of clients that knows a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Generation {
    /// clarifai-grpc 12.6.0.
    Current,
    /// clarifai-grpc 9.11.5, December 2023.
    Y2023,
    /// clarifai 2.6.2 or the document of 2018.
    Y2018,
}

impl Generation {
    /// `current`, `2023` or `2018`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Y2023 => "2023",
            Self::Y2018 => "2018",
        }
    }
}

/// One REST binding of one method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Method of the service, such as `PostInputs`.
    pub rpc: String,
    /// HTTP verb in capitals.
    pub method: String,
    /// Path template, such as `/v2/inputs/{input_id}`.
    pub path: String,
    /// `*` when the request message is the JSON body, otherwise empty: then the query fills it.
    pub body: String,
    /// The newest generation that has this binding.
    pub generation: Generation,
    /// The 2018 document lists this verb and path.
    pub documented_in_2018: bool,
    /// The 2023 document lists it, or a group of routes that it lies in, and the client of that time had the method.
    pub documented_in_2023: bool,
    /// The method that answers this route instead, where the published service claims a route twice.
    pub answered_by: Option<&'static str>,
}

/// All REST bindings of all methods, in the order of the service; the first of each method is its primary one.
pub fn operations() -> Vec<Operation> {
    let service = crate::pool().get_service_by_name(crate::SERVICE).expect("the set holds the service");
    service.methods().flat_map(|method| bindings(&method)).collect()
}

fn bindings(method: &MethodDescriptor) -> Vec<Operation> {
    let http = crate::pool().get_extension_by_name("google.api.http").expect("the set holds the option");
    let options = method.options();
    let rule = options.get_extension(&http);
    let Some(rule) = rule.as_message().filter(|_| options.has_extension(&http)) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    found.extend(operation(method.name(), rule));
    if let Some(more) = rule.get_field_by_name("additional_bindings") {
        let rules = more.as_list().unwrap_or_default();
        found.extend(
            rules.iter().filter_map(Value::as_message).filter_map(|rule| operation(method.name(), rule)),
        );
    }
    found
}

fn operation(rpc: &str, rule: &prost_reflect::DynamicMessage) -> Option<Operation> {
    let pattern = rule.descriptor().oneofs().next()?.fields().find(|field| rule.has_field(field))?;
    let (method, path) = (pattern.name().to_uppercase(), rule.get_field(&pattern).as_str()?.to_owned());
    let body =
        rule.get_field_by_name("body").and_then(|body| body.as_str().map(str::to_owned)).unwrap_or_default();
    let generation = generation(rpc, &method, &path);
    Some(Operation {
        generation,
        documented_in_2018: DOCUMENTED_2018.contains(&(method.as_str(), path.as_str())),
        documented_in_2023: generation != Generation::Y2018
            && METHODS_2023.contains(&rpc)
            && documented_in_2023(&method, &path),
        answered_by: SHADOWED
            .iter()
            .find(|(loser, verb, at, _)| (*loser, *verb, *at) == (rpc, method.as_str(), path.as_str()))
            .map(|(_, _, _, winner)| *winner),
        rpc: rpc.to_owned(),
        method,
        path,
        body,
    })
}

fn generation(rpc: &str, method: &str, path: &str) -> Generation {
    let key = (rpc, method, path);
    if BINDINGS_2023.contains(&key) {
        Generation::Y2023
    } else if BINDINGS_2018.contains(&key) || BINDINGS_DOCUMENT_ONLY.contains(&key) {
        Generation::Y2018
    } else {
        Generation::Current
    }
}

fn documented_in_2023(method: &str, path: &str) -> bool {
    DOCUMENTED_2023.iter().any(|listed| lies_in(method, &anonymous(path), listed))
}

/// Whether a route, its variables written `{}`, is what a line of the 2023 document names.
fn lies_in(method: &str, path: &str, (verb, at): &(&str, &str)) -> bool {
    match *verb {
        "*" => path.strip_prefix(at).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        verb => verb == method && *at == path,
    }
}

/// The lines of the 2023 document: a verb (`*`: everything at or below the path) and a path with its variables written
/// `{}`, each with the operations behind it that the clients of that time had.
pub fn groups_of_2023() -> Vec<((&'static str, &'static str), Vec<Operation>)> {
    let all = operations();
    let behind = |listed: &(&'static str, &'static str)| {
        let found = all.iter().filter(|o| o.documented_in_2023);
        found.filter(|o| lies_in(&o.method, &anonymous(&o.path), listed)).cloned().collect()
    };
    DOCUMENTED_2023.iter().map(|listed| (*listed, behind(listed))).collect()
}

/// The path with its variables written `{}`, as in the 2023 document.
fn anonymous(path: &str) -> String {
    let segments = path.split('/').map(|s| if s.starts_with('{') { "{}" } else { s });
    segments.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::{Generation, Operation, operations};

    fn find(method: &str, path: &str) -> Operation {
        let found = operations().into_iter().find(|o| o.method == method && o.path == path);
        found.unwrap_or_else(|| panic!("no {method} {path}"))
    }

    #[test]
    fn a_route_knows_its_generation_and_who_documents_it() {
        let cases = [
            ("GET", "/v2/healthz", "GetHealthz", Generation::Y2018, true, false),
            ("GET", "/v2/scopes", "ListScopes", Generation::Y2018, true, false),
            ("GET", "/v2/collectors", "ListCollectors", Generation::Y2023, false, true),
            ("GET", "/v2/inputs/{input_id}", "GetInput", Generation::Current, false, true),
            ("POST", "/v2/log_entries", "PostLogEntries", Generation::Current, false, false),
        ];
        for (method, path, rpc, generation, in_2018, in_2023) in cases {
            let o = find(method, path);
            let found = (o.rpc.as_str(), o.generation, o.documented_in_2018, o.documented_in_2023);
            assert_eq!(found, (rpc, generation, in_2018, in_2023), "{method} {path}");
        }
    }

    #[test]
    fn a_get_takes_its_request_from_path_and_query_only() {
        for o in operations() {
            assert!(matches!(o.body.as_str(), "" | "*"), "{} {} has body {:?}", o.method, o.path, o.body);
            assert!(o.method != "GET" || o.body.is_empty(), "{} {} is a GET with a body", o.method, o.path);
        }
    }
}
