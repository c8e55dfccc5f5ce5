//! Training of LoRA adapters on the same decoder that writes the traces.
//!
//! | file | what |
//! | --- | --- |
//! | [`rows`] | items to prompts and completions |
//! | [`batch`] | rows laid out for one pass, shared beginnings once |
//! | [`frozen`] | the base model's weights, for both directions |
//! | [`lora`] | the weights that learn, and PEFT folders |
//! | [`network`] | log-probabilities, and the gradient of any loss made of them |
//! | `adapt`, `attention`, `pointwise` | the parts of a layer, forwards and backwards |
//! | [`optimiser`] | AdamW, clipping, the learning rate's course |
//! | [`grpo`] | reinforcement learning with a verifiable reward |
//! | `improve` | the updates of one such step |
//! | [`policy`] | what an adapter writes while it is being trained |
//! | [`grpo_loss`] | GRPO and its variants as pure functions |
//! | [`rationale`] | gates and choice of synthetic rationales |
//! | [`sft`] | supervised fine-tuning |
//! | [`verdict`] | the right verdict in the place of one that was written |
//! | `shrink` | an adapter of a lower rank |
//! | [`memory`] | buffers that stay with the process |
//! | [`checkpoint`] | the state of a run on disk |
//! | [`event_log`] | TensorBoard files, written and read |
//!
//! Every loss here is a function of the log-probabilities of given tokens. So the network computes those,
//! asks the loss for its slope at each, and goes back through layers whose derivatives are written out; no
//! tape is recorded, nothing is padded, and only what cannot cheaply be computed again is kept.
//! Reads and writes run folders; never a corpus, a screen or the network.

mod adapt;
mod attention;
pub mod batch;
pub mod checkpoint;
pub mod error;
pub mod event_log;
pub mod frozen;
pub mod grpo;
pub mod grpo_loss;
mod improve;
pub mod lora;
pub mod memory;
pub mod network;
pub mod optimiser;
mod outer;
mod pointwise;
pub mod policy;
pub mod rationale;
pub mod rows;
pub mod runs;
pub mod sft;
mod shrink;
pub mod verdict;

pub use error::TrainError;
