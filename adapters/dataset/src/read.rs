//! Reads back what was written, in small batches.

use std::fs::File;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;

use crate::decode::{Decode, Mismatch};
use crate::error::Error;
use crate::row::{DatasetRow, Rejected};

/// Aim for a batch's uncompressed size, from the averages in the footer.
const BATCH_BYTES: i64 = 4 * 1024 * 1024;

/// Rows of one Parquet file; holds one batch of them. Ends behind the first error.
pub struct Rows<T> {
    file: PathBuf,
    batches: ParquetRecordBatchReader,
    decoded: std::vec::IntoIter<T>,
    rows: u64,
    failed: bool,
    of: PhantomData<T>,
}

impl<T> std::fmt::Debug for Rows<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows")
            .field("file", &self.file)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

/// Reads the rows of a split's file, in any layout. A system message that a layout of single texts merged into the
/// question stays there.
///
/// # Errors
/// [`Error::Io`] and [`Error::Parquet`] here and for each row, [`Error::Column`] with the first row of a foreign file.
pub fn read_rows(file: &Path) -> Result<Rows<DatasetRow>, Error> {
    Rows::open(file)
}

/// Reads `rejected.parquet`.
///
/// # Errors
/// As [`read_rows`].
pub fn read_rejected(file: &Path) -> Result<Rows<Rejected>, Error> {
    Rows::open(file)
}

impl<T> Rows<T> {
    fn open(file: &Path) -> Result<Self, Error> {
        let handle = File::open(file).map_err(Error::at(file, "open it"))?;
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(handle, options)
            .map_err(|e| Error::parquet(file, e))?;
        let groups = builder.metadata().row_groups();
        let bytes = groups
            .iter()
            .map(|group| group.total_byte_size().max(0))
            .fold(0, i64::saturating_add);
        let rows = builder.metadata().file_metadata().num_rows().max(0);
        let batch_rows = (BATCH_BYTES / (bytes / rows.max(1)).max(1)).clamp(1, 1_000);
        let builder = builder.with_batch_size(usize::try_from(batch_rows).unwrap_or(1));
        Ok(Self {
            file: file.to_owned(),
            batches: builder.build().map_err(|e| Error::parquet(file, e))?,
            decoded: Vec::new().into_iter(),
            rows: rows.unsigned_abs(),
            failed: false,
            of: PhantomData,
        })
    }

    /// Rows in the file, as its footer says.
    pub fn total(&self) -> u64 {
        self.rows
    }
}

// The trait is an inner matter: only the two row types above can be read.
#[allow(private_bounds)]
impl<T: Decode> Rows<T> {
    fn decode(&self, batch: &RecordBatch) -> Result<Vec<T>, Error> {
        T::decode(batch).map_err(|Mismatch { column, expected }| Error::Column {
            file: self.file.clone(),
            column,
            expected,
        })
    }
}

#[allow(private_bounds)]
impl<T: Decode> Iterator for Rows<T> {
    type Item = Result<T, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.decoded.next() {
                return Some(Ok(row));
            }
            if self.failed {
                return None;
            }
            let batch = match self.batches.next()? {
                Ok(batch) => self.decode(&batch),
                Err(error) => Err(Error::parquet(&self.file, ParquetError::from(error))),
            };
            match batch {
                Ok(rows) => self.decoded = rows.into_iter(),
                Err(error) => {
                    self.failed = true;
                    return Some(Err(error));
                }
            }
        }
    }
}
