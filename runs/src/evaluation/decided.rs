//! What a gate said of a result; `result/gate.json`.

use std::path::Path;

use anyhow::Context;
use gristmill_evaluation::gate::{CheckOutcome, GateCheck, GateDecision, GatePolicy, GateReport};
use gristmill_picture::parts::{Gate, Severity};
use gristmill_proto::FormatVersion;
use serde::{Deserialize, Serialize};

/// The file of what a gate said.
const GATE_FILE: &str = "gate.json";

/// What a gate said of a result. The last gate counts; a result that is written again has none.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredGate {
    /// Version of this format.
    pub format: FormatVersion<1>,
    /// The generation whose training set it looked at, where it looked at one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u32>,
    /// What it wanted.
    pub policy: GatePolicy,
    /// What it found.
    pub report: GateReport,
}

impl StoredGate {
    /// How well the student stands, and the word for it.
    pub fn decided(&self) -> (Severity, &'static str) {
        match self.report.decision {
            GateDecision::Pass => (Severity::Good, "passed"),
            GateDecision::Fail { .. } => (Severity::Bad, "failed"),
            GateDecision::Inconclusive { .. } => (Severity::Warn, "not decided"),
        }
    }

    /// Each rule, with what was wanted and what was found.
    pub fn rules(&self) -> Vec<Gate> {
        let rule = |check: &GateCheck| Gate {
            severity: match check.outcome {
                CheckOutcome::Holds => Severity::Good,
                CheckOutcome::Open { .. } => Severity::Warn,
                CheckOutcome::Broken => Severity::Bad,
            },
            text: check.detail.clone(),
        };
        self.report.checks.iter().map(rule).collect()
    }
}

/// Writes what a gate said beside the figures of a result.
///
/// # Errors
/// A path that holds no result, and a folder that cannot be written.
pub fn store_gate(result: &Path, gate: &StoredGate) -> anyhow::Result<()> {
    let file = super::figures_file(result)?.with_file_name(GATE_FILE);
    let part = file.with_extension("part");
    let text = serde_json::to_vec_pretty(gate)?;
    std::fs::write(&part, text)
        .and_then(|()| std::fs::rename(&part, &file))
        .with_context(|| format!("{} cannot be written", file.display()))
}

/// What the last gate said of a result; `None` where none was asked.
///
/// # Errors
/// A path that holds no result, and a file that is damaged or of a newer format.
pub fn read_gate(result: &Path) -> anyhow::Result<Option<StoredGate>> {
    let file = super::figures_file(result)?.with_file_name(GATE_FILE);
    if !file.exists() {
        return Ok(None);
    }
    let text = std::fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?;
    let gate = serde_json::from_slice(&text).with_context(|| format!("{} is damaged", file.display()))?;
    Ok(Some(gate))
}
