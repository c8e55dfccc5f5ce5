//! When to try again: exponential back-off with seeded jitter, and what `Retry-After` says. Pure: waits for nobody.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// The longest that a server may make us wait; beyond it the row fails in its words.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(600);

/// The waits between the tries of one row. The same seed gives the same waits.
#[derive(Clone, Debug)]
pub struct Backoff {
    random: ChaCha8Rng,
    next: Duration,
    longest: Duration,
    left: u32,
}

impl Backoff {
    /// `attempts` counts the first try, so there are `attempts - 1` waits.
    pub fn new(seed: u64, attempts: u32, first: Duration, longest: Duration) -> Backoff {
        Backoff {
            random: ChaCha8Rng::seed_from_u64(seed),
            next: first,
            longest,
            left: attempts.saturating_sub(1),
        }
    }

    /// The next wait: half to one and a half times the doubled base, and never less than the server asks for.
    /// `None` when it was tried often enough, or the server asks for too much.
    pub fn wait(&mut self, asked: Option<Duration>) -> Option<Duration> {
        if self.left == 0 || asked.is_some_and(|a| a > LONGEST_RETRY_AFTER) {
            return None;
        }
        self.left -= 1;
        let jittered = self.next.min(self.longest).mul_f64(0.5 + self.random.random::<f64>());
        self.next = self.next.saturating_mul(2).min(self.longest);
        Some(asked.map_or(jittered, |asked| asked.max(jittered)))
    }
}

/// Reads `Retry-After`: seconds, or a date, which is compared with the reply's own `Date`, so that no clock of ours
/// comes into it.
pub fn retry_after(value: &str, date: Option<&str>) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return (seconds >= 0.0 && seconds.is_finite())
            .then(|| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX));
    }
    let (then, now) = (http_date(value)?, http_date(date?)?);
    Some(Duration::from_secs(then.saturating_sub(now)))
}

/// Seconds since 1970 of `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, 5.6.7).
fn http_date(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut parts = text.split_once(',')?.1.split_whitespace();
    let day: u64 = parts.next()?.parse().ok().filter(|d| (1..=31).contains(d))?;
    let month = parts.next()?;
    let month = MONTHS.iter().position(|m| *m == month)? as u64;
    let year: u64 = parts.next()?.parse().ok().filter(|y| (1970..=9999).contains(y))?;
    let mut time = parts.next()?.splitn(3, ':').map(|n| n.parse::<u64>().ok().filter(|n| *n < 61));
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    // Years that begin in March put the leap day last.
    let (year, month) = if month < 2 { (year - 1, month + 10) } else { (year, month - 2) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    Some(days.checked_sub(719_468)? * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(seed: u64) -> Vec<Duration> {
        let mut backoff = Backoff::new(seed, 6, Duration::from_millis(500), Duration::from_secs(3));
        std::iter::from_fn(|| backoff.wait(None)).collect()
    }

    #[test]
    fn waits_double_up_to_the_longest_with_jitter() {
        let waits = waits(7);
        assert_eq!(waits.len(), 5);
        for (wait, base) in waits.iter().zip([0.5, 1.0, 2.0, 3.0, 3.0]) {
            let share = wait.as_secs_f64() / base;
            assert!((0.5..1.5).contains(&share), "{wait:?} of {base}");
        }
    }

    #[test]
    fn the_jitter_comes_from_the_seed() {
        assert_eq!(waits(7), waits(7));
        assert_ne!(waits(7), waits(8));
    }

    #[test]
    fn the_server_is_obeyed_within_reason() {
        let mut backoff = Backoff::new(1, 4, Duration::from_millis(10), Duration::from_secs(1));
        assert_eq!(backoff.wait(Some(Duration::from_secs(9))), Some(Duration::from_secs(9)));
        assert_eq!(backoff.wait(Some(Duration::from_secs(3600))), None);
    }

    #[test]
    fn retry_after_in_seconds_and_as_a_date() {
        let after = |value: &str| retry_after(value, Some("Sun, 06 Nov 1994 08:49:37 GMT"));
        assert_eq!(after(" 2 "), Some(Duration::from_secs(2)));
        assert_eq!(after("1.5"), Some(Duration::from_millis(1500)));
        assert_eq!(after("Sun, 06 Nov 1994 08:50:07 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(after("Sun, 06 Nov 1994 08:40:00 GMT"), Some(Duration::ZERO));
        for nonsense in ["soon", "-3", "NaN", "Sun, 99 Nov 1994 08:49:37 GMT", ""] {
            assert_eq!(after(nonsense), None, "{nonsense}");
        }
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(http_date("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(http_date("Thu, 29 Feb 2024 00:00:00 GMT"), Some(1_709_164_800));
    }
}
