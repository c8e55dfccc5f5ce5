//! What can go wrong in training, with the remedy where there is one.

use crate::model::ModelError;
use std::{io, path::PathBuf};

/// Why a run cannot start, or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: {problem}", path.display())]
    Format { path: PathBuf, problem: String },
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error("no rows to train on: {0}")]
    Empty(String),
    #[error(
        "needs about {needed_mib} MiB and {available_mib} MiB are free; lower --batch or --rank, or close \
         other programs"
    )]
    Memory { needed_mib: u64, available_mib: u64 },
    #[error(
        "{} belongs to another run ({what}); choose another --out, or delete the folder to start anew",
        path.display()
    )]
    OtherRun { path: PathBuf, what: String },
    #[error("the loss was not a number in {0} steps on end; lower --lr. The last good checkpoint is kept")]
    Diverged(usize),
    #[error(
        "unknown target `{0}`; targets are q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj"
    )]
    UnknownTarget(String),
    #[error("rollouts: {0}")]
    Rollout(String),
    #[error("stopped; continue with the same command")]
    Interrupted,
}

impl TrainError {
    pub(super) fn io(path: &std::path::Path) -> impl FnOnce(io::Error) -> TrainError {
        let path = path.to_owned();
        move |source| TrainError::Io { path, source }
    }

    pub(super) fn format(path: &std::path::Path, problem: impl std::fmt::Display) -> TrainError {
        TrainError::Format { path: path.to_owned(), problem: problem.to_string() }
    }
}
