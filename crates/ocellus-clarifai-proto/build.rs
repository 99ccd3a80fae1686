//! Compiles the .proto files without protoc: the descriptor set with all options, and the prost messages.

use std::{env, error::Error, fs, path::PathBuf};

use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorSet};

const SERVICE: &str = "proto/clarifai/api/service.proto";

/// Rarely filled fields that would make the messages around them kilobytes larger on the stack.
const BOXED: [&str; 8] = [
    ".clarifai.api.And.output",
    ".clarifai.api.App.last_input_added",
    ".clarifai.api.OutputInfo.data",
    ".clarifai.api.Worker.worker.model",
    ".clarifai.api.Worker.worker.user",
    ".clarifai.api.Worker.worker.workflow",
    ".clarifai.api.InputSettings.worker",
    "runner_selector",
];

#[expect(clippy::disallowed_methods, reason = "Cargo tells a build script its folder in no other way")]
fn out_dir() -> Result<PathBuf, env::VarError> {
    env::var("OUT_DIR").map(PathBuf::from)
}

fn main() -> Result<(), Box<dyn Error>> {
    for input in ["proto", "include", "build.rs"] {
        println!("cargo::rerun-if-changed={input}");
    }
    let out = out_dir()?;

    let mut compiler = protox::Compiler::new([".", "include"])?;
    compiler.include_imports(true).open_file(SERVICE)?;
    // Encoded by protox itself: a set that went through prost types has lost the vendor's options.
    fs::write(out.join("clarifai.fds"), compiler.encode_file_descriptor_set())?;

    let files = for_messages(compiler.file_descriptor_set());
    let mut config = prost_build::Config::new();
    for field in BOXED {
        config.boxed(field);
    }
    // An image of megabytes is a slice of the request it came in, not a copy.
    config.bytes([".clarifai.api.Image.base64", ".clarifai.api.Video.base64", ".clarifai.api.Audio.base64"]);
    config.include_file("clarifai.rs").disable_comments(["."]).out_dir(out).compile_fds(files)?;
    Ok(())
}

/// The files that have messages, without the deprecation marks: we serve deprecated fields like all others, and
/// a warning at each use would only hide real ones.
fn for_messages(mut files: FileDescriptorSet) -> FileDescriptorSet {
    files.file.retain(|f| !f.name().starts_with("google/api/") && !f.name().ends_with("/extensions.proto"));
    for file in &mut files.file {
        file.message_type.iter_mut().for_each(undeprecate_message);
        file.enum_type.iter_mut().for_each(undeprecate_enum);
    }
    files
}

fn undeprecate_message(message: &mut DescriptorProto) {
    if let Some(options) = &mut message.options {
        options.deprecated = None;
    }
    for options in message.field.iter_mut().filter_map(|field| field.options.as_mut()) {
        options.deprecated = None;
    }
    message.nested_type.iter_mut().for_each(undeprecate_message);
    message.enum_type.iter_mut().for_each(undeprecate_enum);
}

fn undeprecate_enum(enumeration: &mut EnumDescriptorProto) {
    for options in enumeration.value.iter_mut().filter_map(|value| value.options.as_mut()) {
        options.deprecated = None;
    }
}
