//! The study's own TensorBoard logs.

use pluriscope::train::event_log::{Scalar, read};
use std::collections::BTreeSet;

#[test]
fn the_study_s_four_logs_are_read_whole() {
    let Some(folder) = super::data("tfevents") else { return };
    for (run, scalars, steps, first, best) in [
        ("llama3_vk", 37_833, 679, 0.5659, 0.8262),
        ("qwen2p5_vk", 37_853, 679, 0.6738, 0.8218),
        ("llama3_opinionqa", 16_786, 301, 0.5249, 0.7261),
        ("qwen2p5_opinionqa", 16_786, 301, 0.4985, 0.6982),
    ] {
        let log = std::fs::read_dir(folder.join(run))
            .unwrap()
            .map(|e| e.unwrap().path())
            .find(|p| p.to_string_lossy().contains("tfevents"))
            .unwrap();
        let all = read(&log).unwrap();
        assert_eq!(all.len(), scalars, "{run}");
        let tags: BTreeSet<&str> = all.iter().map(|s| s.tag.as_str()).collect();
        assert_eq!(tags.len(), 63, "{run}");
        let mut numbers: Vec<i64> = all.iter().map(|s| s.step).collect();
        numbers.dedup();
        assert!(
            numbers.iter().max().is_some_and(|last| (last - steps).abs() <= 1),
            "{run}: {:?}",
            numbers.last()
        );
        let validation: Vec<&Scalar> =
            all.iter().filter(|s| s.tag.starts_with("val") && s.value < 1.0).collect();
        let close = |a: f32, b: f32| (a - b).abs() < 1e-4;
        assert!(validation.iter().any(|s| s.step == 0 && close(s.value, first)), "{run}");
        assert!(validation.iter().any(|s| close(s.value, best)), "{run}");
    }
}
