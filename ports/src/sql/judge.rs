//! What a query is worth: whether it means the same as a reference, and a fingerprint of what it means.

use gristmill_domain::answer::sql::{
    Difference, Fingerprint, Table, fingerprint, fingerprints, ordered, same,
};

use super::{SqlEngine, SqlError, Variant};

/// A query that ran, held against its references.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Whether it means what a reference means; `None` without references.
    pub correct: Option<bool>,
    /// Why, in words.
    pub detail: String,
    /// The same for queries that return the same tables on the database and on its altered copies.
    pub fingerprint: Fingerprint,
    /// It returned no row on the database.
    pub empty: bool,
}

/// Why a query could not be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The query itself brought no table.
    #[error(transparent)]
    Query(SqlError),
    /// A reference brought no table, so that nothing can be held against it.
    #[error("the reference query does not run on `{database}`: {error}")]
    Reference {
        /// Where it was run.
        database: String,
        /// What came instead.
        error: SqlError,
    },
    /// The engine failed, which says nothing about the query.
    #[error(transparent)]
    Engine(SqlError),
}

/// A reference and its result on the database.
struct Reference<'a> {
    query: &'a str,
    ordered: bool,
    table: Table,
}

/// Runs a query and its references on a database and on its altered copies.
///
/// The query is correct when its result equals a reference's on the database and, on every copy that says something about the
/// question, one of those references' again. A copy says nothing where the references that agree on the database disagree, where
/// none of them runs, or where the result depends on the order in which rows are stored (`LIMIT 1` among equals).
pub async fn judge(
    engine: &dyn SqlEngine,
    database: &str,
    query: &str,
    references: &[String],
) -> Result<Judged, Fault> {
    let bench = Bench { engine, database };
    let table = engine.run(database, query).await.map_err(Fault::Query)?;
    let copies = engine.copies(database).await.map_err(Fault::Engine)?;
    let (mut equal, mut difference) = (Vec::new(), None);
    for reference in references {
        let gold = bench.reference(reference).await?;
        match bench.compare(&gold, &table, query).await? {
            Ok(()) => equal.push(gold),
            Err(found) => difference = Some(found),
        }
    }
    let empty = table.is_empty();
    let wrong = |detail: String| Judged {
        correct: Some(false),
        detail,
        fingerprint: fingerprint(&table),
        empty,
    };
    if let (true, Some(difference)) = (equal.is_empty(), difference) {
        return Ok(wrong(difference.to_string()));
    }
    if !equal.is_empty() {
        for copy in 0..copies {
            if let Some(difference) = bench.refuted(Variant::altered(copy), query, &equal).await? {
                return Ok(wrong(format!(
                    "equal on the database, but not on an altered copy of it: {difference}"
                )));
            }
        }
    }
    let mut prints = vec![Some(fingerprint(&table))];
    for copy in 0..copies {
        prints.push(bench.fingerprint(Variant::altered(copy), query).await?);
    }
    let (correct, detail) = match equal.is_empty() {
        true => (None, "no reference"),
        false => (Some(true), "the result equals a reference's"),
    };
    Ok(Judged {
        correct,
        detail: detail.into(),
        fingerprint: fingerprints(&prints),
        empty,
    })
}

/// A database and the engine that it is on.
struct Bench<'a> {
    engine: &'a dyn SqlEngine,
    database: &'a str,
}

impl Bench<'_> {
    async fn reference<'q>(&self, query: &'q str) -> Result<Reference<'q>, Fault> {
        let table = self.engine.run(self.database, query).await;
        let table = table.map_err(|error| Fault::Reference {
            database: self.database.to_owned(),
            error,
        })?;
        Ok(Reference {
            query,
            ordered: ordered(query),
            table,
        })
    }

    /// The result on a copy; `None` where the query does not run there.
    async fn on(&self, variant: Variant, query: &str) -> Result<Option<Table>, Fault> {
        match self.engine.run_on(self.database, variant, query).await {
            Ok(table) => Ok(Some(table)),
            Err(error @ SqlError::Unavailable { .. }) => Err(Fault::Engine(error)),
            Err(_) => Ok(None),
        }
    }

    /// Compares results on the database itself. Where the reference leaves the order of some rows open, it is no difference.
    async fn compare(
        &self,
        gold: &Reference<'_>,
        got: &Table,
        query: &str,
    ) -> Result<Result<(), Difference>, Fault> {
        let found = same(&gold.table, got, gold.ordered);
        if found != Err(Difference::Order) {
            return Ok(found);
        }
        let moved = self.on(Variant::ORIGINAL.reordered(), gold.query).await?;
        let open = moved.is_some_and(|moved| same(&gold.table, &moved, true) == Err(Difference::Order));
        // A query that orders by nothing has an order by chance, too, but it was asked to order.
        Ok(if open && ordered(query) { Ok(()) } else { found })
    }

    /// How the query differs from its references on a copy that says something about them.
    async fn refuted(
        &self,
        copy: Variant,
        query: &str,
        references: &[Reference<'_>],
    ) -> Result<Option<Difference>, Fault> {
        let Some(got) = self.on(copy, query).await? else {
            return Ok(None);
        };
        let mut golds = vec![];
        for reference in references {
            if let Some(table) = self.on(copy, reference.query).await? {
                golds.push((reference, table));
            }
        }
        let Some((_, first)) = golds.first() else {
            return Ok(None);
        };
        if golds.iter().any(|(_, table)| same(first, table, false).is_err()) {
            return Ok(None);
        }
        let mut found = None;
        for (reference, gold) in &golds {
            match same(gold, &got, reference.ordered) {
                Ok(()) => return Ok(None),
                Err(difference) => found = Some((difference, *reference, gold)),
            }
        }
        let Some((difference, reference, gold)) = found else {
            return Ok(None);
        };
        let strict = difference == Difference::Order;
        let fixed = self.steady(copy, reference.query, gold, strict).await?
            && self.steady(copy, query, &got, false).await?;
        Ok(fixed.then_some(difference))
    }

    /// The query returns the same, whatever the order in which rows are stored.
    async fn steady(&self, copy: Variant, query: &str, table: &Table, in_order: bool) -> Result<bool, Fault> {
        let moved = self.on(copy.reordered(), query).await?;
        Ok(moved.is_some_and(|moved| same(table, &moved, in_order).is_ok()))
    }

    /// The fingerprint of the result on a copy; `None` where it does not run there or depends on the order of rows.
    async fn fingerprint(&self, copy: Variant, query: &str) -> Result<Option<Fingerprint>, Fault> {
        let Some(table) = self.on(copy, query).await? else {
            return Ok(None);
        };
        let steady = self.steady(copy, query, &table, false).await?;
        Ok(steady.then(|| fingerprint(&table)))
    }
}
