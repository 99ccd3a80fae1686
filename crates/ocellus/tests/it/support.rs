//! Running the binary in a folder of its own, and talking to its server.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// A folder in which the binary runs; gone with the test.
pub struct Place {
    dir: TempDir,
}

impl Place {
    pub fn new() -> Place {
        Place { dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The binary with no settings but those given; its data folder is `data`.
    pub fn ocellus(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ocellus"));
        command.current_dir(self.dir.path()).args(args);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("OCELLUS__")) {
            command.env_remove(name);
        }
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.ocellus(args).output().unwrap()
    }

    /// Standard output of a command that must succeed.
    pub fn out(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Standard error of a command that must fail.
    pub fn err(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(!output.status.success(), "{args:?} succeeded: {}", text(&output.stdout));
        text(&output.stderr)
    }

    pub fn first_key(&self, data_dir: &str) -> Value {
        let path = self.path(data_dir).join("first-key.json");
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A photograph that comes with the sources.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/photos").join(name)
}

/// A running server; stopped with the test.
pub struct Server {
    child: Child,
    pub url: String,
    /// What it printed when it started.
    pub banner: String,
    pub started_in: Duration,
    /// Kept open: a server that cannot print any more ends.
    _stdout: BufReader<ChildStdout>,
}

impl Server {
    /// Starts on a free port with the data folder `data`.
    pub fn start(place: &Place, more: &[&str]) -> Server {
        let mut args = vec!["serve", "--listen", "127.0.0.1:0", "--data-dir", "data", "--log-format", "json"];
        args.extend(more);
        // The banner of a first start ends with the third command to try, later ones with the place of the data.
        let is_first = !place.path("data/first-key.json").exists();
        let last_line = if is_first { " search " } else { "Data: " };
        let begin = Instant::now();
        let log = std::fs::File::create(place.path("server.log")).unwrap();
        let mut child = place.ocellus(&args).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut banner = String::new();
        while !banner.contains(last_line) {
            let read = lines.read_line(&mut banner).unwrap();
            let log = std::fs::read_to_string(place.path("server.log")).unwrap_or_default();
            assert!(read > 0, "the server ended: {log}");
        }
        let started_in = begin.elapsed();
        let url = banner.lines().next().unwrap().split(" serves ").nth(1).unwrap().to_owned();
        Server { child, url, banner, started_in, _stdout: lines }
    }

    pub fn get(&self, path: &str) -> (u16, String) {
        self.send("GET", path, &[])
    }

    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        request(&format!("{}{path}", self.url), method, headers)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it, so that it can put nothing in order.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop and waits for its end; whether it ended well.
    pub fn stop(mut self, signal: &str) -> bool {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        self.child.wait().unwrap().success()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One HTTP request over a new connection, written by hand so that the test needs no client of its own.
pub fn request(url: &str, method: &str, headers: &[(&str, &str)]) -> (u16, String) {
    request_with_body(url, method, headers, "").unwrap()
}

/// The same with a body. Nothing if the server is gone.
pub fn request_with_body(
    url: &str,
    method: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Option<(u16, String)> {
    use std::io::Write as _;
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) =
        rest.split_once('/').map_or((rest, String::new()), |(host, path)| (host, path.to_owned()));
    let mut stream = std::net::TcpStream::connect(host).ok()?;
    let mut head = format!("{method} /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = text(&answer);
    let status = answer.split(' ').nth(1)?.parse().unwrap();
    Some((status, answer))
}
