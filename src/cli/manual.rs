//! `pluriscope completions` and `pluriscope man`.

use clap::Args;
use clap_complete::Shell;
use color_eyre::eyre::{Result, WrapErr};
use std::{io::Write, path::PathBuf, process::ExitCode};

/// Print a completion script for a shell
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:
  pluriscope completions bash > ~/.local/share/bash-completion/completions/pluriscope")]
pub struct CompletionsArgs {
    pub shell: Shell,
}

/// Print the manual page, or write one page per command into a folder
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:
  pluriscope man | man -l -
  pluriscope man --out ~/.local/share/man/man1")]
pub struct ManArgs {
    /// Folder for the pages of all commands
    #[arg(short, long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

pub fn completions(args: &CompletionsArgs, command: &mut clap::Command) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "pluriscope", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}

pub fn man(args: &ManArgs, command: clap::Command) -> Result<ExitCode> {
    match &args.out {
        Some(folder) => {
            std::fs::create_dir_all(folder).wrap_err_with(|| folder.display().to_string())?;
            clap_mangen::generate_to(command, folder).wrap_err_with(|| folder.display().to_string())?;
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page)?;
            std::io::stdout().write_all(&page)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use crate::cli::Cli;
    use clap::{Command, CommandFactory};

    fn without_example(command: &Command, above: &str, out: &mut Vec<String>) {
        let name = format!("{above}{}", command.get_name());
        if !command.get_after_help().is_some_and(|help| help.to_string().contains("Example")) {
            out.push(name.clone());
        }
        command.get_subcommands().for_each(|below| without_example(below, &format!("{name} "), out));
    }

    #[test]
    fn the_help_of_every_command_has_an_example() {
        let mut found = Vec::new();
        without_example(&Cli::command(), "", &mut found);
        assert!(found.is_empty(), "{found:#?}");
    }
}
