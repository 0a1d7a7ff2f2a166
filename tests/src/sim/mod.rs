//! A simulated model service that speaks OpenAI's and Anthropic's APIs, batches included, with known answers, known errors and a bill of its own.
//!
//! Owns the truth that fault tests, benchmarks and trials are measured by: which answers are right ([`AnswerKey`]) and what was billed
//! ([`Bill`]). It refuses to know anything of the product: it sees a request's text only.
//!
//! - **Replies** are a function of (`Config::seed`, request text, the request's `seed` field) and never of arrival. The same text with another
//!   `seed` draws independently.
//!   Anthropic's API has no such field: each asking of a text is another sample there, in the order of arrival.
//! - **Truth** needs no memory either: rephrasings, near-copies and made-up questions are read back from their text.
//! - **Faults on the way** ([`Faults`]) also depend on how often the very same request came before, so that retries can succeed. The rate
//!   limit is real and depends on the clock.
//! - **Billing** happens when a request is taken in, before any waiting: whoever goes away in the middle has paid.
//!
//! Every prompt holds its question in `<question>…</question>`; a phrase in it tells what is wanted ([`Markers`]).

mod answer;
mod arithmetic;
mod batch;
mod books;
mod config;
mod dialogue;
mod draw;
mod embed;
mod incomplete;
mod key;
mod key_file;
mod lexicon;
mod messages;
mod own_words;
mod pattern;
mod problems;
mod prompt;
mod reply;
mod server;
mod service;
mod speech;
mod sql;
mod statement;
mod wire;
mod wording;

pub use books::{Amounts, Bill, BillPage, BilledCall, Delivery, Stats};
pub use config::{Config, Error as ConfigError, Faults, KeyFiles, Listing, Markers, Price, Quality};
pub use key::{AnswerKey, Domain, Error as KeyError, SqlTruth};
pub use own_words::is_unfaithful;
pub use prompt::Kind;
pub use reply::{Model, Outcome, Reply};
pub use server::{Error, Sim};
pub use wording::rephrased;
