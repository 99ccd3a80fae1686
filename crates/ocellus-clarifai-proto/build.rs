//! Compiles the .proto files without protoc: the descriptor set with all options, and the prost messages.

use std::{env, error::Error, fs, path::PathBuf};

use protox::prost::Message;

const SERVICE: &str = "proto/clarifai/api/service.proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    println!("cargo::rerun-if-changed=include");
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var("OUT_DIR")?);

    let mut compiler = protox::Compiler::new([".", "include"])?;
    compiler.include_imports(true).open_file(SERVICE)?;
    // Encoded by protox itself: a set that went through prost types has lost the vendor's options.
    fs::write(out.join("clarifai.fds"), compiler.encode_file_descriptor_set())?;

    let mut files = compiler.file_descriptor_set();
    // These hold options only; nothing at run time names their types.
    files
        .file
        .retain(|f| !f.name().starts_with("google/api/") && !f.name().ends_with("/extensions.proto"));
    debug_assert!(files.encoded_len() > 0);
    prost_build::Config::new()
        .include_file("clarifai.rs")
        .disable_comments(["."])
        .out_dir(out)
        .compile_fds(files)?;
    Ok(())
}
