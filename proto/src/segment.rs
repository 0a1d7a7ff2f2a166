//! Segments: numbered, immutable files of records, whole or not there.
//!
//! Layout: `GMSEG1\n`, the length of the header (u32, little endian), the header (protobuf), the records (zstd of
//! length-delimited protobuf). The header carries a digest of the compressed records, so that damage is found and named.

use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::task::{pack, unpack};
use crate::{Error, VERSION, v1};

const MAGIC: &[u8] = b"GMSEG1\n";
const WHAT: &str = "segment";
/// Fast, and half the size of what it gets.
const ZSTD_LEVEL: i32 = 3;

/// What a segment's records are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentKind {
    /// Seeds with their splits, in the order of their ordinals.
    Seeds,
    /// Plans of rounds.
    Plans,
    /// Absorbed task results, in the order of absorption.
    Results,
    /// Decided rows, in the order of their candidates.
    Rows,
    /// Tasks of a batch that is handed in at a provider.
    Batches,
}

impl SegmentKind {
    /// Name in headers and file names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Seeds => "seeds",
            Self::Plans => "plans",
            Self::Results => "results",
            Self::Rows => "rows",
            Self::Batches => "batches",
        }
    }
}

/// One record: a value, with vectors beside it where it has some.
#[derive(Debug, Clone, PartialEq)]
pub struct Record<T> {
    /// The value.
    pub value: T,
    /// Its vectors.
    pub vectors: Vec<Vec<f32>>,
}

impl<T> Record<T> {
    /// A record without vectors.
    pub fn plain(value: T) -> Self {
        Self {
            value,
            vectors: Vec::new(),
        }
    }
}

/// The header, checked for its version, and what comes after it.
fn head(bytes: &[u8]) -> Result<(v1::SegmentHeader, &[u8]), Error> {
    let damaged = |detail: &str| Error::Damaged {
        what: WHAT,
        detail: detail.to_owned(),
    };
    let rest = bytes
        .strip_prefix(MAGIC)
        .ok_or_else(|| damaged("it does not start as a segment does"))?;
    let (length, rest) = rest
        .split_first_chunk::<4>()
        .ok_or_else(|| damaged("it ends in its header"))?;
    let length = u32::from_le_bytes(*length) as usize;
    if rest.len() < length {
        return Err(damaged("it ends in its header"));
    }
    let (header, body) = rest.split_at(length);
    let header =
        v1::SegmentHeader::decode(header).map_err(|source| Error::Protobuf { what: WHAT, source })?;
    if header.version != VERSION {
        return Err(Error::Version {
            what: WHAT,
            found: header.version,
        });
    }
    Ok((header, body))
}

fn check_digest(header: &v1::SegmentHeader, body: &[u8]) -> Result<(), Error> {
    if header.digest == blake3::hash(body).as_bytes() {
        return Ok(());
    }
    Err(Error::Damaged {
        what: WHAT,
        detail: "its contents do not match their digest".into(),
    })
}

/// A segment's contents.
#[derive(Debug)]
pub struct Segment;

impl Segment {
    /// Encodes records into a segment file's bytes.
    pub fn encode<T: Serialize>(kind: SegmentKind, records: &[Record<T>]) -> Result<Vec<u8>, Error> {
        let mut plain = Vec::new();
        for record in records {
            let json =
                serde_json::to_vec(&record.value).map_err(|source| Error::Json { what: WHAT, source })?;
            let vectors = (!record.vectors.is_empty()).then(|| pack(&record.vectors));
            plain.extend(v1::SegmentRecord { json, vectors }.encode_length_delimited_to_vec());
        }
        let damaged = |e: std::io::Error| Error::Damaged {
            what: WHAT,
            detail: e.to_string(),
        };
        let body = zstd::encode_all(plain.as_slice(), ZSTD_LEVEL).map_err(damaged)?;
        let header = v1::SegmentHeader {
            version: VERSION,
            kind: kind.name().into(),
            records: u32::try_from(records.len()).unwrap_or(u32::MAX),
            digest: blake3::hash(&body).as_bytes().to_vec(),
        }
        .encode_to_vec();
        let mut bytes = Vec::with_capacity(MAGIC.len() + 4 + header.len() + body.len());
        bytes.extend(MAGIC);
        bytes.extend(u32::try_from(header.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend(header);
        bytes.extend(body);
        Ok(bytes)
    }

    /// Records that a segment file holds, by its header.
    pub fn count(bytes: &[u8]) -> Result<u64, Error> {
        Ok(head(bytes)?.0.records.into())
    }

    /// Checks a segment file's bytes against their digest, without decoding its records.
    ///
    /// # Errors
    /// What is damaged, or of another version.
    pub fn check(bytes: &[u8]) -> Result<(), Error> {
        let (header, body) = head(bytes)?;
        check_digest(&header, body)
    }

    /// Decodes a segment file's bytes, having checked their digest.
    pub fn decode<T: DeserializeOwned>(kind: SegmentKind, bytes: &[u8]) -> Result<Vec<Record<T>>, Error> {
        let damaged = |detail: String| Error::Damaged { what: WHAT, detail };
        let (header, body) = head(bytes)?;
        if header.kind != kind.name() {
            return Err(damaged(format!("it holds {}, not {}", header.kind, kind.name())));
        }
        check_digest(&header, body)?;
        let plain = zstd::decode_all(body).map_err(|e| damaged(e.to_string()))?;
        let mut rest = plain.as_slice();
        let mut records = Vec::with_capacity(header.records as usize);
        while !rest.is_empty() {
            let wire = v1::SegmentRecord::decode_length_delimited(&mut rest)
                .map_err(|source| Error::Protobuf { what: WHAT, source })?;
            let value =
                serde_json::from_slice(&wire.json).map_err(|source| Error::Json { what: WHAT, source })?;
            let vectors = wire
                .vectors
                .map_or(Ok(Vec::new()), |packed| unpack(&packed, WHAT))?;
            records.push(Record { value, vectors });
        }
        if records.len() != header.records as usize {
            return Err(damaged(format!(
                "{} records instead of {}",
                records.len(),
                header.records
            )));
        }
        Ok(records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_round_trips_and_damage_is_found() {
        let records = vec![
            Record {
                value: "a".to_owned(),
                vectors: vec![vec![0.1, 0.2], vec![0.3, 0.4]],
            },
            Record::plain("b".to_owned()),
        ];
        let mut bytes = Segment::encode(SegmentKind::Rows, &records).unwrap();
        assert_eq!(
            Segment::decode::<String>(SegmentKind::Rows, &bytes).unwrap(),
            records
        );
        assert!(
            Segment::decode::<String>(SegmentKind::Seeds, &bytes).is_err(),
            "another kind"
        );
        for i in 0..bytes.len() {
            assert!(
                Segment::decode::<String>(SegmentKind::Rows, &bytes[..i]).is_err(),
                "cut at {i}"
            );
        }
        Segment::check(&bytes).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        assert!(Segment::check(&bytes).is_err());
        assert!(
            Segment::decode::<String>(SegmentKind::Rows, &bytes)
                .unwrap_err()
                .to_string()
                .contains("digest")
        );
    }
}
