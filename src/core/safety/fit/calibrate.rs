//! Log-odds to probabilities, and the thresholds that flag a stated share of ordinary text.

/// Probability = sigmoid(slope × log-odds + offset).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Platt {
    pub slope: f32,
    pub offset: f32,
}

impl Platt {
    pub fn probability(self, score: f32) -> f32 {
        1.0 / (1.0 + (-(self.slope * score + self.offset)).exp())
    }
}

/// Fits slope and offset to scores that the model gave to texts it had not seen (Platt 1999, with his smoothed
/// targets, so that a handful of positives does not give probabilities of 0 and 1). The slope stays positive.
pub fn platt(scored: &[(f32, bool)]) -> Platt {
    let yes = scored.iter().filter(|(_, label)| *label).count() as f64;
    let no = scored.len() as f64 - yes;
    if yes == 0.0 || no == 0.0 {
        return Platt { slope: 1.0, offset: 0.0 };
    }
    let target = |label: bool| if label { (yes + 1.0) / (yes + 2.0) } else { 1.0 / (no + 2.0) };
    let (mut slope, mut offset) = (1.0f64, 0.0f64);
    for _ in 0..100 {
        // Gradient and Hessian of the negative log-likelihood.
        let (mut ga, mut gb, mut haa, mut hab, mut hbb) = (0.0, 0.0, 1e-9, 0.0, 1e-9);
        for &(score, label) in scored {
            let x = f64::from(score);
            let p = 1.0 / (1.0 + (-(slope * x + offset)).exp());
            let (error, spread) = (p - target(label), p * (1.0 - p));
            ga += error * x;
            gb += error;
            haa += spread * x * x;
            hab += spread * x;
            hbb += spread;
        }
        let determinant = haa * hbb - hab * hab;
        if determinant.abs() < 1e-18 {
            break;
        }
        let (da, db) = ((hbb * ga - hab * gb) / determinant, (haa * gb - hab * ga) / determinant);
        let largest = da.abs().max(db.abs());
        // Newton's step, shortened far from the minimum.
        let scale = if largest > 1.0 { 1.0 / largest } else { 1.0 };
        slope = (slope - scale * da).max(0.02);
        offset -= scale * db;
        if largest < 1e-7 {
            break;
        }
    }
    Platt { slope: slope as f32, offset: offset as f32 }
}

/// A threshold per head such that at most `rate` of the ordinary texts reach any of them.
///
/// `ordinary` is `[texts, heads]` peak probabilities. All heads get the same share of the budget; the share is
/// the largest that keeps the union within `rate`. A head that ordinary text never troubles would end with a
/// threshold near 0, where a probability means "no": so none is set below 0.5, or below the median of the
/// head's own positives (`positives`, per head) where that is lower.
pub fn thresholds(ordinary: &[Vec<f32>], positives: &[Vec<f32>], rate: f64) -> Vec<f32> {
    let heads = positives.len();
    let floor: Vec<f32> = positives.iter().map(|p| median(p).clamp(0.1, 0.5)).collect();
    let sorted: Vec<Vec<f32>> = (0..heads)
        .map(|h| {
            let mut column: Vec<f32> = ordinary.iter().map(|row| row[h]).collect();
            column.sort_by(|a, b| b.total_cmp(a));
            column
        })
        .collect();
    let at = |allowed: usize| -> Vec<f32> {
        (0..heads)
            .map(|h| {
                // The first value that is not allowed must stay below the threshold.
                let value = sorted[h].get(allowed).copied().unwrap_or(0.0);
                next_up(value).max(floor[h])
            })
            .collect()
    };
    let budget = (rate * ordinary.len() as f64).floor() as usize;
    let mut best = at(0);
    for allowed in 1..=budget {
        let candidate = at(allowed);
        let flagged = ordinary.iter().filter(|row| row.iter().zip(&candidate).any(|(p, t)| p >= t)).count();
        if flagged > budget {
            break;
        }
        best = candidate;
    }
    best
}

/// The next larger number, at most just under 1, so that a probability can still reach it.
fn next_up(value: f32) -> f32 {
    value.next_up().min(0.999_999)
}

fn median(values: &[f32]) -> f32 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f32::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_match_frequencies() {
        // 100 texts at log-odds 2 of which 30 hold, 100 at -2 of which 5 hold.
        let mut scored = Vec::new();
        for i in 0..100 {
            scored.push((2.0, i < 30));
            scored.push((-2.0, i < 5));
        }
        let platt = platt(&scored);
        assert!((platt.probability(2.0) - 0.30).abs() < 0.02, "{platt:?}");
        assert!((platt.probability(-2.0) - 0.05).abs() < 0.02, "{platt:?}");
    }

    #[test]
    fn a_separable_or_one_sided_set_stays_finite() {
        let separable = platt(&[(1.0, true), (2.0, true), (-1.0, false), (-2.0, false)]);
        assert!(separable.slope.is_finite() && separable.probability(1.0) < 1.0);
        assert_eq!(platt(&[(1.0, true)]), Platt { slope: 1.0, offset: 0.0 });
    }

    #[test]
    fn thresholds_keep_the_union_within_the_rate() {
        let ordinary: Vec<Vec<f32>> =
            (0..1000).map(|i| vec![i as f32 / 1000.0, (999 - i) as f32 / 1000.0]).collect();
        let found = thresholds(&ordinary, &[vec![0.9; 5], vec![0.9; 5]], 0.02);
        let flagged = ordinary.iter().filter(|r| r[0] >= found[0] || r[1] >= found[1]).count();
        assert!((15..=20).contains(&flagged), "{flagged} {found:?}");
        // Quiet text leaves the floor.
        assert_eq!(thresholds(&[vec![0.0]], &[vec![0.9]], 0.01), [0.5]);
    }
}
