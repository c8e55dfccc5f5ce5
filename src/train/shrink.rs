//! Fewer ranks for a trained adapter: the best approximation of what it adds to each matrix.
//!
//! What learning uses of a rank is seldom all of it, and an adapter is as large as its rank. `B A` is a product of
//! thin matrices, so its singular values are those of a square of the rank's size: with `B = Q R` and
//! `Aᵀ = P S`, `B A = Q (R Sᵀ) Pᵀ`. Eckart and Young: to keep the largest is the best that a lower rank allows.

use super::lora::{Lora, LoraShape};
use nalgebra::{DMatrix, DMatrixView};

impl Lora {
    /// This adapter at `rank`, and the share of the sum of all squared singular values that it keeps (1 for an
    /// adapter that adds nothing). The factor of `B A x` stays as it is. A rank that is no lower changes nothing.
    /// `None` where a weight is not a number.
    pub fn shrunk(&self, rank: usize) -> Option<(Lora, f64)> {
        let old = self.shape.rank;
        if !self.values.iter().all(|v| v.is_finite()) {
            return None;
        }
        if rank >= old || rank == 0 {
            return Some((self.clone(), 1.0));
        }
        let (of, to) = (old as f32, rank as f32);
        let share = if self.shape.rslora { (to / of).sqrt() } else { to / of };
        let shape = LoraShape { rank, alpha: self.shape.alpha * share, ..self.shape.clone() };
        let (mut sites, mut values) = (Vec::new(), Vec::new());
        let (mut kept, mut whole) = (0.0, 0.0);
        for site in &self.sites {
            // `A` is [rank, inputs] row by row, which is its transpose column by column.
            let a = DMatrixView::from_slice(&self.values[site.a.clone()], site.inputs, old).map(f64::from);
            let b = DMatrixView::from_slice(&self.values[site.b.clone()], old, site.outputs)
                .map(f64::from)
                .transpose();
            let (b, a) = (b.qr(), a.qr());
            let core = (b.r() * a.r().transpose()).svd(true, true);
            let (left, right) = (core.u?, core.v_t?);
            // A matrix with fewer rows or columns than the rank has fewer singular values; the rest is zero.
            let most = rank.min(core.singular_values.len());
            kept += core.singular_values.rows(0, most).norm_squared();
            whole += core.singular_values.norm_squared();
            // Both sides carry the root of each singular value: of one size, they are the easiest to train on.
            let roots = DMatrix::from_diagonal(&core.singular_values.rows(0, most).map(f64::sqrt));
            let up = (b.q() * left.columns(0, most) * &roots).resize_horizontally(rank, 0.0);
            let down = (a.q() * right.rows(0, most).transpose() * &roots).resize_horizontally(rank, 0.0);
            let start = values.len();
            values.extend(down.iter().map(|v| *v as f32));
            let middle = values.len();
            values.extend(up.transpose().iter().map(|v| *v as f32));
            let mut site = site.clone();
            (site.a, site.b) = (start..middle, middle..values.len());
            sites.push(site);
        }
        Some((Lora { shape, sites, values }, if whole > 0.0 { kept / whole } else { 1.0 }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::lora::Projection, train::lora::Site};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Random weights on three matrices, one of them with fewer outputs than ranks.
    fn adapter(rank: usize, rslora: bool) -> Lora {
        let (mut sites, mut end) = (Vec::new(), 0);
        for (layer, inputs, outputs) in [(0, 7, 9), (1, 12, 5), (2, 8, 3)] {
            let a = end..end + rank * inputs;
            let b = a.end..a.end + outputs * rank;
            end = b.end;
            let (projection, target) = (Projection::Down, "mlp.down_proj");
            sites.push(Site { layer, projection, target, inputs, outputs, out_start: 0, a, b });
        }
        let mut rng = ChaCha8Rng::seed_from_u64(rank as u64);
        let values = (0..end).map(|_| rng.random_range(-1.0..1.0)).collect();
        let targets = vec!["down_proj".to_owned()];
        Lora { shape: LoraShape { rank, alpha: 16.0, rslora, dropout: 0.0, targets }, sites, values }
    }

    /// `B A` of a site, row by row.
    fn product(lora: &Lora, site: usize) -> Vec<f64> {
        let (site, rank) = (&lora.sites[site], lora.shape.rank);
        let (a, b) = (&lora.values[site.a.clone()], &lora.values[site.b.clone()]);
        let cell = |row: usize, col: usize| {
            (0..rank).map(|r| f64::from(b[row * rank + r]) * f64::from(a[r * site.inputs + col])).sum::<f64>()
                * f64::from(lora.shape.scale())
        };
        (0..site.outputs)
            .flat_map(|row| (0..site.inputs).map(move |col| (row, col)))
            .map(|(r, c)| cell(r, c))
            .collect()
    }

    fn distance(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
    }

    #[test]
    fn what_is_of_a_lower_rank_survives_whole() {
        for rslora in [false, true] {
            let mut lora = adapter(4, rslora);
            // The last two ranks repeat the first two: the product is of rank 2.
            for site in lora.sites.clone() {
                let (a, b) = (site.a.start, site.b.start);
                lora.values.copy_within(a..a + 2 * site.inputs, a + 2 * site.inputs);
                for row in 0..site.outputs {
                    lora.values.copy_within(b + row * 4..b + row * 4 + 2, b + row * 4 + 2);
                }
            }
            let (small, kept) = lora.shrunk(2).unwrap();
            assert_eq!((small.shape.rank, small.values.len() * 2), (2, lora.values.len()));
            assert!((small.shape.scale() - lora.shape.scale()).abs() < 1e-6);
            assert!((kept - 1.0).abs() < 1e-9, "{kept}");
            for site in 0..lora.sites.len() {
                let (before, after) = (product(&lora, site), product(&small, site));
                assert!(
                    distance(&before, &after) < 1e-5 * distance(&before, &vec![0.0; before.len()]).max(1e-3)
                );
            }
        }
    }

    #[test]
    fn the_rest_is_lost_as_the_share_says_and_no_more() {
        let lora = adapter(4, false);
        let (small, kept) = lora.shrunk(3).unwrap();
        let (mut lost, mut whole) = (0.0, 0.0);
        for site in 0..lora.sites.len() {
            let (before, after) = (product(&lora, site), product(&small, site));
            lost += distance(&before, &after).powi(2);
            whole += distance(&before, &vec![0.0; before.len()]).powi(2);
        }
        assert!(lost > 0.0 && (1.0 - lost / whole - kept).abs() < 1e-5, "{lost} of {whole}, kept {kept}");
        // To leave the last rank out as it stands loses more.
        let mut cut = lora.clone();
        for site in lora.sites.iter() {
            for row in 0..site.outputs {
                cut.values[site.b.start + row * 4 + 3] = 0.0;
            }
        }
        let cut_off: f64 =
            (0..lora.sites.len()).map(|s| distance(&product(&lora, s), &product(&cut, s)).powi(2)).sum();
        assert!(lost < cut_off, "{lost} against {cut_off}");
    }

    #[test]
    fn no_lower_rank_changes_nothing() {
        let lora = adapter(2, false);
        assert_eq!(lora.shrunk(2), Some((lora.clone(), 1.0)));
        assert_eq!(lora.shrunk(9), Some((lora.clone(), 1.0)));
        let empty = Lora { values: vec![0.0; lora.values.len()], ..lora.clone() };
        assert_eq!(empty.shrunk(1).unwrap().1, 1.0, "an adapter that adds nothing loses nothing");
        let mut broken = lora;
        broken.values[3] = f32::NAN;
        assert_eq!(broken.shrunk(1), None);
    }
}
