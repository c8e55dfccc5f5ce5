//! The sequences that read scores for one row, and the sums they add up to.

use super::plan::{Branch, Plan, Source, Tokenised, Wanted};
use crate::{
    core::Prompt,
    job::{Continuation, ContinuationScore, JobId, RowId},
    model::{AdapterIx, LanguageModel, Want},
};

/// From the first position whose scores are read, at most so many are run at a time: logits are large.
const READ_CHUNK: usize = 64;

/// A row that is being scored.
pub(super) struct Scoring<S> {
    pub job: JobId,
    pub row: RowId,
    pub adapter: Option<AdapterIx>,
    branches: Vec<Run<S>>,
    scores: Vec<ContinuationScore>,
    pub forward_tokens: usize,
}

struct Run<S> {
    branch: Branch,
    /// `None` until its source has come as far as the fork.
    sequence: Option<S>,
}

/// Tokens of one branch for the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub branch: usize,
    pub from: usize,
    pub to: usize,
    pub want: Want,
}

/// Tokenises a row's continuations whole, after the prompt and its prefill.
pub(super) fn tokenise<M: LanguageModel>(
    model: &M,
    prompt: &Prompt,
    continuations: &[Continuation],
) -> Result<Vec<Tokenised>, M::Error> {
    let encode = |texts: &[&str]| {
        let mut whole = prompt.clone();
        texts.iter().for_each(|text| whole.prefill.push_str(text));
        model.encode_prompt(&whole)
    };
    continuations
        .iter()
        .map(|c| {
            let candidates = c.candidates.iter().map(|candidate| encode(&[&c.context, candidate]));
            Ok(Tokenised {
                context: encode(&[&c.context])?,
                candidates: candidates.collect::<Result<_, _>>()?,
            })
        })
        .collect()
}

impl<S> Scoring<S> {
    /// Starts `plan`; `cached` gives a fork of the cached sequence at a length.
    pub fn new(
        job: JobId,
        row: RowId,
        adapter: Option<AdapterIx>,
        plan: Plan,
        cached: impl Fn(usize) -> S,
    ) -> Scoring<S> {
        let scores = plan
            .candidate_tokens
            .into_iter()
            .map(|candidate_tokens| ContinuationScore {
                logprobs: vec![0.0; candidate_tokens.len()],
                entropy: None,
                candidate_tokens,
            })
            .collect();
        let branches = plan
            .branches
            .into_iter()
            .map(|branch| Run {
                sequence: (branch.source == Source::Cache).then(|| cached(branch.fork_at)),
                branch,
            })
            .collect();
        Scoring { job, row, adapter, branches, scores, forward_tokens: 0 }
    }

    /// Forks every branch whose source is far enough.
    pub fn fork<M: LanguageModel<Sequence = S>>(&mut self, model: &M) {
        for i in 0..self.branches.len() {
            let Branch { source: Source::Branch(source), fork_at, .. } = self.branches[i].branch else {
                continue;
            };
            if self.branches[i].sequence.is_none()
                && let Some(sequence) = &self.branches[source].sequence
                && model.len(sequence) >= fork_at
            {
                self.branches[i].sequence = Some(model.fork(sequence, fork_at));
            }
        }
    }

    /// The pieces to run next, within `budget` tokens.
    pub fn pieces<M: LanguageModel<Sequence = S>>(&self, model: &M, mut budget: usize) -> Vec<Piece> {
        let mut out = Vec::new();
        for (i, run) in self.branches.iter().enumerate() {
            let Some(sequence) = &run.sequence else { continue };
            let from = model.len(sequence);
            let mut to = run.branch.tokens.len().min(from + budget);
            if from >= to {
                continue;
            }
            let reads = run.branch.reads.iter().map(|r| r.position).filter(|&p| p >= from);
            let first = reads.min().unwrap_or(usize::MAX);
            let want = if first >= to {
                Want::None
            } else {
                to = to.min(first + READ_CHUNK);
                Want::Tail(to - first)
            };
            budget -= to - from;
            out.push(Piece { branch: i, from, to, want });
        }
        out
    }

    /// Every branch that has begun: its index, sequence and tokens.
    pub fn parts(&mut self) -> impl Iterator<Item = (usize, &mut S, &[u32])> {
        self.branches
            .iter_mut()
            .enumerate()
            .filter_map(|(i, run)| Some((i, run.sequence.as_mut()?, run.branch.tokens.as_slice())))
    }

    /// Reads what the plan wants off the logits of `piece`, `[positions × vocabulary]`.
    pub fn read(&mut self, piece: Piece, logits: &[f32], vocabulary: usize) {
        self.forward_tokens += piece.to - piece.from;
        let first = piece.from + piece.want.positions(piece.to - piece.from).start;
        let reads = &self.branches[piece.branch].branch.reads;
        for (offset, scores) in logits.chunks_exact(vocabulary).enumerate() {
            let mut here = reads.iter().filter(|r| r.position == first + offset).peekable();
            if here.peek().is_none() {
                continue;
            }
            let (total, entropy) = normaliser(scores);
            for read in here {
                let score = &mut self.scores[read.continuation];
                match read.what {
                    Wanted::Entropy => score.entropy = Some(entropy),
                    Wanted::Token { candidate, token } => {
                        let logit = scores.get(token as usize).copied().unwrap_or(f32::NEG_INFINITY);
                        score.logprobs[candidate] += f64::from(logit) - total;
                    }
                }
            }
        }
    }

    /// Sequences that others may start from: tokens, and the sequence that holds the first of them.
    pub fn holders(&self) -> impl Iterator<Item = (&[u32], &S)> {
        self.branches.iter().filter_map(|run| Some((run.branch.tokens.as_slice(), run.sequence.as_ref()?)))
    }

    /// Whether nothing is left to run.
    pub fn finished<M: LanguageModel<Sequence = S>>(&self, model: &M) -> bool {
        self.branches
            .iter()
            .all(|run| run.sequence.as_ref().is_some_and(|s| model.len(s) >= run.branch.tokens.len()))
    }

    /// The scores, and the longest sequence with its tokens for the prefix cache.
    pub fn finish(self) -> (Vec<ContinuationScore>, Option<(Vec<u32>, S)>) {
        let longest = self
            .branches
            .into_iter()
            .filter_map(|run| Some((run.branch.tokens, run.sequence?)))
            .max_by_key(|(tokens, _)| tokens.len());
        (self.scores, longest)
    }
}

/// The logarithm of the sum of exponentials, and the entropy of the softmax, in nats.
fn normaliser(scores: &[f32]) -> (f64, f64) {
    let largest = f64::from(scores.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let (mut sum, mut weighted) = (0f64, 0f64);
    for &score in scores {
        let above = f64::from(score) - largest;
        let weight = above.exp();
        sum += weight;
        // exp(-inf) is 0, and 0 × -inf would not be a number.
        weighted += if weight > 0.0 { weight * above } else { 0.0 };
    }
    (largest + sum.ln(), sum.ln() - weighted / sum)
}

#[cfg(test)]
mod tests {
    use super::normaliser;

    #[test]
    fn a_uniform_distribution_has_the_entropy_of_its_size() {
        let (total, entropy) = normaliser(&[1.0; 4]);
        assert!((total - (1.0 + 4f64.ln())).abs() < 1e-12);
        assert!((entropy - 4f64.ln()).abs() < 1e-12);
        let (_, sure) = normaliser(&[0.0, f32::NEG_INFINITY]);
        assert!(sure.abs() < 1e-12);
    }
}
