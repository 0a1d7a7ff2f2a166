//! Trains small language models in this process, and asks what was trained.
//!
//! Owns: reading Llama and Qwen models from GGUF files and from folders in Hugging Face layout, their forward and backward pass (on candle),
//! LoRA and full fine-tuning with the loss on answers alone, checkpoints, adapters in PEFT layout, greedy answers and likelihoods.
//!
//! Refuses: to choose, order or repeat rows (the caller wrote them in the order in which they are trained on), to fetch a model, to decide
//! what a loss means for a student ([`gristmill_domain::training`] does).
//!
//! What is trained depends on the request, its files and the number of threads alone: a training that was killed and resumed comes to the
//! same weights as an unbroken one.

mod attention;
mod checkpoint;
mod dropout;
mod error;
mod linear;
mod load;
mod model;
mod norm;
mod optimizer;
mod peft;
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

pub use candle_core::Device;
pub use error::Error;
pub use model::Tokens;
pub use student::{Generated, Likelihood, Student};
pub use text::Text;
pub use trainer::NativeTrainer;
