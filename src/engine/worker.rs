//! The engine's thread: takes commands between steps, loads models on helper threads, survives panics.

use super::{
    options::{EngineOptions, THREAD_NAME},
    provider::{LoadError, LoadProgress, ModelProvider},
    remote::{
        RemoteOptions,
        front::{Front, Side, job_of, split},
        pool::Pool,
    },
    scheduler::{LoadRequest, Scheduler},
};
use crate::{
    core::text::panic_words,
    job::{Command, JobEvent},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        mpsc::{Receiver, Sender, TryRecvError, channel},
    },
    thread::JoinHandle,
};

/// What reaches the engine's thread.
enum Message<M> {
    Command(Command),
    Stage { reference: String, stage: &'static str, fraction: f32 },
    Loaded { reference: String, result: Result<M, LoadError> },
}

/// Starts engines.
pub struct Engine;

impl Engine {
    /// Starts the worker thread. `on_event` is called one event at a time, those of a row in order, on whichever
    /// thread has the event; it should only pass it on. Rows whose model is behind a server go there.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start<P: ModelProvider>(
        options: EngineOptions,
        provider: P,
        on_event: impl Fn(JobEvent) + Send + 'static,
    ) -> std::io::Result<EngineHandle> {
        let (sender, receiver) = channel();
        let to_self = sender.clone();
        let provider = Arc::new(provider);
        let front = Arc::new(Front::new(on_event));
        let (here, servers) = (Arc::clone(&front), Arc::clone(&front));
        let resolver = Arc::clone(&provider);
        let pool = Pool::new(
            RemoteOptions { at_once: options.max_rows, ..options.remote },
            move |reference| resolver.server(reference),
            move |event| servers.event(Side::Servers, event),
        );
        let local = Arc::clone(&provider);
        let thread = std::thread::Builder::new().name(THREAD_NAME.to_owned()).spawn(move || {
            let emit = Box::new(move |event| here.event(Side::Here, event));
            let scheduler = Scheduler::new(options, Arc::clone(&local), emit);
            Worker { scheduler, provider: local, to_self, inbox: receiver }.run();
        })?;
        let send = move |command| {
            let (here, there) = split(command, |reference| provider.server(reference).is_some());
            for (part, side) in [(&here, Side::Here), (&there, Side::Servers)] {
                if let Some(job) = part.as_ref().and_then(job_of) {
                    front.sent(job, side);
                }
            }
            if let Some(there) = there {
                pool.handle(there);
            }
            here.is_none_or(|here| sender.send(Message::Command(here)).is_ok())
        };
        Ok(EngineHandle { send: Box::new(send), thread: Some(thread) })
    }
}

/// The way to a running engine. Dropping it cancels everything and waits for the step in progress.
pub struct EngineHandle {
    send: Box<dyn Fn(Command) -> bool + Send>,
    thread: Option<JoinHandle<()>>,
}

impl EngineHandle {
    /// Passes a command on; `false` when the engine was shut down.
    pub fn send(&self, command: Command) -> bool {
        (self.send)(command)
    }

    /// Cancels everything, waits for the thread, and so for its last events.
    pub fn shutdown(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        if let Some(thread) = self.thread.take() {
            (self.send)(Command::Shutdown);
            // A panic of the thread was reported as an event already.
            let _ = thread.join();
        }
    }
}

impl Drop for EngineHandle {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Worker<P: ModelProvider> {
    scheduler: Scheduler<P>,
    provider: Arc<P>,
    to_self: Sender<Message<P::Model>>,
    inbox: Receiver<Message<P::Model>>,
}

impl<P: ModelProvider> Worker<P> {
    fn run(mut self) {
        loop {
            match catch_unwind(AssertUnwindSafe(|| self.turn())) {
                Ok(true) => {}
                Ok(false) => return,
                Err(panic) => self.scheduler.fail_all(&format!(
                    "the engine failed and was started again ({}); please report it",
                    panic_words(&*panic)
                )),
            }
        }
    }

    /// Messages that have come, then one step; waits for a message when there is nothing to do. `false` ends
    /// the thread.
    fn turn(&mut self) -> bool {
        if !self.scheduler.busy() {
            let Ok(message) = self.inbox.recv() else { return false };
            if !self.take(message) {
                return false;
            }
        }
        loop {
            match self.inbox.try_recv() {
                Ok(message) => {
                    if !self.take(message) {
                        return false;
                    }
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
        self.start_loads();
        if self.scheduler.busy() {
            self.scheduler.step();
            self.start_loads();
        }
        true
    }

    fn take(&mut self, message: Message<P::Model>) -> bool {
        match message {
            Message::Command(Command::Shutdown) => {
                self.scheduler.handle(Command::Shutdown);
                return false;
            }
            Message::Command(command) => self.scheduler.handle(command),
            Message::Stage { reference, stage, fraction } => {
                self.scheduler.load_stage(&reference, stage, fraction)
            }
            Message::Loaded { reference, result } => self.scheduler.loaded(&reference, result),
        }
        true
    }

    fn start_loads(&mut self) {
        for request in self.scheduler.take_loads() {
            let (provider, sender) = (Arc::clone(&self.provider), self.to_self.clone());
            let reference = request.reference.clone();
            let spawned = std::thread::Builder::new()
                .name(format!("{THREAD_NAME}-load"))
                .spawn(move || load(&*provider, request, &sender));
            if let Err(error) = spawned {
                self.scheduler
                    .loaded(&reference, Err(LoadError::Unusable(format!("no thread to load with: {error}"))));
            }
        }
    }
}

/// Loads one model on the present thread; a panic is a failed load.
fn load<P: ModelProvider>(provider: &P, request: LoadRequest, sender: &Sender<Message<P::Model>>) {
    let LoadRequest { reference, cancel } = request;
    let stage = |stage: &'static str, fraction: f32| {
        // Nobody listens any more: the engine is gone, and the load ends unheard.
        let _ = sender.send(Message::Stage { reference: reference.clone(), stage, fraction });
    };
    let progress = LoadProgress::new(&stage, &cancel);
    let result =
        catch_unwind(AssertUnwindSafe(|| provider.load(&reference, &progress))).unwrap_or_else(|panic| {
            Err(LoadError::Unusable(format!("`{reference}` could not be loaded ({})", panic_words(&*panic))))
        });
    let _ = sender.send(Message::Loaded { reference: reference.clone(), result });
}
