//! `tests/golden/metrics/make.py` made the numbers; see there for how.

use pluriscope::core::{
    Letter,
    metric::{
        Compat, Tally, distribution, mcnemar,
        paired::{self, McNemar},
        wilson,
    },
};
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_str(include_str!("../../golden/metrics/golden.json")).unwrap()
}

fn close(got: f64, want: &Value, what: &str) {
    let want = want.as_f64().unwrap();
    assert!((got - want).abs() <= 1e-12 * want.abs().max(1.0), "{what}: {got}, not {want}");
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn codes(value: &Value) -> Vec<u8> {
    value.as_array().unwrap().iter().map(|x| x.as_u64().unwrap() as u8).collect()
}

#[test]
fn published_scripts_are_reproduced_invalid_answers_included() {
    let mut compared = 0;
    for case in golden()["compat"].as_array().unwrap() {
        let texts =
            |key: &str| case[key].as_array().unwrap().iter().map(|t| t.as_str().unwrap()).collect::<Vec<_>>();
        for compat in Compat::ALL {
            let want = &case[compat.word()];
            if want.is_null() {
                continue;
            }
            let gold: Vec<u8> = texts("gold")
                .iter()
                .map(|g| compat.gold(Letter::from_char(g.chars().next().unwrap()).unwrap()).unwrap())
                .collect();
            let answers: Vec<u8> = texts("output").iter().map(|o| compat.class(o)).collect();
            let scores = compat.scores(&gold, &answers);
            for (name, got) in [
                ("accuracy", scores.accuracy),
                ("balanced_accuracy", scores.balanced_accuracy),
                ("macro_f1", scores.macro_f1),
                ("micro_f1", scores.micro_f1),
                ("binary_accuracy", scores.binary_accuracy),
                ("binary_balanced_accuracy", scores.binary_balanced_accuracy),
                ("binary_macro_f1", scores.binary_macro_f1),
                ("binary_micro_f1", scores.binary_micro_f1),
            ] {
                close(got.unwrap(), &want[name], &format!("{} {name}", compat.word()));
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 8 * 10);
}

#[test]
fn our_scores_are_scikit_learns_with_unreadable_answers_in_no_class() {
    for case in golden()["ours"].as_array().unwrap() {
        let mut tally = Tally::default();
        for (gold, answer) in codes(&case["gold"]).into_iter().zip(codes(&case["answers"])) {
            tally.add(gold, answer);
        }
        close(tally.accuracy().unwrap(), &case["accuracy"], "accuracy");
        close(tally.balanced_accuracy().unwrap(), &case["balanced_accuracy"], "balanced accuracy");
        close(tally.macro_f1().unwrap(), &case["macro_f1"], "macro F1");
        close(tally.micro_f1().unwrap(), &case["micro_f1"], "micro F1");
    }
}

#[test]
fn paired_tests_are_those_of_statsmodels() {
    let golden = &golden()["paired"];
    for row in golden["mcnemar"].as_array().unwrap() {
        let (b, c) = (row["b"].as_u64().unwrap(), row["c"].as_u64().unwrap());
        let (p, test) = mcnemar(b, c);
        assert_eq!(test == McNemar::Exact, row["exact"].as_bool().unwrap());
        close(p, &row["p"], &format!("McNemar {b} {c}"));
    }
    let adjusted = paired::holm(&numbers(&golden["holm"]["p"]));
    for (got, want) in adjusted.into_iter().zip(golden["holm"]["adjusted"].as_array().unwrap()) {
        close(got, want, "Holm");
    }
    for row in golden["cohens_h"].as_array().unwrap() {
        close(
            paired::cohens_h(row["p"].as_f64().unwrap(), row["q"].as_f64().unwrap()),
            &row["h"],
            "Cohen's h",
        );
    }
    for row in golden["needed"].as_array().unwrap() {
        let needed =
            paired::needed_items(row["first"].as_f64().unwrap(), row["second"].as_f64().unwrap(), 0.05, 0.8);
        close(needed.unwrap(), &row["n"], "needed items");
    }
    for row in golden["wilson"].as_array().unwrap() {
        let got =
            wilson(row["hits"].as_u64().unwrap() as usize, row["of"].as_u64().unwrap() as usize).unwrap();
        let ends = numbers(&row["ends"]);
        assert!((got.low - ends[0]).abs() < 1e-12 && (got.high - ends[1]).abs() < 1e-12);
    }
}

#[test]
fn agreement_between_methods_is_cohens_kappa() {
    use pluriscope::core::metric::{Columns, Resampling, paired::compare};
    let row = &golden()["paired"]["kappa"];
    let (first, second) = (codes(&row["first"]), codes(&row["second"]));
    let cluster: Vec<u32> = (0..first.len() as u32).collect();
    let columns = Columns::of_codes(vec![0; first.len()], &cluster, vec![("a", first), ("b", second)]);
    let pair = compare(&columns, 0, 1, Resampling { samples: 50, seed: 1 });
    close(pair.kappa.unwrap(), &row["kappa"], "kappa");
}

#[test]
fn distances_are_those_of_scipy() {
    for row in golden()["distributions"].as_array().unwrap() {
        let (p, q) = (numbers(&row["p"]), numbers(&row["q"]));
        close(distribution::jensen_shannon(&p, &q).unwrap(), &row["distance"], "Jensen-Shannon");
        close(
            distribution::representativeness(&p, &q).unwrap(),
            &row["representativeness"],
            "representativeness",
        );
    }
}
