//! Counts, tests and their corner cases.

use super::{
    super::{
        columns::{NO_ANSWER, NOT_RUN},
        samples::Repeats,
    },
    *,
};
use proptest::prelude::*;

#[test]
fn only_items_that_both_ran_on_count() {
    let columns = Columns::of_codes(
        vec![0, 0, 1, 1],
        &[0, 0, 1, 1],
        vec![("a", vec![0, 1, 1, NOT_RUN]), ("b", vec![1, 0, NO_ANSWER, 1])],
    );
    let pair = compare(&columns, 0, 1, Resampling::default());
    assert_eq!((pair.n, pair.both_right, pair.only_first, pair.only_second, pair.neither), (3, 0, 2, 1, 0));
    assert_eq!(pair.difference, Some(1.0 / 3.0));
    assert_eq!((pair.agreement, pair.interval), (Some(0.0), None));
}

#[test]
fn a_method_against_itself_differs_by_nothing() {
    let codes: Vec<u8> = (0..90).map(|i| i % 3).collect();
    let clusters: Vec<u32> = (0..90).map(|i| i / 3).collect();
    let columns = Columns::of_codes(codes.clone(), &clusters, vec![("a", codes.clone()), ("b", codes)]);
    let pair = compare(&columns, 0, 1, Resampling::default());
    assert_eq!((pair.difference, pair.p_mcnemar, pair.p_bootstrap), (Some(0.0), Some(1.0), Some(1.0)));
    assert_eq!((pair.agreement, pair.kappa, pair.needed), (Some(1.0), Some(1.0), None));
}

#[test]
fn samples_of_two_methods_are_compared_by_their_shares() {
    let mut columns = Columns::of_codes(
        vec![0; 40],
        &(0..40).collect::<Vec<_>>(),
        vec![("a", vec![0; 40]), ("b", vec![1; 40])],
    );
    for (method, codes) in [(0, &[0, 0, 0, 1][..]), (1, &[0, 1][..])] {
        let mut repeats = Repeats::default();
        (0..40).for_each(|_| repeats.push(codes));
        columns.methods[method].repeats = Some(repeats);
    }
    let pair = compare(&columns, 0, 1, Resampling::default());
    assert_eq!(pair.difference, Some(0.25));
    // 3/4 · 1/2, 3/4 · 1/2, 1/4 · 1/2 of 40.
    assert_eq!((pair.both_right, pair.only_first, pair.only_second, pair.neither), (15, 15, 5, 5));
    assert_eq!((pair.p_mcnemar, pair.needed, pair.agreement), (None, None, Some(0.5)));
    assert_eq!(pair.interval.map(|i| (i.low, i.high)), Some((0.25, 0.25)), "every item says the same");
}

#[test]
fn nothing_in_common_gives_no_statistic() {
    let columns = Columns::of_codes(vec![0], &[0], vec![("a", vec![NOT_RUN]), ("b", vec![0])]);
    let pair = compare(&columns, 0, 1, Resampling::default());
    assert_eq!((pair.n, pair.difference, pair.p_mcnemar), (0, None, None));
}

proptest! {
    #[test]
    fn p_values_are_probabilities_and_symmetric(b in 0u64..3000, c in 0u64..3000) {
        let (p, _) = mcnemar(b, c);
        prop_assert!((0.0..=1.0).contains(&p));
        prop_assert!((p - mcnemar(c, b).0).abs() < 1e-12);
    }

    #[test]
    fn holm_never_lowers_and_keeps_the_order(p in proptest::collection::vec(0.0f64..1.0, 0..12)) {
        let adjusted = holm(&p);
        for i in 0..p.len() {
            prop_assert!(adjusted[i] >= p[i] && adjusted[i] <= 1.0);
            for j in 0..p.len() {
                prop_assert!(p[i] > p[j] || adjusted[i] <= adjusted[j]);
            }
        }
    }
}
