//! Replies, read field by field in the order in which a script answers them.

use gristmill_domain::amount::{Amount, Limit, MicroUsd};
use gristmill_domain::id::TaskId;
use gristmill_domain::ledger::{Attempt, AttemptState, Nonce};
use redis::Value;

use crate::error::Error;

/// A list that is being read.
pub(super) struct Reply {
    what: &'static str,
    fields: std::vec::IntoIter<Value>,
}

impl Reply {
    pub(super) fn new(what: &'static str, value: Value) -> Result<Self, Error> {
        match value {
            Value::Array(fields) => Ok(Self {
                what,
                fields: fields.into_iter(),
            }),
            other => Err(wrong(what, format!("expected a list, found {}", kind(&other)))),
        }
    }

    pub(super) fn wrong(&self, detail: impl Into<String>) -> Error {
        wrong(self.what, detail.into())
    }

    /// The next field, nil when it is missing: Redis leaves out what follows a nil in some lists.
    fn next(&mut self) -> Value {
        self.fields.next().unwrap_or(Value::Nil)
    }

    pub(super) fn is_over(&self) -> bool {
        self.fields.len() == 0
    }

    pub(super) fn bytes(&mut self) -> Result<Vec<u8>, Error> {
        match self.next() {
            Value::BulkString(bytes) => Ok(bytes),
            Value::SimpleString(text) => Ok(text.into_bytes()),
            other => Err(self.wrong(format!("expected bytes, found {}", kind(&other)))),
        }
    }

    pub(super) fn text(&mut self) -> Result<String, Error> {
        Ok(String::from_utf8_lossy(&self.bytes()?).into_owned())
    }

    pub(super) fn text_or_nil(&mut self) -> Result<Option<String>, Error> {
        match self.next() {
            Value::Nil => Ok(None),
            Value::BulkString(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            other => Err(self.wrong(format!("expected a text, found {}", kind(&other)))),
        }
    }

    pub(super) fn parsed<T: std::str::FromStr>(&mut self) -> Result<T, Error> {
        let text = self.text()?;
        text.parse()
            .map_err(|_| self.wrong(format!("`{text}` is unexpected")))
    }

    pub(super) fn number(&mut self) -> Result<u64, Error> {
        self.number_or_nil()?
            .ok_or_else(|| self.wrong("a number is missing"))
    }

    pub(super) fn number_or_nil(&mut self) -> Result<Option<u64>, Error> {
        match self.next() {
            Value::Nil => Ok(None),
            Value::Int(number) => u64::try_from(number)
                .map(Some)
                .map_err(|_| self.wrong(format!("{number} is below zero"))),
            other => Err(self.wrong(format!("expected a number, found {}", kind(&other)))),
        }
    }

    pub(super) fn count<T: TryFrom<u64>>(&mut self) -> Result<T, Error> {
        let number = self.number()?;
        T::try_from(number).map_err(|_| self.wrong(format!("{number} is too large")))
    }

    pub(super) fn list(&mut self) -> Result<Self, Error> {
        let value = self.next();
        Self::new(self.what, value)
    }

    /// Every field of the next list, itself a list.
    pub(super) fn each<T>(&mut self, read: impl Fn(&mut Self) -> Result<T, Error>) -> Result<Vec<T>, Error> {
        let mut list = self.list()?;
        let mut items = Vec::with_capacity(list.fields.len());
        while !list.is_over() {
            items.push(read(&mut list.list()?)?);
        }
        Ok(items)
    }

    pub(super) fn task(&mut self) -> Result<TaskId, Error> {
        let bytes = self.bytes()?;
        TaskId::from_bytes(&bytes).ok_or_else(|| self.wrong("a task's id has not 16 bytes"))
    }

    pub(super) fn amount(&mut self) -> Result<Amount, Error> {
        self.amount_or_nil()?
            .ok_or_else(|| self.wrong("an amount is missing"))
    }

    fn amount_or_nil(&mut self) -> Result<Option<Amount>, Error> {
        let value = self.next();
        if value == Value::Nil {
            return Ok(None);
        }
        let mut parts = Self::new(self.what, value)?;
        Ok(Some(Amount {
            usd: MicroUsd(parts.number()?),
            calls: parts.number()?,
            input_tokens: parts.number()?,
            output_tokens: parts.number()?,
        }))
    }

    pub(super) fn limit(&mut self) -> Result<Limit, Error> {
        let mut parts = self.list()?;
        Ok(Limit {
            usd: parts.number_or_nil()?.map(MicroUsd),
            calls: parts.number_or_nil()?,
        })
    }

    pub(super) fn attempts(&mut self) -> Result<Vec<Attempt>, Error> {
        self.each(|fields| {
            let number = fields.count()?;
            let nonce = fields.bytes()?;
            let nonce =
                <[u8; 8]>::try_from(nonce.as_slice()).map_err(|_| fields.wrong("a nonce has not 8 bytes"))?;
            let worst = fields.amount()?;
            let state = fields.text()?;
            let lease_until_ms = fields.number()?;
            let actual = fields.amount_or_nil()?;
            let state = match (state.as_str(), actual) {
                ("started", _) => AttemptState::Started { lease_until_ms },
                ("settled", Some(actual)) => AttemptState::Settled { actual },
                ("voided", _) => AttemptState::Voided,
                ("burned", _) => AttemptState::Burned,
                ("late", Some(actual)) => AttemptState::LateSettled { actual },
                (other, _) => return Err(fields.wrong(format!("`{other}` is no state of an attempt"))),
            };
            Ok(Attempt {
                number,
                nonce: Nonce(u64::from_be_bytes(nonce)),
                worst,
                state,
                begun_ms: fields.number()?,
                ended_ms: fields.number()?,
                note: fields.text()?,
                audited: fields.amount_or_nil()?,
            })
        })
    }
}

/// What kind of value it is. Its content is left out: it may be long, and it may be a prompt.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nothing",
        Value::Int(_) => "a number",
        Value::BulkString(_) | Value::SimpleString(_) | Value::Okay | Value::VerbatimString { .. } => {
            "a text"
        }
        Value::Array(_) | Value::Set(_) => "a list",
        Value::ServerError(_) => "an error",
        _ => "a value of another kind",
    }
}

fn wrong(what: &'static str, detail: String) -> Error {
    Error::Reply { what, detail }
}
