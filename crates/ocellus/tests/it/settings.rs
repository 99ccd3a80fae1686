//! `ocellus config` and refusals of settings, on the real binary.

use crate::support::{Place, text};

#[test]
fn effective_settings_come_from_file_environment_and_flags_with_secrets_masked() {
    let place = Place::new();
    std::fs::write(place.path("ocellus.toml"), "[server]\nlisten = \"127.0.0.1:1\"\n[jobs]\nworkers = 3\n")
        .unwrap();
    let output = place
        .ocellus(&["config", "--database", "postgres://me:hush@db/x", "--set", "log.level=warn"])
        .env("OCELLUS__JOBS__WORKERS", "5")
        .output()
        .unwrap();
    let shown = text(&output.stdout);
    let expected = [
        "listen = \"127.0.0.1:1\"  # from ocellus.toml",
        "workers = 5  # from OCELLUS__JOBS__WORKERS",
        "level = \"warn\"  # from a flag",
        "database = \"postgres://me:********@db/x\"  # from a flag",
        "data_dir = \"./ocellus-data\"\n",
    ];
    for line in expected {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    assert!(!shown.contains("hush"));
    assert!(!place.path("ocellus-data").exists(), "`ocellus config` must not make anything");
}

#[test]
fn an_unknown_setting_is_refused_with_the_nearest_one() {
    let place = Place::new();
    let cases = [
        (vec!["config", "--set", "server.lisen=x"], "did you mean `server.listen`?"),
        (vec!["config", "--set", "nonsense"], "--set wants SECTION.KEY=VALUE"),
        (vec!["serve", "--config", "nowhere.toml"], "nowhere.toml cannot be read"),
        (vec!["serve", "--set", "server.max_connections=0"], "server.max_connections must be 1 or more"),
    ];
    for (args, expected) in cases {
        let complaint = place.err(&args);
        assert!(complaint.starts_with("error: ") && complaint.contains(expected), "{args:?}: {complaint}");
    }
}
