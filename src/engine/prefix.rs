//! Finished sequences, kept so that later rows can start from a prefix of them.
//!
//! Bounded by tokens held, oldest use first out. Sequences that share a prefix share its memory, so the bound
//! errs on the safe side. Never holds a sequence that another one already covers.

use crate::model::AdapterIx;

/// A sequence and the tokens in it.
struct Entry<S> {
    adapter: Option<AdapterIx>,
    tokens: Vec<u32>,
    sequence: S,
    used: u64,
}

/// Least-recently-used store of sequences of one model.
pub(super) struct PrefixCache<S> {
    entries: Vec<Entry<S>>,
    capacity: usize,
    clock: u64,
}

/// Length of the common start of two token lists.
pub(super) fn common(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}

impl<S> PrefixCache<S> {
    /// A cache for at most `capacity` tokens, all sequences together.
    pub fn new(capacity: usize) -> Self {
        PrefixCache { entries: Vec::new(), capacity, clock: 0 }
    }

    /// The sequence that shares the longest start with `tokens`, how long it is, and the sequence's tokens.
    pub fn longest(&mut self, adapter: Option<AdapterIx>, tokens: &[u32]) -> Option<(usize, &S, &[u32])> {
        self.clock += 1;
        let (len, best) = self
            .entries
            .iter()
            .enumerate()
            .filter(|(_, e)| e.adapter == adapter)
            .map(|(i, e)| (common(&e.tokens, tokens), i))
            .max()?;
        if len == 0 {
            return None;
        }
        let entry = &mut self.entries[best];
        entry.used = self.clock;
        Some((len, &entry.sequence, &entry.tokens))
    }

    /// Keeps a sequence that holds exactly `tokens`.
    pub fn insert(&mut self, adapter: Option<AdapterIx>, tokens: Vec<u32>, sequence: S) {
        if tokens.is_empty() || tokens.len() > self.capacity {
            return;
        }
        self.clock += 1;
        let used = self.clock;
        if let Some(longer) =
            self.entries.iter_mut().find(|e| e.adapter == adapter && e.tokens.starts_with(&tokens))
        {
            longer.used = used;
            return;
        }
        self.entries.retain(|e| e.adapter != adapter || !tokens.starts_with(&e.tokens));
        self.entries.push(Entry { adapter, tokens, sequence, used });
        while self.tokens() > self.capacity {
            let Some(oldest) = (0..self.entries.len()).min_by_key(|&i| self.entries[i].used) else { break };
            self.entries.swap_remove(oldest);
        }
    }

    /// Tokens held, all sequences together.
    pub fn tokens(&self) -> usize {
        self.entries.iter().map(|e| e.tokens.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_of_the_same_adapter_is_found() {
        let mut cache = PrefixCache::new(100);
        cache.insert(None, vec![1, 2, 3], "base");
        cache.insert(None, vec![1, 2, 4, 5], "other");
        cache.insert(Some(AdapterIx(0)), vec![1, 2, 4, 5, 6], "adapted");
        let found = cache.longest(None, &[1, 2, 4, 5, 6]).map(|(len, s, _)| (len, *s));
        assert_eq!(found, Some((4, "other")));
        assert!(cache.longest(None, &[9]).is_none());
    }

    #[test]
    fn covered_sequences_are_not_held_twice() {
        let mut cache = PrefixCache::new(100);
        cache.insert(None, vec![1, 2], "short");
        cache.insert(None, vec![1, 2, 3], "long");
        cache.insert(None, vec![1], "shorter");
        assert_eq!(cache.tokens(), 3);
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let mut cache = PrefixCache::new(4);
        cache.insert(None, vec![1, 1], "a");
        cache.insert(None, vec![2, 2], "b");
        cache.longest(None, &[1]);
        cache.insert(None, vec![3, 3], "c");
        assert!(cache.longest(None, &[2]).is_none());
        assert!(cache.longest(None, &[1]).is_some());
    }
}
