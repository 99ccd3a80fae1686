//! Compiles the messages without protoc.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    for input in ["proto", "build.rs"] {
        println!("cargo::rerun-if-changed={input}");
    }
    let files = protox::compile(["inference.proto"], ["proto"])?;
    let mut config = prost_build::Config::new();
    // An image of megabytes is a slice of the request it came in, not a copy.
    config.bytes(["."]).disable_comments(["."]).compile_fds(files)?;
    Ok(())
}
