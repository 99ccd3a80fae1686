//! The process that runs one model that is not the product's own: limited by the operating system, and expendable.
//!
//! It talks over its standard input, which is a socket. What a model prints is nobody's business.

use std::io::{ErrorKind, Result, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::Path;

use ocellus_algo::error::Error as AlgoError;
use ocellus_algo::nn::{Runtime, Session, SessionOptions};

use super::frames::{Answer, Ask, receive, receive_tensor, send};

/// Files that it may have open: the runtime, the weights, and what the system needs.
const MAX_FILES: u64 = 64;

/// Serves whoever holds the other end of this process's standard input, until that is closed.
///
/// # Errors
/// If standard input is no socket or the other side says nonsense.
pub fn serve_stdin() -> Result<()> {
    end_with_the_parent();
    let socket = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    serve(socket)
}

fn serve(mut socket: UnixStream) -> Result<()> {
    let mut session = None;
    loop {
        let ask = match receive(&mut socket) {
            Ok(ask) => ask,
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        };
        match ask {
            Ask::Open { library, model, threads, memory_bytes } => {
                let opened = limit(memory_bytes)
                    .map_err(|error| format!("its process cannot be limited: {error}"))
                    .and_then(|()| open(&library, &model, threads));
                match opened {
                    Ok(opened) => {
                        session = Some(opened);
                        send(&mut socket, &Answer::Opened, &[])?;
                    }
                    Err(why) => send(&mut socket, &Answer::Failed(true, why), &[])?,
                }
            }
            Ask::Run(shape) => {
                let input = receive_tensor(&mut socket, shape)?;
                let Some(session) = &mut session else {
                    send(&mut socket, &Answer::Failed(false, "no model is open".to_owned()), &[])?;
                    continue;
                };
                match session.run(&input) {
                    Ok(outputs) => {
                        let shapes = outputs.iter().map(|output| output.shape.clone()).collect();
                        send(&mut socket, &Answer::Ran(shapes), &outputs.iter().collect::<Vec<_>>())?;
                    }
                    Err(error) => {
                        let by_caller = matches!(error, AlgoError::BadInput(_));
                        send(&mut socket, &Answer::Failed(by_caller, words(error)), &[])?;
                    }
                }
            }
        }
        socket.flush()?;
    }
}

fn open(library: &Path, model: &Path, threads: usize) -> std::result::Result<Session, String> {
    let runtime = Runtime::load(library).map_err(words)?;
    Session::open(&runtime, model, &SessionOptions { intra_threads: threads }).map_err(words)
}

fn words(error: AlgoError) -> String {
    // A head has its limits, and native runtimes their pages of text.
    let text = error.to_string();
    text.chars().take(2000).collect()
}

/// What this process may take: memory, no new files, few open ones, no picture of itself when it breaks.
fn limit(memory_bytes: u64) -> Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let all = [
        (Resource::As, memory_bytes),
        (Resource::Nofile, MAX_FILES),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
    ];
    for (what, most) in all {
        setrlimit(what, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

/// A server that is killed leaves nobody computing for it.
fn end_with_the_parent() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, set_parent_process_death_signal};
        // Without it the process ends when it next looks at its input.
        let _ = set_parent_process_death_signal(Some(Signal::KILL));
    }
}
