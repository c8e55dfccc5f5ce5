//! What a method must beat: the commonest gold of all, and the best single answer per situation.

use super::columns::{Columns, NOT_RUN, commonest};

/// Rows that count: those the method ran on, or all without a method.
fn counted(columns: &Columns, method: Option<usize>) -> impl Fn(usize) -> bool + '_ {
    let codes = method.and_then(|m| columns.methods.get(m)).map(|m| m.codes.as_slice());
    move |row| codes.is_none_or(|c| c.get(row).is_some_and(|code| *code != NOT_RUN))
}

/// The commonest gold over the rows of a method, as a code.
pub fn majority_answer(columns: &Columns, method: Option<usize>) -> u8 {
    let counts = counted(columns, method);
    commonest((0..columns.len()).filter(|row| counts(*row)).map(|row| columns.gold[row]))
}

/// Accuracy of always answering the commonest gold of these very rows: in-sample, so a little flattering.
pub fn majority_accuracy(columns: &Columns, method: Option<usize>) -> Option<f64> {
    let counts = counted(columns, method);
    let mut golds = [0u64; 256];
    (0..columns.len()).filter(|row| counts(*row)).for_each(|row| golds[usize::from(columns.gold[row])] += 1);
    let n: u64 = golds.iter().sum();
    (n > 0).then(|| golds.iter().max().copied().unwrap_or(0) as f64 / n as f64)
}

/// Accuracy of the perspective-blind oracle over the rows of a method: every situation or question is answered with
/// its own commonest gold over all perspectives of the corpus. In-sample: an upper bound of what can be had without
/// looking at the perspective, and 1 where a situation has one perspective only.
pub fn blind_accuracy(columns: &Columns, method: Option<usize>) -> Option<f64> {
    let counts = counted(columns, method);
    let (mut hits, mut n) = (0u64, 0u64);
    for (rows, blind) in columns.clusters().zip(&columns.blind) {
        for row in rows.filter(|row| counts(*row)) {
            n += 1;
            hits += u64::from(columns.gold[row] == *blind);
        }
    }
    (n > 0).then(|| hits as f64 / n as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn baselines_are_taken_over_the_rows_of_the_method() {
        let columns = Columns::of_codes(
            vec![0, 0, 1, 1, 1, 2],
            &[0, 0, 0, 1, 1, 2],
            vec![("m", vec![0, NOT_RUN, 0, 0, NOT_RUN, NOT_RUN])],
        );
        assert_eq!(majority_answer(&columns, None), 1);
        assert_eq!(majority_accuracy(&columns, None), Some(0.5));
        assert_eq!(blind_accuracy(&columns, None), Some(5.0 / 6.0));
        assert_eq!(majority_accuracy(&columns, Some(0)), Some(2.0 / 3.0));
        assert_eq!(blind_accuracy(&columns, Some(0)), Some(2.0 / 3.0));
        assert_eq!(blind_accuracy(&Columns::default(), None), None);
    }
}
