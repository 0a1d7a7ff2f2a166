//! The dashboard: pages that show runs while they go on, and let those who may change them.
//!
//! **What it owns.** Pages, sessions and the protection of both. What is shown comes from a [`Source`]: a cluster's coordinator (`Cluster`, in the
//! process of the coordinator, through the same verbs and roles as gRPC) or runs and lineages in folders ([`Folders`], for `gristmill ui`). Verbs are never
//! implemented twice: an act of a page is the verb of the API.
//!
//! **How a page is made.** A page is a function from the source to a [`Page`](page::Page): a title and named fragments. [`live::show`] answers a
//! request for it in one of two ways, at the same address: as a whole page, or, to a browser's `EventSource`, as a stream that renders the
//! page again each second and sends the fragments that changed. So each page is live without a line of its own, and is whole without script.
//!
//! **Who is let in.** Signing in takes a bearer token of the coordinator's file and gives a cookie with a random session id; the token is kept
//! nowhere. Without tokens, whoever reaches the loopback address has a session. A form carries its session's token against forgery, and its
//! `Origin` must be this server.
//!
//! **What it refuses.** It calls no model, reads no file but through the source or in folders that the source names, fetches nothing from elsewhere and lets a page run one script,
//! its own. Texts of models and documents are shown as text ([`text::Shown`]). It has no setting, and keeps no state that is worth keeping.

mod app;
mod assets;
mod background;
mod checked_jobs;
#[cfg(feature = "cluster")]
mod cluster;
mod evaluations;
mod folders;
mod guard;
mod indexes;
mod intake;
mod journal_counts;
mod journal_facts;
mod layout;
mod link;
mod live;
mod measures;
mod page;
mod pages;
mod results;
mod routes;
mod samples;
mod session;
mod sign_in_limit;
mod source;
mod step_counts;
mod tallies;
mod text;
mod visitor;

#[cfg(feature = "cluster")]
pub use cluster::Cluster;
pub use folders::Folders;
pub use intake::{CheckedJob, Intake, Upload, UploadedFile};
pub use routes::{Dashboard, Known, Peer};
pub use source::{Act, Looked, Refusal, Role, Source, Who};
