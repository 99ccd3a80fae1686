//! The configuration: precedence, types, refusals and masking.

use super::*;

fn given(file: Option<&str>, env: &[(&str, &str)], flags: &[(&str, &str)]) -> anyhow::Result<Layers> {
    let mut layers = Layers::defaults();
    if let Some(text) = file {
        layers.add_file(Path::new("f.toml"), text)?;
    }
    let env: Vec<_> = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    layers.add_env(&env)?;
    for (key, value) in flags {
        layers.add_text(key, value, Origin::Flag)?;
    }
    check(&layers.config()?)?;
    Ok(layers)
}

#[test]
fn the_defaults_are_complete_and_documented() {
    let layers = Layers::defaults();
    check(&layers.config().unwrap()).unwrap();
    let settings = document::settings();
    assert_eq!(settings.len(), layers.entries().len());
    for setting in settings {
        assert!(setting.about.ends_with(['.', ']']), "{} is not documented", setting.key);
    }
}

#[test]
fn an_image_text_pair_is_there_as_soon_as_a_file_of_it_is_named() {
    let config = |env: &[(&str, &str)]| given(None, env, &[]).unwrap().config().unwrap().image_text_config();
    assert_eq!(config(&[]), None);
    let env = [
        ("OCELLUS__IMAGE_TEXT__MERGES", "/m.txt"),
        ("OCELLUS__IMAGE_TEXT__MEAN", "0.5, 0.25,0"),
        ("OCELLUS__IMAGE_TEXT__IMAGE_SIZE", "336"),
    ];
    let pair = config(&env).unwrap();
    assert_eq!(pair.merges, Path::new("/m.txt"));
    assert_eq!((pair.mean, pair.image_size, pair.context_length), ([0.5, 0.25, 0.0], 336, 77));
    assert!(given(None, &[("OCELLUS__IMAGE_TEXT__MEAN", "0.5, x, 0")], &[]).is_err());
}

#[test]
fn a_later_layer_wins_over_an_earlier_one() {
    let file = "[server]\nlisten = \"1.1.1.1:1\"\nmax_connections = 7\n[fetch]\nallow = [\"10.0.0.0/8\"]";
    let env =
        [("OCELLUS__SERVER__LISTEN", "2.2.2.2:2"), ("OCELLUS__TLS__SELF_SIGNED", "true"), ("PATH", "/bin")];
    let layers = given(Some(file), &env, &[("server.listen", "3.3.3.3:3"), ("fetch.allow", "a.lan, b.lan")]);
    let layers = layers.unwrap();
    let config = layers.config().unwrap();
    assert_eq!(config.server.listen, "3.3.3.3:3");
    assert_eq!(config.server.max_connections, 7);
    assert!(config.tls.self_signed);
    assert_eq!(config.fetch.allow, ["a.lan", "b.lan"]);
    assert_eq!(layers.origin("server.listen"), Origin::Flag);
    assert_eq!(layers.origin("server.max_connections").to_string(), "f.toml");
    assert_eq!(layers.origin("tls.self_signed").to_string(), "OCELLUS__TLS__SELF_SIGNED");
    assert_eq!(layers.origin("log.level"), Origin::Default);
}

#[test]
fn mistakes_name_the_setting_and_where_it_stands() {
    let file = |text: &str| given(Some(text), &[], &[]);
    let cases = [
        (
            file("[server]\nlisen = 1"),
            "unknown setting `server.lisen` from f.toml; did you mean `server.listen`?",
        ),
        (file("[nowhere]\nx = 1"), "unknown setting `nowhere.x` from f.toml; `ocellus config` lists"),
        (file("listen = 1"), "`listen` in f.toml stands outside of a section"),
        (
            file("[server]\nmax_connections = \"many\""),
            "`server.max_connections` from f.toml must be of type integer",
        ),
        (file("[server]\nmax_connections = -1"), "`server.max_connections` from f.toml"),
        (file("[log]\nformat = \"xml\""), "`log.format` from f.toml: unknown variant `xml`"),
        (file("not toml"), "f.toml is not valid TOML"),
        (file("[jobs]\nlease_s = 1"), "jobs.lease_s must be 5 or more"),
        (file("[video]\nmemory_bytes = 1"), "video.memory_bytes 67108864 or more"),
        (file("[tls]\ncert = \"c.pem\""), "tls.cert and tls.key must be set together"),
        (
            given(None, &[("OCELLUS__ENGINE__QUEUE_LEN", "lots")], &[]),
            "`engine.queue_len` from OCELLUS__ENGINE__QUEUE_LEN cannot be `lots`",
        ),
        (given(None, &[("OCELLUS__SERVER__LISSTEN", "x")], &[]), "did you mean `server.listen`?"),
        (
            given(None, &[], &[("tls.self_signed", "maybe")]),
            "`tls.self_signed` from a flag cannot be `maybe`",
        ),
        (
            given(None, &[("OCELLUS__USAGE__QUOTAS", "calls 5/day, predict 5/year")], &[]),
            "`predict 5/year`: `year` is none of second, minute, hour, day and month",
        ),
    ];
    for (result, expected) in cases {
        let message = format!("{:#}", result.err().unwrap_or_else(|| panic!("accepted: {expected}")));
        assert!(message.contains(expected), "{message}\n  does not contain\n{expected}");
    }
}

#[test]
fn passwords_are_masked_wherever_they_stand() {
    let cases = [
        ("postgres://me:pw@db/x", "postgres://me:********@db/x"),
        ("postgres://me@db/x?password=pw&sslmode=off", "postgres://me@db/x?password=********&sslmode=off"),
        ("postgres://me:p@w@db/x", "postgres://me:********@db/x"),
        ("sqlite:/data/x.db", "sqlite:/data/x.db"),
        ("s3://b/p?region=eu&access_key=AK", "s3://b/p?region=eu&access_key=********"),
    ];
    for (url, expected) in cases {
        assert_eq!(secrets::mask_url(url), expected);
    }
    let flags = [
        ("store.database", "postgres://me:pw@db/x"),
        ("blobs.secret_key", "hush"),
        ("mail.user", "sender"),
        ("mail.password", "sesame"),
        ("usage.plans", "basic, pro abracadabra"),
        ("log.level", "warn"),
    ];
    let shown = document::effective(&given(None, &[], &flags).unwrap());
    assert!(!shown.contains("pw@") && !shown.contains("hush") && !shown.contains("sesame"), "{shown}");
    assert!(shown.contains("plans = [\"basic\", \"pro ********\"]"), "{shown}");
    assert!(shown.contains("level = \"warn\"  # from a flag"), "{shown}");
    assert!(shown.parse::<toml::Table>().is_ok(), "{shown}");
}

#[test]
fn a_secret_may_stand_in_a_file_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("url");
    std::fs::write(&path, "postgres://me:pw@db/x\n").unwrap();
    let file_flag = ("store.database_file".to_owned(), path.display().to_string());
    let flags = vec![file_flag.clone()];
    let (config, _) = load(&Given { flags, ..Given::default() }).unwrap();
    assert_eq!(config.store.database, "postgres://me:pw@db/x");
    let flags = vec![file_flag, ("store.database".to_owned(), "sqlite:x".to_owned())];
    let error = load(&Given { flags, ..Given::default() }).err().unwrap();
    assert!(error.to_string().contains("exclude each other"), "{error}");
}
