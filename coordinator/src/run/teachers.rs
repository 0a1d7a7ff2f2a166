//! Teachers that are related to the student, measured before the first round.

use gristmill_domain::plan::End;
use gristmill_domain::work::Address;
use gristmill_proto::SegmentKind;

use super::PastRounds;
use crate::engine::{Engine, Site};
use crate::teacher_check::{CheckPlan, TeacherChecks, check_plan};
use crate::{Coordinator, Error};

impl Coordinator<'_> {
    /// How the teachers that are related to the student are measured; nothing where none is, or where rows are made without it: an older
    /// version began them, or they are a preview.
    pub(super) async fn planned_check(&self, site: &Site<'_>) -> Result<Option<CheckPlan>, Error> {
        let results = SegmentKind::Results;
        let asked = site.journal.segments(results, Address::TEACHER_CHECK).await?;
        let begun = site.closed || site.journal.plan(0).await?.is_some();
        if begun && asked.is_empty() {
            return Ok(None);
        }
        check_plan(self.setup, self.seeds, site.limit)
    }

    /// Measures the teachers that are related to the student; why the run does not go on, where they are not shown to be good enough.
    pub(super) async fn check_teachers(
        &self,
        site: &mut Site<'_>,
        finished: &mut PastRounds,
        plan: CheckPlan,
    ) -> Result<Option<End>, Error> {
        self.progress
            .send_modify(|progress| progress.phase = "measuring the teacher".into());
        let mut checks = TeacherChecks::new(self.setup, self.seeds, plan);
        Engine::new(site, Address::TEACHER_CHECK)
            .await?
            .drive(&mut checks, |_| {})
            .await?;
        let (checks, unfunded) = checks.into_checks();
        for check in &checks {
            tracing::info!(run = %site.run, %check, passes = check.passes(), "teacher measured");
        }
        self.progress
            .send_modify(|progress| progress.teacher_checks.clone_from(&checks));
        let failed = checks.iter().find(|check| !check.passes()).cloned();
        finished.snapshot.teacher_checks = checks;
        Ok(failed.map(|check| match unfunded {
            true => End::BudgetSpent,
            false => End::TeacherNotProven(check),
        }))
    }
}
