//! Task envelopes and reports.

use std::collections::BTreeMap;

use gristmill_domain::id::{RunId, TaskId};
use gristmill_domain::work::{Output, Report, Task};
use prost::Message;

use crate::{Error, VERSION, v1};

/// A task on its way to a worker.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    /// The run that it belongs to.
    pub run: RunId,
    /// The task.
    pub task: Task,
    /// W3C trace context of whoever sent it.
    pub trace: BTreeMap<String, String>,
}

impl Envelope {
    /// Encodes the envelope.
    pub fn encode(&self) -> Result<Vec<u8>, Error> {
        let work = serde_json::to_vec(&self.task).map_err(|source| Error::Json {
            what: "task envelope",
            source,
        })?;
        Ok(v1::TaskEnvelope {
            version: VERSION,
            run: self.run.as_bytes().to_vec(),
            task: self.task.id.as_bytes().to_vec(),
            stage: v1::Stage::from(self.task.address.step.stage).into(),
            work,
            trace: self.trace.clone().into_iter().collect(),
            needs: self.task.needs.clone(),
        }
        .encode_to_vec())
    }

    /// Decodes an envelope.
    ///
    /// # Errors
    /// A message that is not an envelope of this version, or whose parts do not belong together.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        SealedEnvelope::decode(bytes)?.open()
    }
}

/// An envelope of which only the outside was read: whose it is, and what a worker must be able to do before it reads on.
#[derive(Debug, Clone, PartialEq)]
pub struct SealedEnvelope {
    run: RunId,
    task: TaskId,
    wire: v1::TaskEnvelope,
}

impl SealedEnvelope {
    /// Reads the outside of an envelope.
    ///
    /// # Errors
    /// A message that is not an envelope of this version.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let wire = v1::TaskEnvelope::decode(bytes).map_err(|source| Error::Protobuf {
            what: ENVELOPE,
            source,
        })?;
        if wire.version != VERSION {
            return Err(Error::Version {
                what: ENVELOPE,
                found: wire.version,
            });
        }
        let run = RunId::from_bytes(&wire.run).ok_or_else(|| damaged("the run's id has the wrong length"))?;
        let task =
            TaskId::from_bytes(&wire.task).ok_or_else(|| damaged("the task's id has the wrong length"))?;
        Ok(Self { run, task, wire })
    }

    /// The run.
    pub fn run(&self) -> RunId {
        self.run
    }

    /// The task.
    pub fn task(&self) -> TaskId {
        self.task
    }

    /// What a worker must be able to do.
    pub fn needs(&self) -> &[String] {
        &self.wire.needs
    }

    /// Reads the task.
    ///
    /// # Errors
    /// A task that is damaged, or belongs to another run or address than the envelope says.
    pub fn open(self) -> Result<Envelope, Error> {
        let Self { run, task: id, wire } = self;
        let mut task: Task = serde_json::from_slice(&wire.work).map_err(|source| Error::Json {
            what: ENVELOPE,
            source,
        })?;
        task.needs = wire.needs;
        if task.id != id || task.address.task_id(run) != id {
            return Err(damaged("the task's id does not belong to its run and address"));
        }
        Ok(Envelope {
            run,
            task,
            trace: wire.trace.into_iter().collect(),
        })
    }
}

const ENVELOPE: &str = "task envelope";

fn damaged(detail: &str) -> Error {
    Error::Damaged {
        what: ENVELOPE,
        detail: detail.to_owned(),
    }
}

/// Encodes a report; vectors are packed, not spelled out.
pub fn encode_report(report: &Report) -> Result<Vec<u8>, Error> {
    const WHAT: &str = "task report";
    let (json, vectors) = match &report.output {
        Output::Vectors(vectors) => {
            let bare = Report {
                output: Output::Vectors(Vec::new()),
                model_version: report.model_version.clone(),
            };
            (serde_json::to_vec(&bare), Some(pack(vectors)))
        }
        Output::Fields(_) | Output::Likelihoods(_) | Output::Rejected { .. } => {
            (serde_json::to_vec(report), None)
        }
    };
    let report = json.map_err(|source| Error::Json { what: WHAT, source })?;
    Ok(v1::TaskReport {
        version: VERSION,
        report,
        vectors,
        blob: String::new(),
    }
    .encode_to_vec())
}

/// Encodes the name of the blob that an encoded report was put into, for the ledger.
pub fn encode_pointer(blob: &str) -> Vec<u8> {
    v1::TaskReport {
        version: VERSION,
        report: Vec::new(),
        vectors: None,
        blob: blob.to_owned(),
    }
    .encode_to_vec()
}

/// What a task was settled with.
#[derive(Debug, Clone, PartialEq)]
pub enum Settlement {
    /// Its report.
    Report(Report),
    /// Name of the blob that holds the encoded report.
    Blob(String),
}

/// Decodes what a task was settled with.
pub fn decode_settlement(bytes: &[u8]) -> Result<Settlement, Error> {
    let wire = report_of(bytes)?;
    if wire.blob.is_empty() {
        unpack_report(wire).map(Settlement::Report)
    } else {
        Ok(Settlement::Blob(wire.blob))
    }
}

/// Decodes a report.
pub fn decode_report(bytes: &[u8]) -> Result<Report, Error> {
    unpack_report(report_of(bytes)?)
}

fn report_of(bytes: &[u8]) -> Result<v1::TaskReport, Error> {
    const WHAT: &str = "task report";
    let wire = v1::TaskReport::decode(bytes).map_err(|source| Error::Protobuf { what: WHAT, source })?;
    if wire.version != VERSION {
        return Err(Error::Version {
            what: WHAT,
            found: wire.version,
        });
    }
    Ok(wire)
}

fn unpack_report(wire: v1::TaskReport) -> Result<Report, Error> {
    const WHAT: &str = "task report";
    if !wire.blob.is_empty() {
        return Err(Error::Damaged {
            what: WHAT,
            detail: "it names a blob where the report itself is expected".to_owned(),
        });
    }
    let mut report: Report =
        serde_json::from_slice(&wire.report).map_err(|source| Error::Json { what: WHAT, source })?;
    if let (Output::Vectors(vectors), Some(packed)) = (&mut report.output, wire.vectors) {
        *vectors = unpack(&packed, WHAT)?;
    }
    Ok(report)
}

pub(crate) fn pack(vectors: &[Vec<f32>]) -> v1::Vectors {
    v1::Vectors {
        dimensions: vectors
            .first()
            .map_or(0, |v| u32::try_from(v.len()).unwrap_or(u32::MAX)),
        values: vectors.concat(),
    }
}

pub(crate) fn unpack(packed: &v1::Vectors, what: &'static str) -> Result<Vec<Vec<f32>>, Error> {
    let dimensions = packed.dimensions as usize;
    if dimensions == 0 || !packed.values.len().is_multiple_of(dimensions) {
        return Err(Error::Damaged {
            what,
            detail: format!("{} values in rows of {dimensions}", packed.values.len()),
        });
    }
    Ok(packed
        .values
        .chunks_exact(dimensions)
        .map(<[f32]>::to_vec)
        .collect())
}
