use std::path::PathBuf;

/// Why nothing could be diagnosed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The dataset cannot be read.
    #[error(transparent)]
    Dataset(#[from] gristmill_dataset::Error),
    /// The dataset has no row to train on.
    #[error(
        "{path} holds no row to train on: name the dataset that the student was trained on, such as out/RUN/dataset"
    )]
    Empty {
        /// Its folder.
        path: PathBuf,
    },
    /// The embedding model failed.
    #[error("the embedding model failed: {0}")]
    Embedding(#[from] gristmill_ports::model::CallError),
    /// The embedding model returned another number of vectors, or of numbers in them.
    #[error(
        "the embedding model `{model}` returned vectors that do not fit the texts: name another with `--embed`"
    )]
    Vectors {
        /// Its name.
        model: String,
    },
    /// Answers cannot be compared by the dataset's validator.
    #[error("`filter.validator` of the dataset's job cannot be used: {0}")]
    Validator(String),
    /// A signal came.
    #[error("interrupted; nothing was written")]
    Interrupted,
}
