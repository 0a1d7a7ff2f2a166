//! Compiles the protobuf definitions in pure Rust.

use prost::Message;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=gristmill");
    let descriptors = protox::compile(
        ["gristmill/v1/task.proto", "gristmill/v1/coordinator.proto"],
        ["."],
    )?;
    let described = std::path::Path::new(&std::env::var("OUT_DIR")?).join("gristmill.v1.bin");
    std::fs::write(described, descriptors.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
