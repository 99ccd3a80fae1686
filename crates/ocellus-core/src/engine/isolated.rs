//! Models that are not the product's own run in processes of their own, so that one that breaks, hangs or swells costs its
//! caller an error and the server nothing.

#[cfg(test)]
mod tests;

use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ocellus_algo::nn::Tensor;

use super::frames::{Answer, Ask, receive, receive_tensor, send};
use super::open::{Opener, Run};
use super::{ModelFile, NAME_OF_WORKERS};
use crate::{Error, Kind, Resource, Result};

/// How long a process that has closed its socket may take to end.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The program that such a process is, and what it may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IsolationConfig {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// The inference runtime.
    pub library: PathBuf,
    /// Threads that work on one tensor.
    pub threads: usize,
    /// How much memory a process may take.
    pub memory_bytes: u64,
    /// How long loading a model may take.
    pub load_timeout: Duration,
    /// How long a run may take.
    pub run_timeout: Duration,
}

/// Starts a process for each session.
pub struct IsolatedOpener(pub IsolationConfig);

impl Opener for IsolatedOpener {
    fn open(&self, model: &ModelFile) -> Result<Box<dyn Run>> {
        Ok(Box::new(Isolated::open(&self.0, model)?))
    }
}

/// A session in a process of its own. One that broke is started anew by the next run.
pub struct Isolated {
    config: IsolationConfig,
    model: ModelFile,
    process: Option<Process>,
}

impl Isolated {
    /// Starts the process and has it load the model. `Unsupported` about the model if it cannot be loaded, or breaks the
    /// process or a limit.
    pub fn open(config: &IsolationConfig, model: &ModelFile) -> Result<Self> {
        let process = Process::start(config, model)?;
        Ok(Self { config: config.clone(), model: model.clone(), process: Some(process) })
    }
}

impl Run for Isolated {
    fn run(&mut self, input: &Tensor) -> Result<Vec<Tensor>> {
        let mut process = match self.process.take() {
            Some(process) => process,
            None => Process::start(&self.config, &self.model)?,
        };
        let result = process.run(input, &self.config, &self.model);
        if process.is_sound {
            self.process = Some(process);
        }
        result
    }
}

struct Process {
    child: Child,
    socket: UnixStream,
    /// Whether the last exchange ended in order.
    is_sound: bool,
}

impl Process {
    fn start(config: &IsolationConfig, model: &ModelFile) -> Result<Self> {
        let (socket, theirs) = UnixStream::pair().map_err(unstarted)?;
        let child = Command::new(&config.program)
            .args(&config.args)
            // Settings and secrets of the server are none of a model's business.
            .env_clear()
            .env(NAME_OF_WORKERS, "1")
            // The runtime keeps a number of the machine there, which is nobody's business either.
            .env("HOME", "/dev/null")
            .current_dir("/")
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(unstarted)?;
        let mut process = Self { child, socket, is_sound: false };
        // Its folder is another than this process has.
        let at = |path: &Path| std::path::absolute(path).map_err(unstarted);
        let ask = Ask::Open {
            library: at(&config.library)?,
            model: at(&model.path)?,
            threads: config.threads,
            memory_bytes: config.memory_bytes,
        };
        let deadline = Instant::now() + config.load_timeout;
        let exchanged = process.exchange(&ask, &[], deadline);
        match exchanged.map_err(|error| process.broken(&error, "was loaded", config.load_timeout, model))? {
            Answer::Opened => {
                process.is_sound = true;
                Ok(process)
            }
            Answer::Failed(_, why) => Err(refused(model, &why)),
            Answer::Ran(_) => Err(unasked()),
        }
    }

    fn run(&mut self, input: &Tensor, config: &IsolationConfig, model: &ModelFile) -> Result<Vec<Tensor>> {
        self.is_sound = false;
        let deadline = Instant::now() + config.run_timeout;
        let answer = self.exchange(&Ask::Run(input.shape.clone()), &[input], deadline).and_then(|answer| {
            let Answer::Ran(shapes) = answer else { return Ok((answer, Vec::new())) };
            let mut from = Until { socket: &self.socket, deadline };
            let outputs = shapes.into_iter().map(|shape| receive_tensor(&mut from, shape));
            Ok((Answer::Ran(Vec::new()), outputs.collect::<std::io::Result<Vec<Tensor>>>()?))
        });
        match answer.map_err(|error| self.broken(&error, "ran", config.run_timeout, model))? {
            (Answer::Ran(_), outputs) => {
                self.is_sound = true;
                Ok(outputs)
            }
            (Answer::Failed(by_caller, why), _) => {
                self.is_sound = true;
                Err(if by_caller { Error::new(Kind::Invalid, why) } else { refused(model, &why) })
            }
            (Answer::Opened, _) => Err(unasked()),
        }
    }

    fn exchange(&self, ask: &Ask, tensors: &[&Tensor], deadline: Instant) -> std::io::Result<Answer> {
        let mut both = Until { socket: &self.socket, deadline };
        send(&mut both, ask, tensors)?;
        receive(&mut both)
    }

    /// The error for a process that answers no more.
    fn broken(&mut self, error: &std::io::Error, when: &str, limit: Duration, model: &ModelFile) -> Error {
        let is_late = matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock);
        let about = Resource::Model(model.id.clone());
        if is_late {
            let text = format!("it took longer than {} s when it {when}", limit.as_secs_f32());
            return Error::timeout(format!("the model was stopped: {text}")).about(about);
        }
        let end = self.end();
        let text = format!(
            "the model broke its process when it {when} ({end}); it may need more memory than it is given"
        );
        Error::unsupported(text).about(about)
    }
}

impl Process {
    /// How the process ended. One that goes on although it talks no more is ended.
    fn end(&mut self) -> String {
        let deadline = Instant::now() + LAST_WORDS;
        while Instant::now() < deadline {
            match self.child.try_wait() {
                Ok(Some(status)) => return status.to_string(),
                Ok(None) => std::thread::sleep(LAST_WORDS / 100),
                Err(error) => return error.to_string(),
            }
        }
        let _ = self.child.kill();
        "it said nonsense".to_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended cannot be killed, and every one must be waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn unstarted(error: std::io::Error) -> Error {
    Error::unavailable("no process for a model can be started").caused_by(error)
}

fn refused(model: &ModelFile, why: &str) -> Error {
    // The place of the file is the server's own affair.
    let whole = std::path::absolute(&model.path).unwrap_or_else(|_| model.path.clone());
    let why = why.replace(&*whole.to_string_lossy(), &model.id);
    Error::unsupported(why).about(Resource::Model(model.id.clone()))
}

fn unasked() -> Error {
    Error::internal(anyhow::anyhow!("the process of a model answered what was not asked"))
}

/// Reads and writes that end at a time, however slowly the bytes come.
struct Until<'a> {
    socket: &'a UnixStream,
    deadline: Instant,
}

impl Until<'_> {
    fn left(&self) -> std::io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

impl Read for Until<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.socket.set_read_timeout(Some(self.left()?))?;
        self.socket.read(into)
    }
}

impl Write for Until<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.socket.set_write_timeout(Some(self.left()?))?;
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.socket.flush()
    }
}
