//! Writes the descriptor set to a file, for tools/compare_with_wheel.py and other readers of descriptors.

fn main() -> std::io::Result<()> {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: dump_descriptor FILE");
        std::process::exit(2);
    };
    std::fs::write(path, ocellus_clarifai_proto::DESCRIPTOR)
}
