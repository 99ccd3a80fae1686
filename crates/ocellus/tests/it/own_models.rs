//! Models brought along and taken elsewhere from the terminal.

use crate::support::Place;

fn fixture(name: &str) -> String {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/own-models");
    folder.join(name).display().to_string()
}

#[test]
fn a_model_is_added_exported_and_imported_elsewhere_by_those_who_trust_its_maker() {
    let here = Place::new();
    let told = here.out(&["models", "add", &fixture("colours.onnx"), "--app", "garden"]);
    assert!(told.contains("model colours of app garden") && told.contains("licence: CC0-1.0"), "{told}");
    let complaint = here.err(&["models", "add", &fixture("foreign.onnx"), "--app", "garden"]);
    assert!(complaint.contains("model.toml"), "{complaint}");
    here.out(&["models", "export", "colours", "colours.zip", "--app", "garden"]);
    let key = here.out(&["models", "key"]);
    assert_eq!(key.trim().len(), 64, "{key}");

    let bundle = here.path("colours.zip").display().to_string();
    let there = Place::new();
    let complaint = there.err(&["models", "import", &bundle, "--app", "park"]);
    assert!(complaint.contains(key.trim()), "{complaint}");
    let trust = format!("own_models.trusted_signers={}", key.trim());
    there.out(&["models", "import", &bundle, "--app", "park", "--model", "again", "--set", &trust]);
    let told = there.out(&["models", "import", &bundle, "--app", "park", "--trust", key.trim()]);
    assert!(told.contains("model colours of app park"), "{told}");
    let complaint = there.err(&["models", "export", "nobody", "x.zip", "--app", "park"]);
    assert!(complaint.contains("nobody"), "{complaint}");
}
