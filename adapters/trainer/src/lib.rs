//! Trains small language models in this process, and asks them.
//!
//! Owns: reading Llama and Qwen models from GGUF files and from folders in Hugging Face layout, their forward and backward pass (on candle),
//! LoRA and full fine-tuning with the loss on answers alone, checkpoints, adapters in PEFT layout; a chat model that answers several requests
//! at a time and tells likelihoods of given texts.
//!
//! Refuses: to choose, order or repeat rows (the caller wrote them in the order in which they are trained on), to fetch a model, to decide
//! what a loss means for a student ([`gristmill_domain::training`] does), structured output (`llama_cpp` has it), and to let a message's text
//! pass for the mark of a turn.
//!
//! What is trained depends on the request, its files and the number of threads alone: a training that was killed and resumed comes to the
//! same weights as an unbroken one.
//!
//! **Same request, same answer.** Tokens are drawn from the request's seed alone ([`gristmill_domain::chat::sampler`]). Requests in work share the
//! passes through the model, and yet what one comes to does not depend on the others, to the last bit. Other machines, numbers of
//! threads or builds may differ in the last bits, and so in a near tie.

mod attention;
mod batch;
mod chat;
mod checkpoint;
mod dropout;
mod error;
mod likelihood;
mod linear;
mod load;
mod model;
mod norm;
mod optimizer;
mod pass;
mod peft;
mod place;
mod rows;
mod shape;
mod student;
mod text;
mod trainer;
mod training;
mod weights;
mod whole;

#[cfg(test)]
mod tests;

pub use batch::Answered;
pub use candle_core::Device;
pub use chat::{NativeModel, Options};
pub use error::Error;
pub use model::Tokens;
pub use place::{adapter_at, base_at};
pub use student::Student;
pub use text::Text;
pub use trainer::NativeTrainer;
