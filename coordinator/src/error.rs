//! Why a run does not go on.

/// Why a run does not go on. Nothing that was paid for is lost by any of them.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It was told to stop.
    #[error("the run was interrupted")]
    Interrupted,
    /// The account is paused: an endpoint refuses, or a person stopped it.
    #[error("the run is paused: {reason}")]
    Paused {
        /// Why.
        reason: String,
    },
    /// The account is frozen: the books need a person.
    #[error("the account is frozen: {reason}")]
    Frozen {
        /// Why.
        reason: String,
    },
    /// The run was cancelled for good.
    #[error("the run was cancelled")]
    Cancelled,
    /// The ledger's store was restarted or replaced: the run must be taken up again, and looks into it then.
    #[error("the ledger's store was restarted under the run")]
    Shaken,
    /// An event of the run cannot be read.
    #[error("`{name}` cannot be read: restore it from a copy of the run's state")]
    Event {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The books of a run are closed, and its rows are not all there.
    #[error(
        "round {round} has {decided} of its {planned} rows, and the run's books are closed: the rest is lost, or the run was cancelled"
    )]
    Unfinished {
        /// The round.
        round: u32,
        /// Rows that are stored.
        decided: u64,
        /// Rows that were planned.
        planned: u64,
    },
    /// What a run that has ended rests on is missing from its state.
    #[error(
        "results of a run that has ended are missing from its segments: restore `results/` from a copy of the run's state"
    )]
    ResultsMissing,
    /// A reopening was refused.
    #[error("the run cannot be reopened with the limit {limit}: {reason}")]
    NotReopened {
        /// The limit that was asked for.
        limit: gristmill_domain::amount::Limit,
        /// Why.
        reason: String,
    },
    /// Somebody else keeps the run's books.
    #[error("{owner} keeps this run's books: nobody else may spend its budget")]
    Owned {
        /// Who does.
        owner: crate::Owner,
    },
    /// The ledger refused or failed.
    #[error("ledger error")]
    Ledger(#[from] gristmill_ports::ledger::Error),
    /// A queue failed.
    #[error("a queue failed")]
    Queue(#[from] gristmill_ports::queue::Error),
    /// The blob store failed.
    #[error("the run's files cannot be kept")]
    Blob(#[from] gristmill_ports::blob::Error),
    /// A message or report could not be encoded or decoded.
    #[error("a task's message cannot be used")]
    Message(#[from] gristmill_proto::Error),
    /// A segment is damaged.
    #[error("segment `{name}` cannot be used: restore it from a copy of the run's state")]
    Segment {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: gristmill_proto::Error,
    },
    /// A segment that is there cannot be there.
    #[error("segment `{name}` was created by another coordinator of this run: this one stops")]
    Usurped {
        /// Its name.
        name: String,
    },
    /// A plan is there and empty.
    #[error("`{name}` holds no plan")]
    Torn {
        /// Its name.
        name: String,
    },
    /// An index refused an entry.
    #[error("an index refused an entry")]
    Index(#[from] gristmill_index::Error),
    /// Rows cannot be assigned to concepts.
    #[error("rows cannot be assigned to concepts")]
    Concepts(#[from] gristmill_measure::Error),
    /// A prompt template is wrong.
    #[error("the prompt `{prompt}` cannot be used")]
    Prompt {
        /// Its name.
        prompt: String,
        /// Why.
        #[source]
        source: gristmill_domain::prompt::Error,
    },
    /// Mutators that no question would show.
    #[error(
        "`generate.mutators.{kinds}` would do nothing: no prompt for a question that this job sends has a place for them (raw prompts have \
         none; a template of your own needs `{{{{ {variable} }}}}`)"
    )]
    Mutators {
        /// The key.
        kinds: &'static str,
        /// The variable that shows them.
        variable: &'static str,
    },
    /// No model is configured for a step.
    #[error("no model is configured for step {step} of its recipe")]
    NoModel {
        /// Number of the step.
        step: usize,
    },
    /// A recipe cannot be used.
    #[error("the recipe `{name}` cannot be used: {message}")]
    Recipe {
        /// Its name.
        name: String,
        /// What is wrong with it.
        message: String,
    },
    /// A recipe that ships with the program is missing: a fault of the program.
    #[error("a recipe that ships with the program cannot be read")]
    NoRecipe,
    /// A round that a version before recipes began is unfinished: its tasks would be asked and paid for again.
    #[error(
        "round {round} was begun by an older version of the program, and is unfinished: finish it with that version, or start the run anew in \
         another folder"
    )]
    OlderRound {
        /// The round.
        round: u32,
    },
    /// Roles of recipes and models of the job do not fit.
    #[error("{message}")]
    Roles {
        /// What does not fit, and the way out.
        message: String,
    },
    /// The scratch file of seeds failed.
    #[error("the scratch file of seeds cannot be used: is the temporary folder full?")]
    Scratch {
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A stored value is not valid JSON.
    #[error("stored JSON cannot be used")]
    Json(#[from] serde_json::Error),
    /// A seed that does not exist was asked for.
    #[error("there is no seed {ordinal}: the run has {rows}")]
    NoSuchSeed {
        /// What was asked for.
        ordinal: u64,
        /// How many there are.
        rows: u64,
    },
    /// A passage that does not exist was asked for.
    #[error("there is no passage {number}: the run has {passages}")]
    NoSuchPassage {
        /// What was asked for.
        number: u64,
        /// How many there are.
        passages: u64,
    },
    /// More seeds than can be addressed.
    #[error("more than 4 billion seeds")]
    TooManySeeds,
    /// More rows than can be addressed.
    #[error("more than 4 billion rows in one run")]
    TooManyRows,
    /// No anchor row is left to generate from.
    #[error("no real row is left to generate from: {rows} rows, all held out")]
    NoAnchor {
        /// Rows taken in.
        rows: u64,
    },
    /// A seed could not be embedded.
    #[error("the seeds cannot be embedded: {reason}")]
    Embedding {
        /// Why.
        reason: String,
    },
}

/// An error and what caused it, in one line; a cause that the line ends with already is not said twice.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
