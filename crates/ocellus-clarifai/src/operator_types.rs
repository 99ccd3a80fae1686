//! The model types of operators, with their parameters, in the wire form.

use ocellus_core::workflows::operators::{OperatorParam, OperatorType, ParamKind, TYPES};

use crate::pb::model_type_field::ModelTypeFieldType as FieldType;
use crate::pb::*;

/// All of them.
pub fn all() -> Vec<ModelType> {
    TYPES.iter().map(to_wire).collect()
}

fn to_wire(known: &OperatorType) -> ModelType {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    ModelType {
        id: known.id.to_owned(),
        title: known.title.to_owned(),
        description: known.description.to_owned(),
        input_fields: texts(known.input_fields),
        output_fields: texts(known.output_fields),
        creatable: true,
        model_type_fields: known.params.iter().map(param).collect(),
        ..Default::default()
    }
}

fn param(param: &OperatorParam) -> ModelTypeField {
    let field_type = match param.kind {
        ParamKind::Number(..) => FieldType::Range,
        ParamKind::Text => FieldType::String,
        ParamKind::Thresholds => FieldType::ArrayOfConceptsWithThreshold,
        ParamKind::Map => FieldType::Json,
        ParamKind::Choice(_) => FieldType::Enum,
    };
    let range = match param.kind {
        ParamKind::Number(min, max) => {
            Some(ModelTypeRangeInfo { min: min as f32, max: max as f32, ..Default::default() })
        }
        ParamKind::Text | ParamKind::Thresholds | ParamKind::Map | ParamKind::Choice(_) => None,
    };
    let options = match param.kind {
        ParamKind::Choice(words) => words
            .iter()
            .map(|word| ModelTypeEnumOption { id: (*word).to_owned(), ..Default::default() })
            .collect(),
        ParamKind::Number(..) | ParamKind::Text | ParamKind::Thresholds | ParamKind::Map => Vec::new(),
    };
    ModelTypeField {
        path: format!("output_info.params.{}", param.name),
        field_type: field_type as i32,
        description: param.description.to_owned(),
        required: param.required,
        model_type_range_info: range,
        model_type_enum_options: options,
        ..Default::default()
    }
}
