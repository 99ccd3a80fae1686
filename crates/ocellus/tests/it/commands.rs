//! The commands that work without a server: predict, index, search, models, admin, routes.

use serde_json::Value;

use crate::support::{Place, Server, fixture, text};

fn name_of(photo: &str) -> String {
    fixture(photo).display().to_string()
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn predict_names_what_a_photograph_shows_and_leaves_nothing_behind() {
    let place = Place::new();
    let (cat, cup) = (name_of("chelsea-224.png"), name_of("coffee-224.png"));
    let table = place.out(&["predict", &cat]);
    assert!(table.starts_with("CONCEPT") && table.contains('%'), "{table}");
    let answers = json_lines(&place.out(&["predict", "--json", "--max-concepts", "5", &cat, &cup]));
    let expected = [("cat", &cat), ("cup", &cup)];
    for (answer, (word, photo)) in answers.iter().zip(expected) {
        assert_eq!(answer["photo"], **photo);
        let concepts = answer["concepts"].as_array().unwrap();
        assert_eq!(concepts.len(), 5);
        let names = concepts.iter().map(|concept| concept["name"].as_str().unwrap().to_lowercase());
        let names: Vec<String> = names.collect();
        assert!(names.iter().any(|name| name.contains(word) || name.contains("coffee")), "{word}: {names:?}");
    }
    let colors = json_lines(&place.out(&["predict", "--json", "--model", "color-recognition", &cup]));
    assert!(colors[0]["colors"][0]["hex"].as_str().unwrap().starts_with('#'), "{colors:?}");
    assert!(!place.path("ocellus-data").exists());
}

#[test]
fn predict_goes_on_after_a_photograph_that_cannot_be_read() {
    let place = Place::new();
    std::fs::write(place.path("fake.jpg"), "no image at all").unwrap();
    let output = place.run(&["predict", "fake.jpg", "missing.jpg", &name_of("chelsea-224.png")]);
    assert!(!output.status.success());
    let complaint = text(&output.stderr);
    assert!(complaint.contains("fake.jpg: ") && complaint.contains("missing.jpg"), "{complaint}");
    assert!(complaint.contains("2 of 3 photographs could not be looked at"), "{complaint}");
    assert!(text(&output.stdout).contains("CONCEPT"));
    let complaint = place.err(&["predict", "."]);
    assert!(complaint.contains("is a folder"), "{complaint}");
    let complaint = place.err(&["predict", "--model", "nonsense", "fake.jpg"]);
    assert!(complaint.contains("nonsense"), "{complaint}");
}

#[test]
fn an_indexed_folder_is_found_by_similarity_and_a_second_run_does_nothing() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("photos/deep")).unwrap();
    std::fs::copy(fixture("chelsea-224.png"), place.path("photos/deep/cat.png")).unwrap();
    std::fs::copy(fixture("coffee-224.png"), place.path("photos/cup.png")).unwrap();
    std::fs::write(place.path("photos/broken.jpg"), "no image").unwrap();

    let complaint = place.err(&["search", &name_of("coffee-224.png")]);
    assert!(complaint.contains("run `ocellus index FOLDER` first"), "{complaint}");
    let output = place.run(&["index", "photos"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        text(&output.stdout).contains("3 photographs found, 3 new, 1 not readable"),
        "{}",
        text(&output.stdout)
    );
    assert!(text(&output.stderr).contains("broken.jpg: "), "{}", text(&output.stderr));

    let hits = json_lines(&place.out(&["search", "--json", &name_of("chelsea-224.png")]));
    assert_eq!(hits.len(), 2);
    assert!(hits[0]["path"].as_str().unwrap().ends_with("photos/deep/cat.png"), "{hits:?}");
    assert!(hits[0]["score"].as_f64().unwrap() > 0.99, "{hits:?}");
    assert!(hits[1]["score"].as_f64().unwrap() < hits[0]["score"].as_f64().unwrap());
    assert!(place.out(&["search", &name_of("coffee-224.png")]).starts_with("SCORE"));

    let again = place.out(&["index", "photos"]);
    assert!(again.contains("3 photographs found, 0 new, 1 not readable"), "{again}");
    std::fs::copy(fixture("chelsea-224.png"), place.path("photos/broken.jpg")).unwrap();
    let mended = place.out(&["index", "photos"]);
    assert!(mended.contains("3 photographs found, 1 new, 0 not readable"), "{mended}");
}

#[test]
fn indexing_beside_a_server_lets_the_server_work() {
    let place = Place::new();
    let server = Server::start(&place, &[]);
    std::fs::create_dir_all(place.path("photos")).unwrap();
    std::fs::copy(fixture("coffee-224.png"), place.path("photos/cup.png")).unwrap();
    let output = place.run(&["index", "--data-dir", "data", "photos"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let holder = format!("`ocellus serve` (process {})", server.pid());
    assert!(text(&output.stderr).contains(&holder), "{}", text(&output.stderr));
    let hits =
        json_lines(&place.out(&["search", "--data-dir", "data", "--json", &name_of("coffee-224.png")]));
    assert_eq!(hits.len(), 1);
}

#[test]
fn models_are_listed_with_task_size_and_licence() {
    let place = Place::new();
    let table = place.out(&["models"]);
    for part in ["MODEL", "general-image-recognition", "aaa03c23b3724a16a56b629203edc62c", "MB", "Apache-2.0"]
    {
        assert!(table.contains(part), "{part}\n{table}");
    }
    let models = json_lines(&place.out(&["models", "--json"]));
    assert!(models.iter().all(|model| model["installed"] == true), "{models:?}");
    let complaint = place.err(&["models", "--set", "models.dir=nowhere"]);
    assert!(complaint.contains("not installed") && complaint.contains("make setup"), "{complaint}");
}

#[test]
fn keys_are_made_listed_and_revoked_while_a_server_runs() {
    let place = Place::new();
    let server = Server::start(&place, &[]);
    let admin = |args: &[&str]| {
        let mut all = vec!["admin", "--data-dir", "data"];
        all.extend(args);
        place.out(&all)
    };
    assert!(admin(&["apps", "create", "holiday"]).contains("holiday"));
    assert!(admin(&["apps", "list"]).contains("holiday"));
    let made = admin(&["keys", "create", "--app", "holiday", "--description", "for a test"]);
    let row: Vec<&str> = made.lines().nth(1).unwrap().split_whitespace().collect();
    let (id, secret) = (row[0], row[1]);
    let list = admin(&["keys", "list"]);
    assert!(list.contains(id) && list.contains("holiday") && !list.contains(secret), "{list}");
    let authorization = format!("Key {secret}");
    let status = || server.send("GET", "/v2/inputs", &[("authorization", &authorization)]).0;
    assert_eq!(status(), 200);
    admin(&["keys", "revoke", id]);
    assert!(!admin(&["keys", "list"]).contains(id));
    let complaint = place.err(&["admin", "--data-dir", "data", "keys", "create"]);
    assert!(complaint.contains("app"), "{complaint}");
    assert!(admin(&["accounts", "create", "second", "--name", "Second"]).contains("second"));
    assert!(admin(&["accounts", "list"]).contains("Second"));
}

#[test]
fn a_client_id_and_secret_are_exchanged_for_a_token() {
    use std::io::Write as _;
    use std::process::Stdio;
    let place = Place::new();
    place.out(&["migrate", "--data-dir", "data"]);
    place.out(&["admin", "--data-dir", "data", "accounts", "list"]);
    let key = place.first_key("data");
    let client_id = key["client_id"].as_str().unwrap();
    let mut child = place
        .ocellus(&["admin", "--data-dir", "data", "token", client_id])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let secret = key["client_secret"].as_str().unwrap();
    child.stdin.take().unwrap().write_all(secret.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && text(&output.stdout).starts_with("TOKEN"), "{}", text(&output.stdout));
}

#[test]
fn every_dialect_stands_in_the_list_of_routes() {
    let list = Place::new().out(&["routes"]);
    for part in ["clarifai::PostModelOutputs", "hacarus::login", "luna::get_version", "ocellus::get_metrics"]
    {
        assert!(list.contains(part), "{part}\n{list}");
    }
}

#[test]
fn an_interrupted_run_is_taken_up_by_the_next_one() {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};
    const N_PHOTOS: usize = 200;
    let place = Place::new();
    std::fs::create_dir_all(place.path("photos")).unwrap();
    for n in 0..N_PHOTOS {
        std::fs::copy(fixture("chelsea-224.png"), place.path(&format!("photos/{n:03}.png"))).unwrap();
    }
    // The log tells when the model is loaded, which is in the middle of the work.
    let mut child = place
        .ocellus(&["index", "photos", "--set", "log.level=info"])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    while !log.next().is_none_or(|line| line.unwrap().contains("model loaded")) {}
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let said: Vec<String> = log.map_while(Result::ok).collect();
    assert!(!child.wait().unwrap().success());
    assert!(said.iter().any(|line| line.contains("interrupted; run the same command again")), "{said:?}");

    let rest = place.out(&["index", "photos"]);
    assert!(rest.contains("200 photographs found") && rest.contains("0 not readable"), "{rest}");
    let hits = json_lines(&place.out(&["search", "--json", "-n", "1000", &name_of("chelsea-224.png")]));
    assert_eq!(hits.len(), N_PHOTOS, "none lost, none twice");
}
