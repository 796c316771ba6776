use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some("__runner") if args.len() == 3 => holdpoint::cli::runner::run(Path::new(&args[2])),
        _ => ExitCode::from(2),
    }
}
