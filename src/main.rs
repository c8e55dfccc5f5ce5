//! Parses the command line and dispatches; nothing else.

fn main() -> std::process::ExitCode {
    pluriscope::cli::main()
}
