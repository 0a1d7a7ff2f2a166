//! `sql`: the query runs on the row's database and brings the result of a reference.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Asked, Checker, Fault, Given, Need, Queries, QueryFault, Validator, Verdict};
use crate::answer::sql;
use crate::filter::{Kind, Reason, Rejection};
use crate::job::{Job, Report};

/// The query runs on the row's database and brings the result of a reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Sql {
    /// Folder of SQLite databases, `NAME.sql` dumps or `NAME.sqlite` files; relative to the job file.
    pub databases: PathBuf,
    /// Seconds after which a query is stopped.
    #[serde(default = "timeout_s")]
    pub timeout_s: u32,
}

fn timeout_s() -> u32 {
    5
}

impl Validator for Sql {
    fn name(&self) -> &'static str {
        "sql"
    }

    fn answers(&self) -> Kind {
        Kind::Query
    }

    fn need(&self) -> Option<Need<'_>> {
        Some(Need::Databases {
            folder: &self.databases,
            key: "filter.validator.databases",
            timeout_s: self.timeout_s,
        })
    }

    fn forget_places(&mut self) {
        self.databases.clear();
    }

    fn check_settings(&self, job: &Job, report: &mut Report) {
        report.at_least("filter.validator.timeout_s", self.timeout_s.into(), 1);
        report.when(
            job.seeds.fields.database.is_none(),
            "filter.validator",
            "the validator `sql` needs to know each row's database",
            "name its column in `seeds.fields.database`",
        );
    }

    fn open(&self, given: Given) -> Result<Box<dyn Checker>, String> {
        let Given::Databases(queries) = given else {
            return Err("the databases of `filter.validator` are not open".to_owned());
        };
        Ok(Box::new(Ready(queries)))
    }
}

struct Ready(Arc<dyn Queries>);

#[async_trait]
impl Checker for Ready {
    /// Whether a query runs is known where its database is; here any text may be one.
    fn reference(&self, _text: &str) -> Result<(), String> {
        Ok(())
    }

    async fn check(&self, asked: &Asked<'_>) -> Result<Verdict, Fault> {
        let Some(database) = asked.database else {
            return Err(Fault::Unverifiable(
                "no database is configured for this query".into(),
            ));
        };
        let query = sql::extract(asked.answer).ok_or_else(|| Fault::form("no query stands in the answer"))?;
        let judged = self.0.judge(database, &query, asked.references).await;
        let judged = judged.map_err(|fault| match fault {
            QueryFault::Query(why) => {
                let reason = match asked.references {
                    [] => Reason::Format,
                    _ => Reason::Wrong,
                };
                Fault::Answer(Rejection::new(reason, why))
            }
            QueryFault::Engine(why) => Fault::Unverifiable(why),
        })?;
        if judged.is_empty && judged.correct.is_none() {
            // Empty results agree with each other whatever was asked.
            return Err(Fault::form("the query returns no rows"));
        }
        Ok(Verdict {
            canonical: judged.canonical,
            correct: judged.correct,
            detail: judged.detail,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{asked, now, settings};
    use super::super::{Asked, JudgedQuery};
    use super::*;

    /// Databases on which `SELECT 1` is right, `SELECT 2` wrong, and anything else fails.
    struct Scripted;

    #[async_trait]
    impl Queries for Scripted {
        async fn judge(
            &self,
            database: &str,
            query: &str,
            references: &[String],
        ) -> Result<JudgedQuery, QueryFault> {
            if database == "gone" {
                return Err(QueryFault::Engine("there is no database `gone`".into()));
            }
            let right = match query {
                "SELECT 1" => true,
                "SELECT 2" => false,
                _ => return Err(QueryFault::Query("the query failed: no such table".into())),
            };
            Ok(JudgedQuery {
                canonical: query.to_owned(),
                correct: (!references.is_empty()).then_some(right),
                detail: "compared".into(),
                is_empty: !right,
            })
        }
    }

    fn check(answer: &str, references: &[&str], database: Option<&str>) -> Result<Verdict, Fault> {
        let checker = settings(r#"{"kind": "sql", "databases": "dbs"}"#)
            .open(Given::Databases(Arc::new(Scripted)))
            .unwrap();
        let owned: Vec<String> = references.iter().map(|text| (*text).to_owned()).collect();
        let asked = Asked {
            references: &owned,
            database,
            ..asked(answer, &[])
        };
        now(checker.check(&asked))
    }

    #[test]
    fn the_fault_of_a_query_is_the_answers_and_that_of_the_engine_is_not() {
        let rejection = |result: Result<Verdict, Fault>| match result {
            Err(Fault::Answer(rejection)) => rejection,
            other => panic!("{other:?}"),
        };
        let shop = Some("shop");
        assert_eq!(
            check("SELECT 1", &["SELECT 1"], shop).unwrap().correct,
            Some(true)
        );
        assert_eq!(
            check("SELECT 2", &["SELECT 1"], shop).unwrap().correct,
            Some(false)
        );
        assert_eq!(check("SELECT 1", &[], shop).unwrap().correct, None);
        assert_eq!(
            rejection(check("SELECT 3", &["SELECT 1"], shop)).reason,
            Reason::Wrong
        );
        assert_eq!(rejection(check("SELECT 3", &[], shop)).reason, Reason::Format);
        // An empty result agrees with everything.
        assert!(rejection(check("SELECT 2", &[], shop)).detail.contains("no rows"));
        assert!(
            rejection(check("I would look.", &[], shop))
                .detail
                .contains("no query")
        );
        for database in [None, Some("gone")] {
            let fault = check("SELECT 1", &["SELECT 1"], database).unwrap_err();
            assert!(matches!(fault, Fault::Unverifiable(_)), "{fault:?}");
        }
    }

    #[test]
    fn a_run_is_the_same_wherever_its_databases_are() {
        let mut here = settings(r#"{"kind": "sql", "databases": "dbs"}"#);
        let mut there = settings(r#"{"kind": "sql", "databases": "/else/where"}"#);
        assert_ne!(here, there);
        here.forget_places();
        there.forget_places();
        assert_eq!(here, there);
    }
}
