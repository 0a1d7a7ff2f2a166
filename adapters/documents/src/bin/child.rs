//! The child on its own, for tests and for programs that cannot run themselves again.

fn main() -> std::process::ExitCode {
    gristmill_documents::child_main()
}
