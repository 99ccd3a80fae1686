//! What transcoding knows of each message: its fields with the vendor's JSON options, read once
//! from the descriptors when the server starts.

use std::collections::HashMap;

use ocellus_clarifai_proto::SHOWN_EMPTY_IN_2018;
use prost_reflect::{DescriptorPool, ExtensionDescriptor, FieldDescriptor, MessageDescriptor};

/// Every message of the pool, addressable by full name or by index (messages refer to each other).
pub struct Plans {
    messages: Vec<Plan>,
    by_name: HashMap<String, usize>,
}

pub struct Plan {
    /// In the order of their numbers, which is also the order in which they are printed.
    pub fields: Vec<Field>,
    /// Proto name, JSON name and camelCase name to index in `fields`.
    by_name: HashMap<String, usize>,
    /// Indices of fields whose absence in JSON means a value (`cl_default_float`).
    pub defaults: Vec<usize>,
}

pub struct Field {
    pub number: u32,
    pub name: String,
    pub kind: Kind,
    pub list: bool,
    /// Key and value kinds of a map field.
    pub map: Option<(Kind, Kind)>,
    /// Printed even when absent (`cl_show_if_empty`).
    pub show_if_empty: bool,
    /// Printed even when absent for the clients of 2018, whose proto said so.
    pub show_if_empty_2018: bool,
    /// What an absent value means in JSON (`cl_default_float`); over gRPC it means zero.
    pub default_float: Option<f32>,
    /// Printed as text: a 64-bit integer of a message that the document of 2018 describes so.
    pub quoted: bool,
}

/// All 64-bit integers of the document of 2018; it has them as texts, because JavaScript's numbers are too short.
/// Those that came later are numbers.
const QUOTED: [(&str, &str); 3] = [
    ("clarifai.api.TestMessage", "int_64"),
    ("clarifai.api.DimensionList", "int_value_list"),
    ("clarifai.api.RealtimeCount", "count"),
];

#[derive(Clone, Debug)]
pub enum Kind {
    Double,
    Float,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Bool,
    String,
    Bytes,
    /// Names and numbers of the enum's values.
    Enum(std::sync::Arc<HashMap<String, i32>>),
    /// Index into [`Plans`].
    Message(usize),
    Struct,
    Value,
    ListValue,
    Timestamp,
    Duration,
    /// A wrapper such as `google.protobuf.BoolValue`: a message with one field, printed bare.
    Wrapper(Box<Kind>),
}

impl Plan {
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.by_name.get(name).map(|&i| &self.fields[i])
    }
}

impl Plans {
    pub fn new(pool: &DescriptorPool) -> Self {
        let show = pool.get_extension_by_name("clarifai.api.utils.cl_show_if_empty");
        let float = pool.get_extension_by_name("clarifai.api.utils.cl_default_float");
        let all: Vec<MessageDescriptor> = pool.all_messages().collect();
        let by_name: HashMap<String, usize> =
            all.iter().enumerate().map(|(i, m)| (m.full_name().to_owned(), i)).collect();
        let mut enums = HashMap::new();
        let messages =
            all.iter().map(|m| plan(m, &by_name, &mut enums, show.as_ref(), float.as_ref())).collect();
        Self { messages, by_name }
    }

    pub fn get(&self, index: usize) -> &Plan {
        &self.messages[index]
    }

    pub fn index(&self, full_name: &str) -> Option<usize> {
        self.by_name.get(full_name).copied()
    }
}

type Enums = HashMap<String, std::sync::Arc<HashMap<String, i32>>>;

fn plan(
    message: &MessageDescriptor,
    index: &HashMap<String, usize>,
    enums: &mut Enums,
    show: Option<&ExtensionDescriptor>,
    float: Option<&ExtensionDescriptor>,
) -> Plan {
    let mut fields: Vec<Field> = message
        .fields()
        .map(|f| {
            let options = f.options();
            // In a descriptor a map is a list of messages of two fields.
            let entry = f.kind().as_message().filter(|_| f.is_map()).cloned();
            let map = entry.map(|entry| {
                let (key, value) = (entry.map_entry_key_field(), entry.map_entry_value_field());
                (kind(&key, index, enums), kind(&value, index, enums))
            });
            let show_if_empty = show.is_some_and(|e| options.get_extension(e).as_bool() == Some(true));
            let old = SHOWN_EMPTY_IN_2018.contains(&(message.full_name(), f.name()));
            Field {
                number: f.number(),
                name: f.name().to_owned(),
                kind: kind(&f, index, enums),
                list: f.is_list(),
                map,
                show_if_empty,
                show_if_empty_2018: show_if_empty || old,
                default_float: float
                    .filter(|e| options.has_extension(e))
                    .and_then(|e| options.get_extension(e).as_f32()),
                quoted: QUOTED.contains(&(message.full_name(), f.name())),
            }
        })
        .collect();
    fields.sort_by_key(|f| f.number);
    let mut by_name = HashMap::new();
    for (i, f) in fields.iter().enumerate() {
        by_name.insert(camel(&f.name), i);
    }
    // The proto's own spelling wins where a camelCase form of one field equals another's name.
    for (i, f) in fields.iter().enumerate() {
        by_name.insert(f.name.clone(), i);
    }
    let defaults = (0..fields.len()).filter(|&i| fields[i].default_float.is_some()).collect();
    Plan { fields, by_name, defaults }
}

fn camel(snake: &str) -> String {
    let mut out = String::with_capacity(snake.len());
    let mut upper = false;
    for c in snake.chars() {
        if c == '_' {
            upper = true;
        } else if std::mem::take(&mut upper) {
            out.push(c.to_ascii_uppercase());
        } else {
            out.push(c);
        }
    }
    out
}

fn kind(field: &FieldDescriptor, index: &HashMap<String, usize>, enums: &mut Enums) -> Kind {
    use prost_reflect::Kind as K;
    match field.kind() {
        K::Double => Kind::Double,
        K::Float => Kind::Float,
        K::Int32 => Kind::Int32,
        K::Int64 => Kind::Int64,
        K::Uint32 => Kind::Uint32,
        K::Uint64 => Kind::Uint64,
        K::Sint32 => Kind::Sint32,
        K::Sint64 => Kind::Sint64,
        K::Fixed32 => Kind::Fixed32,
        K::Fixed64 => Kind::Fixed64,
        K::Sfixed32 => Kind::Sfixed32,
        K::Sfixed64 => Kind::Sfixed64,
        K::Bool => Kind::Bool,
        K::String => Kind::String,
        K::Bytes => Kind::Bytes,
        K::Enum(e) => Kind::Enum(
            enums
                .entry(e.full_name().to_owned())
                .or_insert_with(|| {
                    std::sync::Arc::new(e.values().map(|v| (v.name().to_owned(), v.number())).collect())
                })
                .clone(),
        ),
        K::Message(m) => match m.full_name() {
            "google.protobuf.Struct" => Kind::Struct,
            "google.protobuf.Value" => Kind::Value,
            "google.protobuf.ListValue" => Kind::ListValue,
            "google.protobuf.Timestamp" => Kind::Timestamp,
            "google.protobuf.Duration" => Kind::Duration,
            "google.protobuf.DoubleValue" => Kind::Wrapper(Box::new(Kind::Double)),
            "google.protobuf.FloatValue" => Kind::Wrapper(Box::new(Kind::Float)),
            "google.protobuf.Int32Value" => Kind::Wrapper(Box::new(Kind::Int32)),
            "google.protobuf.Int64Value" => Kind::Wrapper(Box::new(Kind::Int64)),
            "google.protobuf.UInt32Value" => Kind::Wrapper(Box::new(Kind::Uint32)),
            "google.protobuf.UInt64Value" => Kind::Wrapper(Box::new(Kind::Uint64)),
            "google.protobuf.BoolValue" => Kind::Wrapper(Box::new(Kind::Bool)),
            "google.protobuf.StringValue" => Kind::Wrapper(Box::new(Kind::String)),
            "google.protobuf.BytesValue" => Kind::Wrapper(Box::new(Kind::Bytes)),
            name => Kind::Message(index[name]),
        },
    }
}
