//! What parent and child say to each other: frames of a length and a body, over the child's stdin and stdout.

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Bytes of a frame before its body.
pub const LENGTH_BYTES: usize = 4;

fn bad(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// A message with its length in front.
pub fn frame<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let body = postcard::to_stdvec(message).map_err(bad)?;
    let length = u32::try_from(body.len()).map_err(bad)?;
    let mut framed = Vec::with_capacity(LENGTH_BYTES + body.len());
    framed.extend_from_slice(&length.to_le_bytes());
    framed.extend_from_slice(&body);
    Ok(framed)
}

/// The length of a frame's body, unless it is over what is allowed.
pub fn body_length(length: [u8; LENGTH_BYTES], bytes_max: usize) -> io::Result<usize> {
    let length = u32::from_le_bytes(length) as usize;
    if length > bytes_max {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a frame of {length} bytes where {bytes_max} are allowed"),
        ));
    }
    Ok(length)
}

/// The message that a frame's body holds.
pub fn message<T: DeserializeOwned>(body: &[u8]) -> io::Result<T> {
    postcard::from_bytes(body).map_err(bad)
}

/// Reads a frame; `None` where the other side has closed in between frames.
pub fn read<T: DeserializeOwned>(from: &mut impl Read, bytes_max: usize) -> io::Result<Option<T>> {
    let mut length = [0; LENGTH_BYTES];
    match from.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let mut body = vec![0; body_length(length, bytes_max)?];
    from.read_exact(&mut body)?;
    message(&body).map(Some)
}

/// Writes a frame.
pub fn write<T: Serialize>(to: &mut impl Write, message: &T) -> io::Result<()> {
    to.write_all(&frame(message)?)?;
    to.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_whole_or_not_at_all() {
        let mut bytes = frame(&("a", 1.5_f64)).unwrap();
        bytes.extend(frame(&("b", f64::INFINITY)).unwrap());
        let mut from = bytes.as_slice();
        let read = |from: &mut &[u8]| super::read::<(String, f64)>(from, 64).unwrap();
        assert_eq!(read(&mut from), Some(("a".into(), 1.5)));
        assert_eq!(read(&mut from), Some(("b".into(), f64::INFINITY)));
        assert_eq!(read(&mut from), None);
        let cut = &bytes[..6];
        assert!(super::read::<(String, f64)>(&mut &*cut, 64).is_err());
        let long = super::read::<(String, f64)>(&mut bytes.as_slice(), 4).unwrap_err();
        assert!(long.to_string().contains("4 are allowed"), "{long}");
    }
}
