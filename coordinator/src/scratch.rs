//! Records that are written once and read by number. They lie in a scratch file: eight bytes a record stay in memory.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::marker::PhantomData;
use std::os::unix::fs::FileExt;

use gristmill_ports::blob::Blobs;
use gristmill_proto::{Record, Segment, SegmentKind};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;

/// Records in a segment.
const SEGMENT_RECORDS: u64 = 1_000;

fn scratch(source: std::io::Error) -> Error {
    Error::Scratch { source }
}

/// Takes records in, one by one.
pub(crate) struct ScratchWriter<T> {
    writer: BufWriter<File>,
    /// Where each record starts, and where the next will.
    starts: Vec<u64>,
    of: PhantomData<fn(T)>,
}

impl<T: Serialize> ScratchWriter<T> {
    pub(crate) fn new() -> Result<Self, Error> {
        Ok(Self {
            writer: BufWriter::new(tempfile::tempfile().map_err(scratch)?),
            starts: vec![0],
            of: PhantomData,
        })
    }

    /// Takes one in, behind those before.
    pub(crate) fn push(&mut self, record: &T) -> Result<(), Error> {
        let bytes = serde_json::to_vec(record)?;
        self.writer.write_all(&bytes).map_err(scratch)?;
        let end = self.starts.last().copied().unwrap_or(0) + bytes.len() as u64;
        self.starts.push(end);
        Ok(())
    }

    /// All that were taken in.
    pub(crate) fn finish(self) -> Result<ScratchRecords<T>, Error> {
        Ok(ScratchRecords {
            file: self.writer.into_inner().map_err(|e| scratch(e.into_error()))?,
            starts: self.starts,
            of: PhantomData,
        })
    }
}

/// Records by number.
pub(crate) struct ScratchRecords<T> {
    file: File,
    /// Where each record starts, and where the last ends.
    starts: Vec<u64>,
    of: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned> ScratchRecords<T> {
    /// Records.
    pub(crate) fn len(&self) -> u64 {
        self.starts.len() as u64 - 1
    }

    /// Reads one; `None` where there are not so many.
    pub(crate) fn read(&self, number: u64) -> Result<Option<T>, Error> {
        let at = number as usize;
        let (Some(start), Some(end)) = (self.starts.get(at), self.starts.get(at + 1)) else {
            return Ok(None);
        };
        let mut bytes = vec![0; (end - start) as usize];
        self.file.read_exact_at(&mut bytes, *start).map_err(scratch)?;
        Ok(Some(serde_json::from_slice(&bytes)?))
    }

    /// Stores what each record is written as in segments `PREFIX00000000.seg`, `PREFIX00000001.seg` …; those that are there stay.
    pub(crate) async fn publish<W: Serialize>(
        &self,
        blobs: &dyn Blobs,
        prefix: &str,
        written: impl Fn(u64, T) -> W,
    ) -> Result<(), Error> {
        for first in (0..self.len()).step_by(SEGMENT_RECORDS as usize) {
            let last = (first + SEGMENT_RECORDS).min(self.len());
            let mut records = Vec::with_capacity((last - first) as usize);
            for number in first..last {
                if let Some(record) = self.read(number)? {
                    records.push(Record::plain(written(number, record)));
                }
            }
            let bytes = Segment::encode(SegmentKind::Seeds, &records)?;
            let name = format!("{prefix}{:08}.seg", first / SEGMENT_RECORDS);
            blobs.create(&name, bytes).await?;
        }
        Ok(())
    }
}

/// Hands over the records of those of the segments whose names are wanted, in the order of the names.
pub(crate) async fn each_stored<T: DeserializeOwned>(
    blobs: &dyn Blobs,
    names: &[String],
    wanted: fn(&str) -> bool,
    mut take: impl FnMut(T) -> Result<(), Error>,
) -> Result<(), Error> {
    for name in names.iter().filter(|name| wanted(name)) {
        for record in Segment::decode::<T>(SegmentKind::Seeds, &blobs.read(name).await?)? {
            take(record.value)?;
        }
    }
    Ok(())
}
