//! Events for the loop, from threads whose failure is an event too.

use crate::{app::Event, core::text::panic_words};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::sync::mpsc::UnboundedSender;

/// How the names of all threads begin whose panics are caught: the panic hook lets these pass.
pub const CAUGHT: &str = "pluriscope-";

/// Sends events to the loop, and counts the answers that are still owed.
#[derive(Clone)]
pub struct Mailbox {
    sender: UnboundedSender<Event>,
    owed: Arc<AtomicUsize>,
}

impl Mailbox {
    pub fn new(sender: UnboundedSender<Event>) -> Mailbox {
        Mailbox { sender, owed: Arc::default() }
    }

    pub(super) fn send(&self, event: Event) {
        // Without a loop there is nobody to tell.
        let _ = self.sender.send(event);
    }

    pub(super) fn owe(&self, answers: usize) {
        self.owed.fetch_add(answers, Ordering::SeqCst);
    }

    /// One answer less is owed.
    pub(super) fn settle(&self) {
        self.owed.fetch_sub(1, Ordering::SeqCst);
    }

    pub(super) fn answer(&self, event: Event) {
        self.send(event);
        self.settle();
    }

    /// Answers that have not come yet: files being read, queries, traces being stored.
    pub fn owed(&self) -> usize {
        self.owed.load(Ordering::SeqCst)
    }

    /// Runs `work` on a thread of its own; one answer is owed until it ends. Where there is no thread to be had, or
    /// it panics, the event that `failed` makes of the reason is sent.
    pub(super) fn spawn(
        &self,
        name: &str,
        failed: impl Fn(String) -> Event + Send + Sync + 'static,
        work: impl FnOnce(&Mailbox) + Send + 'static,
    ) {
        self.owe(1);
        let failed = Arc::new(failed);
        let (mailbox, on_panic) = (self.clone(), Arc::clone(&failed));
        let spawned = std::thread::Builder::new().name(format!("{CAUGHT}{name}")).spawn(move || {
            if let Err(panic) = catching(|| work(&mailbox)) {
                mailbox.send(on_panic(panic));
            }
            mailbox.settle();
        });
        if let Err(error) = spawned {
            self.answer(failed(error.to_string()));
        }
    }
}

/// What `work` gives, or the words of its panic.
pub(super) fn catching<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work))
        .map_err(|panic| format!("a fault of Pluriscope's own: {}", panic_words(&*panic)))
}

/// Milliseconds since 1970.
pub(super) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn a_panic_on_a_thread_is_an_event_and_the_answer_is_no_longer_owed() {
        let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
        let mailbox = Mailbox::new(sender);
        mailbox.spawn("test", Event::Note, |_| panic!("the table has no legs"));
        let begun = Instant::now();
        while mailbox.owed() > 0 && begun.elapsed() < Duration::from_secs(30) {
            std::thread::yield_now();
        }
        assert_eq!(mailbox.owed(), 0);
        assert!(matches!(events.try_recv(), Ok(Event::Note(words)) if words.contains("no legs")));
    }
}
