//! Counts by group and method, their intervals, and accuracies shrunk towards the method's mean.

use super::{
    super::{
        columns::{Answers, Columns, NOT_RUN},
        wilson::{Interval, wilson_share},
    },
    Cell, FEWEST_ITEMS, Group,
};

/// Counts by group and method. Several items of one situation in one group are not independent: their variance is
/// summed per situation.
pub(super) struct Tables {
    cells: Vec<Cell>,
    items: Vec<u64>,
    /// Per cell: sums over situations of right², right·n and n².
    squares: Vec<[f64; 3]>,
    methods: usize,
    pub unknown: u64,
}

impl Tables {
    pub fn new(columns: &Columns) -> Tables {
        Tables {
            cells: Vec::new(),
            items: Vec::new(),
            squares: Vec::new(),
            methods: columns.methods.len(),
            unknown: 0,
        }
    }

    fn size(&mut self, groups: usize) {
        self.cells = vec![Cell::default(); groups * self.methods];
        self.squares = vec![[0.0; 3]; groups * self.methods];
        self.items = vec![0; groups];
    }

    /// Every row belongs to one group.
    pub fn fill(&mut self, columns: &Columns, groups: usize, key: &dyn Fn(usize) -> Option<usize>) {
        self.size(groups);
        let mut run: Vec<(usize, usize)> = Vec::new();
        for rows in columns.clusters() {
            run.clear();
            for row in rows {
                match key(row).filter(|k| *k < groups) {
                    Some(k) => {
                        run.push((k, row));
                        self.items[k] += 1;
                    }
                    None => self.unknown += 1,
                }
            }
            run.sort_unstable();
            for method in 0..self.methods {
                self.add_runs(&run, method, &columns.gold, &columns.methods[method]);
            }
        }
    }

    /// Each method has groups of its own.
    pub fn fill_by(&mut self, columns: &Columns, groups: usize, key: &dyn Fn(usize, usize) -> Option<usize>) {
        self.size(groups);
        let mut run: Vec<(usize, usize)> = Vec::new();
        for rows in columns.clusters() {
            for method in 0..self.methods {
                run.clear();
                let codes = &columns.methods[method].codes;
                for row in rows.clone().filter(|row| codes[*row] != NOT_RUN) {
                    match key(method, row) {
                        Some(k) => {
                            run.push((k, row));
                            self.items[k] += 1;
                        }
                        None => self.unknown += 1,
                    }
                }
                run.sort_unstable();
                self.add_runs(&run, method, &columns.gold, &columns.methods[method]);
            }
        }
    }

    /// Adds one situation's rows, sorted by group.
    fn add_runs(&mut self, run: &[(usize, usize)], method: usize, gold: &[u8], answers: &Answers) {
        let mut at = 0;
        while let Some((group, _)) = run.get(at) {
            let end = at + run[at..].iter().take_while(|(g, _)| g == group).count();
            let (mut n, mut right, mut invalid) = (0u64, 0f64, 0u64);
            for (_, row) in &run[at..end] {
                if answers.codes[*row] != NOT_RUN {
                    n += 1;
                    right += answers.share(*row, gold[*row]);
                    invalid += answers.samples(*row).iter().filter(|code| **code > 25).count() as u64;
                }
            }
            let slot = group * self.methods + method;
            let cell = &mut self.cells[slot];
            cell.n += n;
            cell.right += right;
            cell.invalid += invalid;
            let squares = &mut self.squares[slot];
            let n = n as f64;
            *squares = [squares[0] + right * right, squares[1] + right * n, squares[2] + n * n];
            at = end;
        }
    }

    pub fn finish(&mut self, names: Vec<String>, methods: usize) -> Vec<Group> {
        for (cell, squares) in self.cells.iter_mut().zip(&self.squares) {
            cell.interval = interval(cell, squares);
        }
        for method in 0..methods {
            let column: Vec<(f64, u64)> =
                self.cells.iter().skip(method).step_by(methods).map(|c| (c.right, c.n)).collect();
            for (cell, shrunken) in self.cells.iter_mut().skip(method).step_by(methods).zip(shrink(&column)) {
                cell.shrunken = shrunken;
            }
        }
        let mut groups: Vec<Group> = names
            .into_iter()
            .enumerate()
            .filter(|(at, _)| self.items[*at] > 0)
            .map(|(at, name)| {
                let cells = self.cells[at * methods..(at + 1) * methods].to_vec();
                let ranked = cells.iter().any(|c| c.n >= FEWEST_ITEMS);
                Group { name, items: self.items[at], cells, ranked }
            })
            .collect();
        // Worst first by the mean of the methods' shrunken accuracies; groups too small to rank come last.
        let mean = |g: &Group| {
            let known: Vec<f64> =
                g.cells.iter().filter(|c| c.n >= FEWEST_ITEMS).filter_map(|c| c.shrunken).collect();
            known.iter().sum::<f64>() / known.len().max(1) as f64
        };
        groups.sort_by(|a, b| {
            b.ranked.cmp(&a.ranked).then(mean(a).total_cmp(&mean(b))).then_with(|| a.name.cmp(&b.name))
        });
        groups
    }
}

/// Wilson at the effective number of items: n over the variance inflation of clustered rows, never below 1.
fn interval(cell: &Cell, squares: &[f64; 3]) -> Option<Interval> {
    let n = cell.n as f64;
    let p = cell.accuracy()?;
    let plain = n * p * (1.0 - p);
    let clustered = squares[0] - 2.0 * p * squares[1] + p * p * squares[2];
    let inflation = if plain > 0.0 { (clustered / plain).max(1.0) } else { 1.0 };
    if inflation <= 1.0 + 1e-9 {
        return wilson_share(p, n);
    }
    wilson_share(p, n / inflation)
}

/// Accuracies shrunk towards their common mean: (hits + M·μ) / (n + M), the beta prior's M from the variance between
/// groups beyond what chance gives (Kleinman 1973). Without such variance every group is the mean.
pub fn shrink(groups: &[(f64, u64)]) -> Vec<Option<f64>> {
    let used: Vec<(f64, f64)> = groups.iter().filter(|(_, n)| *n > 0).map(|(h, n)| (*h, *n as f64)).collect();
    let total: f64 = used.iter().map(|(_, n)| n).sum();
    let mean = used.iter().map(|(h, _)| h).sum::<f64>() / total.max(1.0);
    let k = used.len() as f64;
    let spread: f64 = used.iter().map(|(h, n)| n * (h / n - mean).powi(2)).sum();
    let scale = total - used.iter().map(|(_, n)| n * n).sum::<f64>() / total.max(1.0);
    let chance = mean * (1.0 - mean);
    let between = if scale > 0.0 { ((spread - (k - 1.0) * chance) / scale).max(0.0) } else { 0.0 };
    groups
        .iter()
        .map(|(h, n)| {
            (*n > 0).then(|| {
                if between <= 0.0 {
                    return mean;
                }
                let prior = (chance / between - 1.0).max(0.0);
                (*h + prior * mean) / (*n as f64 + prior)
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tiny_group_does_not_lead_by_luck() {
        // One of one wrong against sixty of a hundred: the large group is surely bad, the tiny one perhaps.
        let shrunken = shrink(&[(0.0, 1), (40.0, 100), (60.0, 100), (55.0, 100)]);
        assert!(shrunken[0].unwrap() > shrunken[1].unwrap(), "{shrunken:?}");
        assert_eq!(shrink(&[(0.0, 0), (1.0, 2)])[0], None);
        let alike = shrink(&[(5.0, 10), (50.0, 100)]);
        assert_eq!(alike, [Some(0.5), Some(0.5)]);
    }

    #[test]
    fn clustered_items_widen_the_interval() {
        let squares_of = |size: f64| [10.0, 10.0, 20.0].map(|sum| sum * size * size);
        let cell = |n| Cell { n, right: n as f64 / 2.0, ..Cell::default() };
        let single = interval(&cell(20), &squares_of(1.0)).unwrap();
        let clustered = interval(&cell(80), &squares_of(4.0)).unwrap();
        assert!((single.low - clustered.low).abs() < 1e-9);
    }
}
