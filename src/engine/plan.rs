//! Which tokens a score needs: every distinct token position once, the rest by forking.
//!
//! Texts are tokenised whole, prompt + context + candidate, as the model would see them. Where a tokenizer
//! merges across the border of context and candidate, the tokens of the two do not part exactly there:
//! all candidates of one continuation are therefore scored from the last position up to which *every* one of
//! them still agrees with prompt + context, so that their sums speak of the same text.
//!
//! Pure: token lists in, branches out.

use super::prefix::common;

/// One continuation in tokens; candidates include prompt and context.
pub(super) struct Tokenised {
    pub context: Vec<u32>,
    pub candidates: Vec<Vec<u32>>,
}

/// Where a branch starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The cached sequence (which may be empty).
    Cache,
    Branch(usize),
}

/// A number to read off the scores after the token at `position`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Read {
    pub position: usize,
    pub continuation: usize,
    pub what: Wanted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Entropy,
    /// The log-probability of `token`, added to this candidate's sum.
    Token {
        candidate: usize,
        token: u32,
    },
}

/// A sequence to run: the first `fork_at` tokens come from `source`.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    pub source: Source,
    pub fork_at: usize,
    pub tokens: Vec<u32>,
    pub reads: Vec<Read>,
}

/// All that one row needs.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub branches: Vec<Branch>,
    /// Per continuation, tokens of each candidate.
    pub candidate_tokens: Vec<Vec<usize>>,
}

impl Plan {
    /// Plans `continuations`, given the tokens of a cached sequence.
    pub fn new(continuations: &[Tokenised], cached: &[u32]) -> Plan {
        let mut plan = Plan::default();
        let mut targets: Vec<(Vec<u32>, Vec<Read>)> = Vec::new();
        for (continuation, tokenised) in continuations.iter().enumerate() {
            // The first token has nothing before it to be predicted from.
            let agreed = tokenised
                .candidates
                .iter()
                .map(|c| common(c, &tokenised.context))
                .min()
                .unwrap_or(tokenised.context.len())
                .max(1);
            let base: Vec<u32> = tokenised.context.iter().take(agreed).copied().collect();
            targets.push((base, vec![Read { position: agreed - 1, continuation, what: Wanted::Entropy }]));
            let mut counts = Vec::new();
            for (candidate, tokens) in tokenised.candidates.iter().enumerate() {
                counts.push(tokens.len().saturating_sub(agreed));
                let reads: Vec<Read> = (agreed..tokens.len())
                    .map(|i| Read {
                        position: i - 1,
                        continuation,
                        what: Wanted::Token { candidate, token: tokens[i] },
                    })
                    .collect();
                if !reads.is_empty() {
                    targets.push((tokens[..tokens.len() - 1].to_vec(), reads));
                }
            }
            plan.candidate_tokens.push(counts);
        }
        // The longest first: it becomes the trunk, and the others branch off it in one wave.
        targets.sort_by_key(|(tokens, _)| std::cmp::Reverse(tokens.len()));
        for (tokens, reads) in targets {
            plan.add(&tokens, reads, cached);
        }
        plan
    }

    fn add(&mut self, tokens: &[u32], reads: Vec<Read>, cached: &[u32]) {
        let mut source = Source::Cache;
        let mut shared = common(tokens, cached);
        for (i, branch) in self.branches.iter().enumerate() {
            let len = common(tokens, &branch.tokens);
            if len > 0 && len >= shared {
                (source, shared) = (Source::Branch(i), len);
            }
        }
        let mut own = Vec::new();
        for read in reads {
            if read.position >= shared {
                own.push(read);
            } else if let Some(owner) = self.owner(source, &tokens[..=read.position]) {
                self.branches[owner].reads.push(read);
            } else {
                // The cache knows the position but not its scores: run its last token again.
                let tokens = tokens[..=read.position].to_vec();
                let fork_at = read.position;
                self.branches.push(Branch { source: Source::Cache, fork_at, tokens, reads: vec![read] });
            }
        }
        if !own.is_empty() {
            self.branches.push(Branch { source, fork_at: shared, tokens: tokens.to_vec(), reads: own });
        }
    }

    /// The branch that runs the last of `tokens`, on the way to `source` or on its own beside the cache.
    fn owner(&self, mut source: Source, tokens: &[u32]) -> Option<usize> {
        let position = tokens.len() - 1;
        while let Source::Branch(i) = source {
            if position >= self.branches[i].fork_at {
                return Some(i);
            }
            source = self.branches[i].source;
        }
        self.branches
            .iter()
            .position(|b| b.source == Source::Cache && b.fork_at == position && b.tokens == tokens)
    }

    /// Tokens that will be run.
    #[cfg(test)]
    pub fn forward_tokens(&self) -> usize {
        self.branches.iter().map(|b| b.tokens.len() - b.fork_at).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokenised(context: &[u32], candidates: &[&[u32]]) -> Tokenised {
        let whole = |c: &&[u32]| [context, c].concat();
        Tokenised { context: context.to_vec(), candidates: candidates.iter().map(whole).collect() }
    }

    #[test]
    fn single_token_candidates_cost_one_position() {
        let plan = Plan::new(&[tokenised(&[1, 2, 3], &[&[7], &[8], &[9]])], &[]);
        assert_eq!(plan.forward_tokens(), 3);
        assert_eq!(plan.branches.len(), 1);
        assert_eq!(plan.candidate_tokens, [[1, 1, 1]]);
    }

    #[test]
    fn a_trunk_is_run_once_and_each_suffix_once() {
        // Prompt of 4, three steps of 3, suffix of 2 after each prefix: P + L + (n + 1) S.
        let trunk: Vec<u32> = (0..13).collect();
        let continuations: Vec<Tokenised> = [4, 7, 10, 13]
            .iter()
            .map(|&end| tokenised(&[&trunk[..end], &[90, 91]].concat(), &[&[50], &[51]]))
            .collect();
        assert_eq!(Plan::new(&continuations, &[]).forward_tokens(), 4 + 9 + 4 * 2);
        let cached: Vec<u32> = trunk.clone();
        assert_eq!(Plan::new(&continuations, &cached).forward_tokens(), 4 * 2);
    }

    #[test]
    fn a_cached_position_is_run_again_for_its_scores_only_once() {
        let plan = Plan::new(&[tokenised(&[1, 2, 3], &[&[7], &[8, 9]])], &[1, 2, 3, 4, 5]);
        // Position 2 again (entropy, 7, 8), and 8 itself for 9.
        assert_eq!(plan.forward_tokens(), 2);
        assert_eq!(plan.branches.iter().map(|b| b.reads.len()).sum::<usize>(), 4);
    }

    #[test]
    fn merged_borders_move_all_candidates_back() {
        let merged = Tokenised { context: vec![1, 2, 3], candidates: vec![vec![1, 2, 30], vec![1, 2, 3, 4]] };
        let plan = Plan::new(&[merged], &[]);
        assert_eq!(plan.candidate_tokens, [[1, 2]]);
    }

    #[test]
    fn empty_candidates_and_contexts_are_harmless() {
        let plan = Plan::new(&[tokenised(&[1], &[&[]]), tokenised(&[1], &[])], &[]);
        assert_eq!(plan.candidate_tokens, [vec![0], vec![]]);
        assert_eq!(plan.forward_tokens(), 1);
    }
}
