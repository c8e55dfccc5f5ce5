//! The export for verl: its files, and the command that they are made for, given to a `python3` that only repeats it.

use super::drafts::{Place, words};
use std::{fs, os::unix::fs::PermissionsExt, process::Command};

/// verl's own defaults refuse to begin without these, or lose what was trained, or log elsewhere (verl/utils/config.py,
/// workers/config/actor.py, utils/tracking.py).
const NEEDED: [&str; 9] = [
    "algorithm.adv_estimator=grpo",
    "actor_rollout_ref.actor.use_dynamic_bsz=True",
    "actor_rollout_ref.actor.ppo_max_token_len_per_gpu=16384",
    "actor_rollout_ref.ref.log_prob_use_dynamic_bsz=True",
    "actor_rollout_ref.rollout.log_prob_use_dynamic_bsz=True",
    "actor_rollout_ref.rollout.tensor_model_parallel_size=1",
    "data.filter_overlong_prompts=True",
    "trainer.save_freq=50",
    "trainer.logger=[\"console\",\"tensorboard\"]",
];

/// The arguments that `run.sh` gives to Python, one a line, and after them the folder of its logs.
fn started(place: &Place, logs: Option<&str>) -> Vec<String> {
    let bin = place.path("bin");
    fs::create_dir_all(&bin).unwrap();
    fs::write(bin.join("python3"), "#!/bin/sh\nprintf '%s\\n' \"$@\" \"$TENSORBOARD_DIR\"\n").unwrap();
    fs::set_permissions(bin.join("python3"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("sh");
    command.arg(place.path("verl/run.sh")).arg("trainer.n_gpus_per_node=4").env("PATH", path);
    match logs {
        Some(logs) => command.env("TENSORBOARD_DIR", logs),
        None => command.env_remove("TENSORBOARD_DIR"),
    };
    let out = command.output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn the_script_gives_verl_all_that_it_asks_for_and_logs_where_watch_looks() {
    let place = Place::new();
    words(&place.export("verl"), 0);
    for file in ["train.parquet", "val.parquet", "reward.py"] {
        assert!(place.path("verl").join(file).is_file(), "{file}");
    }
    let said = started(&place, None);
    for needed in NEEDED {
        assert!(said.iter().any(|argument| argument == needed), "{needed}: {said:#?}");
    }
    let [.., last, logs] = said.as_slice() else { panic!("{said:#?}") };
    assert_eq!(last, "trainer.n_gpus_per_node=4", "what the user adds comes last, and so it wins");
    assert!(logs.ends_with("verl/logs"), "{logs}");
    assert_eq!(started(&place, Some("elsewhere")).last().unwrap(), "elsewhere");
}
