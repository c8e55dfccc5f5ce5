//! `pluriscope train`: adapters from items, one method at a time; goes on where it was interrupted.

mod adapter;
mod args;
mod drafts;
mod rollouts;
mod show;
mod shrink;
mod verl;
mod writer;

use super::guard::{self, GuardArgs};
use crate::config::Config;
use args::TrainArgs;
use clap::{Args, Subcommand};
use color_eyre::eyre::Result;
use std::process::ExitCode;

/// Train an adapter for a method, or the embedded safety classifier
#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct TrainCommand {
    #[command(subcommand)]
    other: Option<Other>,
    #[command(flatten)]
    method: TrainArgs,
}

/// What is trained that is no adapter.
#[derive(Clone, Debug, Subcommand)]
enum Other {
    Guard(GuardArgs),
    Shrink(shrink::ShrinkArgs),
    Verl(verl::VerlArgs),
}

/// Runs the command.
pub fn run(command: TrainCommand, config: &Config) -> Result<ExitCode> {
    match command.other {
        Some(Other::Guard(args)) => guard::run(args, config),
        Some(Other::Shrink(args)) => shrink::run(&args, config),
        Some(Other::Verl(args)) => verl::run(&args, config),
        None => adapter::run(command.method, config),
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn parse(line: &str) -> Result<Command, clap::Error> {
        Cli::try_parse_from(line.split(' ')).map(|cli| cli.command.unwrap())
    }

    #[test]
    fn methods_and_the_rest_share_one_word() {
        let method = parse("pluriscope train rlvr --items a.jsonl --steps 3 -o runs/rlvr").unwrap();
        let Command::Train(method) = method else { panic!() };
        assert!(method.other.is_none() && method.method.method.is_some());
        for line in
            ["train guard --data d -o o", "train shrink --adapter a -o o", "train verl --items a.jsonl -o o"]
        {
            let Command::Train(other) = parse(&format!("pluriscope {line}")).unwrap() else { panic!() };
            assert!(other.other.is_some(), "{line}");
        }
        assert!(parse("pluriscope train sft -o o").is_err(), "items are required");
        assert!(parse("pluriscope train --items a.jsonl -o o").is_err(), "a method is required");
    }
}
