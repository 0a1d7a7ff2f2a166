//! What the codes in columns mean.
//!
//! A row may belong to several concepts, so a code stands for a list of values; lists that occur are few.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use crate::error::Error;
use crate::facet::Facet;

/// Stands between the values of a list: no name holds it, since names are cleaned of it.
const BETWEEN: char = '\u{1f}';

/// Codes by facet, as they are stored.
#[derive(Debug, Default)]
pub(crate) struct Names {
    lists: Vec<Vec<Vec<String>>>,
    codes: HashMap<(Facet, String), u32>,
}

impl Names {
    pub(crate) fn load(connection: &Connection) -> Result<Self, Error> {
        let mut names = Self {
            lists: vec![Vec::new(); Facet::ALL.len()],
            codes: HashMap::new(),
        };
        let mut statement =
            connection.prepare_cached("SELECT facet, code, value FROM names ORDER BY facet, code")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (facet, code, value): (i64, u32, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let facet = *usize::try_from(facet)
                .ok()
                .and_then(|facet| Facet::ALL.get(facet))
                .ok_or(Error::Damaged("a facet"))?;
            if names.push(facet, value) != code {
                return Err(Error::Damaged("the codes of a facet"));
            }
        }
        Ok(names)
    }

    fn push(&mut self, facet: Facet, joined: String) -> u32 {
        let list = match joined.is_empty() {
            true => Vec::new(),
            false => joined.split(BETWEEN).map(str::to_owned).collect(),
        };
        let Some(lists) = self.lists.get_mut(facet.column()) else {
            return 0;
        };
        let code = lists.len() as u32;
        lists.push(list);
        self.codes.insert((facet, joined), code);
        code
    }

    /// The code of a list of values, which is stored when it is new.
    pub(crate) fn code(
        &mut self,
        connection: &Connection,
        facet: Facet,
        values: &[String],
    ) -> Result<u32, Error> {
        let clean: Vec<String> = values.iter().map(|value| value.replace(BETWEEN, " ")).collect();
        let joined = clean.join(&BETWEEN.to_string());
        if let Some(code) = self.codes.get(&(facet, joined.clone())) {
            return Ok(*code);
        }
        let code = self.push(facet, joined.clone());
        connection
            .prepare_cached("INSERT INTO names (facet, code, value) VALUES (?1, ?2, ?3)")?
            .execute(params![facet.column() as i64, code, joined])?;
        Ok(code)
    }

    /// The values of a code.
    pub(crate) fn values(&self, facet: Facet, code: u32) -> &[String] {
        let lists = self.lists.get(facet.column());
        lists
            .and_then(|lists| lists.get(code as usize))
            .map_or(&[], Vec::as_slice)
    }

    /// The lists of a facet, by their codes.
    pub(crate) fn lists(&self, facet: Facet) -> &[Vec<String>] {
        self.lists.get(facet.column()).map_or(&[], Vec::as_slice)
    }
}
