//! What is told of a model in catalogues: its task, picture, licence, maker and the like. Kept and given back as it came.

use ocellus_core::{Error, JsonMap, Result};
use serde_json::Value;

use crate::documents;
use crate::pb::*;

/// The fields that are given; zero, no and the empty text mean "leave alone".
pub fn read(model: &mut Model) -> Result<JsonMap> {
    let image = model.image.take().unwrap_or_default();
    if !image.base64.is_empty() || !image.crop.is_empty() {
        return Err(Error::invalid("models.image", "must be given by its url"));
    }
    let text = |name, text: String| (name, Value::from(text));
    let number = |name, number: i32| (name, Value::from(number));
    let mut given = vec![
        text("task", std::mem::take(&mut model.task)),
        text("image_url", image.url),
        text("creator", std::mem::take(&mut model.creator)),
        number("license_type", model.license_type),
        number("source", model.source),
        number("billing_type", model.billing_type),
        number("deploy_restriction", model.deploy_restriction),
    ];
    given.retain(|(_, value)| value.as_str() != Some("") && value.as_i64() != Some(0));
    given.extend(model.featured_order.map(|order| number("featured_order", order)));
    given.extend(model.workflow_recommended.map(|yes| ("workflow_recommended", Value::from(yes))));
    let eval_params = model.default_eval_info.take().and_then(|info| info.params);
    given.extend(eval_params.map(|params| ("eval_params", Value::from(documents::from_struct(params)))));
    Ok(given.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Puts them where they came from.
pub fn write(about: &JsonMap, model: &mut Model) {
    let text = |name| about.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |name| about.get(name).and_then(Value::as_i64).and_then(|n| i32::try_from(n).ok());
    let image_url = text("image_url");
    model.task = text("task");
    model.creator = text("creator");
    model.image = (!image_url.is_empty()).then(|| Image { url: image_url, ..Default::default() });
    model.license_type = number("license_type").unwrap_or_default();
    model.source = number("source").unwrap_or_default();
    model.billing_type = number("billing_type").unwrap_or_default();
    model.deploy_restriction = number("deploy_restriction").unwrap_or_default();
    model.featured_order = number("featured_order");
    model.workflow_recommended = about.get("workflow_recommended").and_then(Value::as_bool);
    let params = about.get("eval_params").and_then(Value::as_object);
    model.default_eval_info = params.map(|params| EvalInfo { params: documents::to_struct(params) });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_a_model_survives_the_way_there_and_back() {
        let model = Model {
            task: "find faults".to_owned(),
            image: Some(Image { url: "https://x.test/a.png".to_owned(), ..Default::default() }),
            creator: "us".to_owned(),
            license_type: LicenseType::OpenSource as i32,
            source: 1,
            billing_type: 2,
            deploy_restriction: 1,
            featured_order: Some(0),
            workflow_recommended: Some(false),
            ..Default::default()
        };
        let mut told = Model::default();
        write(&read(&mut model.clone()).unwrap(), &mut told);
        assert_eq!(told, model);
        assert_eq!(read(&mut Model::default()).unwrap(), JsonMap::new());
        let image = Some(Image { base64: vec![1].into(), ..Default::default() });
        assert!(read(&mut Model { image, ..Default::default() }).is_err());
    }
}
