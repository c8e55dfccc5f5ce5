//! A thread to which work is handed that must not be lost: what it was given is done before the program leaves.

use std::{
    io,
    sync::mpsc::{Receiver, Sender, channel},
    thread::{Builder, JoinHandle},
    time::{Duration, Instant},
};

/// The way to such a thread.
pub(super) struct Keeper<T> {
    sender: Sender<T>,
    thread: JoinHandle<()>,
}

impl<T: Send + 'static> Keeper<T> {
    /// Starts the thread; `work` takes what is sent until nothing can come any more.
    pub fn start(name: &str, work: impl FnOnce(Receiver<T>) + Send + 'static) -> io::Result<Keeper<T>> {
        let (sender, receiver) = channel();
        let thread = Builder::new().name(name.to_owned()).spawn(move || work(receiver))?;
        Ok(Keeper { sender, thread })
    }

    pub fn send(&self, work: T) {
        // A thread that is gone said so by its panic, and nothing takes the work in its place.
        let _ = self.sender.send(work);
    }

    /// Waits until everything that was sent is done, or until `until`: a disk that hangs must not hold the program.
    pub fn end(self, until: Instant) {
        drop(self.sender);
        while !self.thread.is_finished() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    #[test]
    fn what_was_sent_is_done_before_it_ends() {
        let done = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&done);
        let keeper = Keeper::start("test", move |work| {
            for pause in work {
                std::thread::sleep(pause);
                counter.fetch_add(1, Ordering::SeqCst);
            }
        });
        let keeper = keeper.unwrap();
        (0..20).for_each(|_| keeper.send(Duration::from_millis(2)));
        keeper.end(Instant::now() + Duration::from_secs(60));
        assert_eq!(done.load(Ordering::SeqCst), 20);
    }

    #[test]
    fn what_hangs_is_not_waited_for_without_end() {
        let keeper =
            Keeper::start("test", |work: Receiver<Duration>| work.iter().for_each(std::thread::sleep));
        let keeper = keeper.unwrap();
        keeper.send(Duration::from_secs(600));
        let begun = Instant::now();
        keeper.end(begun + Duration::from_millis(20));
        assert!(begun.elapsed() < Duration::from_secs(300));
    }
}
