//! Jobs that are submitted from a page, and who checks them.

use async_trait::async_trait;
use gristmill_proto::v1;

/// A file as it was uploaded, with the name that the job gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadedFile {
    /// Its name, without a folder.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// A job with the files that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The job file.
    pub job: UploadedFile,
    /// Seeds, prompts, recipes and other files beside it.
    pub files: Vec<UploadedFile>,
}

/// A job that was checked, as it would be submitted.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedJob {
    /// The run that it makes.
    pub run: String,
    /// The job file's name.
    pub name: String,
    /// What a person should know first.
    pub warnings: Vec<String>,
    /// What it would do and cost, as `gristmill plan` says it.
    pub plan: String,
    /// The submission: its head, then its files.
    pub parts: Vec<v1::SubmitRequest>,
}

/// Checks jobs, as `gristmill submit` does.
#[async_trait]
pub trait Intake: Send + Sync + 'static {
    /// What a job would do and cost. Nothing is spent and nothing is kept.
    ///
    /// # Errors
    /// What is wrong with it, in the words of the command line.
    async fn check(&self, upload: Upload) -> Result<CheckedJob, String>;
}
