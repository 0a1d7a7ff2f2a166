//! Compiles the protobuf definitions in pure Rust.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=gristmill");
    let descriptors = protox::compile(["gristmill/v1/task.proto"], ["."])?;
    prost_build::Config::new().compile_fds(descriptors)?;
    Ok(())
}
