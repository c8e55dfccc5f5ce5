//! Batches without padding: rows one after another in one flat list, a shared beginning stored once.
//!
//! Rows about the same situation begin alike, and rollouts of one prompt share all of it. A *family* is such
//! a beginning (the trunk) and the rows that go on from it (the branches); a branch sees the trunk and
//! itself. Each token is computed once, whatever the number of rows that need it.

use std::ops::Range;

/// One row to learn from: a prompt, then a completion.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    pub prompt: Vec<u32>,
    /// The end-of-turn token included, where the row is complete.
    pub completion: Vec<u32>,
    /// Whether the prompt's tokens are trained on too, as the study's scripts do.
    pub train_prompt: bool,
}

/// Rows that share a trunk, as ranges of the flat list.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    pub trunk: Range<usize>,
    pub branches: Vec<Range<usize>>,
}

/// A token to be predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The position in the flat list whose output predicts it.
    pub at: usize,
    pub token: u32,
    /// The example it belongs to, by its place in the list given to [`Batch::new`].
    pub row: usize,
}

/// Rows laid out for one pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    pub tokens: Vec<u32>,
    /// Position of each token in its own row.
    pub positions: Vec<u32>,
    pub families: Vec<Family>,
    /// Grouped by row, in order.
    pub targets: Vec<Target>,
    /// Logits are divided by this before they become probabilities.
    pub temperature: f32,
}

impl Batch {
    /// Lays out `examples`; neighbours whose prompts begin alike become a family.
    ///
    /// Where the prompt is trained on too, a trunk token is a target of each row that holds it, so rows are
    /// not merged there.
    pub fn new(examples: &[&Example]) -> Batch {
        let mut batch = Batch {
            tokens: Vec::new(),
            positions: Vec::new(),
            families: Vec::new(),
            targets: Vec::new(),
            temperature: 1.0,
        };
        let mut first = 0;
        while first < examples.len() {
            let mut shared = sharable(examples[first]);
            let mut end = first + 1;
            while end < examples.len() {
                let len = common(&examples[first].prompt, &examples[end].prompt).min(sharable(examples[end]));
                // A trunk of a few template tokens is not worth losing a longer one.
                if len < 8 || (end > first + 1 && len * 2 < shared) {
                    break;
                }
                shared = shared.min(len);
                end += 1;
            }
            let shared = if end == first + 1 { 0 } else { shared };
            batch.add_family(&examples[first..end], first, shared);
            first = end;
        }
        batch
    }

    fn add_family(&mut self, examples: &[&Example], first: usize, shared: usize) {
        let trunk = self.tokens.len()..self.tokens.len() + shared;
        self.tokens.extend_from_slice(&examples[0].prompt[..shared]);
        self.positions.extend(0..shared as u32);
        let mut branches = Vec::with_capacity(examples.len());
        for (i, example) in examples.iter().enumerate() {
            let start = self.tokens.len();
            // The last completion token predicts nothing that is trained on.
            let kept = example.completion.len().saturating_sub(1);
            let all = example.prompt[shared..].iter().chain(&example.completion[..kept]);
            self.tokens.extend(all);
            self.positions.extend(shared as u32..(shared + self.tokens.len() - start) as u32);
            branches.push(start..self.tokens.len());
            let row = first + i;
            if example.train_prompt {
                let inner = example.prompt.iter().skip(1).enumerate();
                self.targets.extend(inner.map(|(k, &token)| Target { at: start + k, token, row }));
            }
            let last = start + example.prompt.len() - shared - 1;
            let completion = example.completion.iter().enumerate();
            self.targets.extend(completion.map(|(k, &token)| Target { at: last + k, token, row }));
        }
        self.families.push(Family { trunk, branches });
    }

    /// Targets of each row, as ranges of [`Batch::targets`].
    pub fn rows(&self) -> Vec<Range<usize>> {
        let mut rows = Vec::new();
        let mut start = 0;
        for end in 1..=self.targets.len() {
            if end == self.targets.len() || self.targets[end].row != self.targets[start].row {
                rows.push(start..end);
                start = end;
            }
        }
        rows
    }
}

/// Tokens of the prompt that may be shared: all but the last, which predicts the completion's first.
fn sharable(example: &Example) -> usize {
    if example.train_prompt { 0 } else { example.prompt.len().saturating_sub(1) }
}

fn common(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(prompt: &[u32], completion: &[u32]) -> Example {
        Example { prompt: prompt.to_vec(), completion: completion.to_vec(), train_prompt: false }
    }

    #[test]
    fn a_shared_beginning_is_stored_once() {
        let trunk: Vec<u32> = (10..20).collect();
        let a = example(&[trunk.as_slice(), &[1, 2]].concat(), &[7, 8]);
        let b = example(&[trunk.as_slice(), &[3]].concat(), &[9]);
        let batch = Batch::new(&[&a, &b]);
        assert_eq!(batch.tokens, [trunk.as_slice(), &[1, 2, 7], &[3]].concat());
        assert_eq!(batch.families, [Family { trunk: 0..10, branches: vec![10..13, 13..14] }]);
        assert_eq!(batch.positions[10..], [10, 11, 12, 10]);
        let targets: Vec<_> = batch.targets.iter().map(|t| (t.at, t.token, t.row)).collect();
        assert_eq!(targets, [(11, 7, 0), (12, 8, 0), (13, 9, 1)]);
        assert_eq!(batch.rows(), [0..2, 2..3]);
    }

    #[test]
    fn equal_prompts_share_all_but_the_last_token() {
        let prompt: Vec<u32> = (0..12).collect();
        let (a, b) = (example(&prompt, &[50]), example(&prompt, &[51]));
        let batch = Batch::new(&[&a, &b]);
        assert_eq!(batch.families, [Family { trunk: 0..11, branches: vec![11..12, 12..13] }]);
    }

    #[test]
    fn the_study_s_mask_trains_on_the_prompt_too() {
        let a = Example { train_prompt: true, ..example(&[1, 2, 3], &[4]) };
        let batch = Batch::new(&[&a, &a]);
        let targets: Vec<_> = batch.targets.iter().map(|t| (t.at, t.token)).collect();
        assert_eq!(targets[..3], [(0, 2), (1, 3), (2, 4)]);
        assert_eq!(batch.families.len(), 2);
    }
}
