//! The model types that can be trained, with what may be set, in the wire form.

use ocellus_core::learning::settings::{Setting, SettingKind, TEMPLATE, Trainer};
use prost_types::value::Kind;

use crate::pb::model_type_field::ModelTypeFieldType as FieldType;
use crate::pb::*;

/// Settings that stand in the configuration of answers.
const OF_ANSWERS: [&str; 1] = ["concepts_mutually_exclusive"];
/// Types whose clients name no recipe.
const WITHOUT_TEMPLATE: [&str; 2] = ["embedding-classifier", "clusterer"];

/// Adds what can be set to the types that can be trained, and the types of which there is no public model.
pub fn add_to(types: &mut Vec<ModelType>) {
    for (id, trainer) in Trainer::types() {
        let known = types.iter().position(|known| known.id == id);
        let place = known.unwrap_or_else(|| {
            types.push(described(id, trainer));
            types.len() - 1
        });
        let fields = trainer.settings().filter(|s| s.name != "template" || !WITHOUT_TEMPLATE.contains(&id));
        let wire = &mut types[place];
        (wire.trainable, wire.creatable) = (true, true);
        wire.model_type_fields = fields.map(field).collect();
    }
}

fn described(id: &str, trainer: Trainer) -> ModelType {
    let (title, description, output) = match trainer {
        Trainer::Classifier => {
            ("Transfer Learning", "Learns concepts from the vectors of another model.", "concepts")
        }
        Trainer::Neighbours => {
            ("Nearest Neighbours", "Tells concepts by the labelled inputs that are most alike.", "concepts")
        }
        Trainer::Embedder => (
            "Visual Embedder",
            "Learns vectors in which inputs of one concept lie close together.",
            "embeddings",
        ),
        Trainer::Clusterer => ("Clusterer", "Sorts inputs into groups.", "concepts"),
        Trainer::Detector => {
            ("Visual Detector", "Finds things and says of each what it is, with its box.", "regions")
        }
    };
    ModelType {
        id: id.to_owned(),
        title: title.to_owned(),
        description: description.to_owned(),
        input_fields: vec!["image".to_owned()],
        output_fields: vec![output.to_owned()],
        ..Default::default()
    }
}

fn field(setting: &Setting) -> ModelTypeField {
    let (field_type, default) = match setting.kind {
        SettingKind::Switch(on) => (FieldType::Boolean, Kind::BoolValue(on)),
        SettingKind::Whole { usual, .. } => (FieldType::Range, Kind::NumberValue(f64::from(usual))),
        SettingKind::Number => (FieldType::Number, Kind::NumberValue(0.0)),
        SettingKind::Word(words) => {
            let first = words.first().copied().unwrap_or_default().to_owned();
            (FieldType::Enum, Kind::StringValue(first))
        }
        SettingKind::Id => match setting.name {
            "dataset_id" => (FieldType::DatasetId, Kind::StringValue(String::new())),
            "dataset_version_id" => (FieldType::DatasetVersionId, Kind::StringValue(String::new())),
            _ => (FieldType::String, Kind::StringValue(String::new())),
        },
    };
    let options = match setting.kind {
        SettingKind::Word(words) => words.iter().map(|word| option(word)).collect(),
        SettingKind::Switch(_) | SettingKind::Whole { .. } | SettingKind::Number | SettingKind::Id => {
            Vec::new()
        }
    };
    let range = match setting.kind {
        SettingKind::Whole { min, max, .. } => {
            Some(ModelTypeRangeInfo { min: min as f32, max: max as f32, step: 1.0 })
        }
        SettingKind::Switch(_) | SettingKind::Number | SettingKind::Word(_) | SettingKind::Id => None,
    };
    let place =
        if OF_ANSWERS.contains(&setting.name) { "output_info.output_config" } else { "train_info.params" };
    ModelTypeField {
        path: format!("{place}.{}", setting.name),
        field_type: field_type as i32,
        default_value: Some(prost_types::Value { kind: Some(default) }),
        description: setting.about.to_owned(),
        placeholder: setting.name.to_owned(),
        model_type_enum_options: options,
        model_type_range_info: range,
        ..Default::default()
    }
}

fn option(word: &str) -> ModelTypeEnumOption {
    // Clients look for settings in the recipe itself, and fail if it has none.
    let model_type_fields = match word == TEMPLATE {
        true => Trainer::Clusterer.settings().filter(|setting| setting.name == "seed").map(field).collect(),
        false => Vec::new(),
    };
    ModelTypeEnumOption {
        id: word.to_owned(),
        recommended: word == TEMPLATE,
        model_type_fields,
        ..Default::default()
    }
}
