//! How the big arrays grow.

/// Makes room for `extra` more elements, a quarter more than needed now instead of the usual doubling.
///
/// Arrays of this size are moved by remapping pages, so that more frequent growth is cheap, and it keeps what is
/// reserved close to what is used.
pub(crate) fn reserve_quarter<T>(array: &mut Vec<T>, extra: usize) {
    if array.capacity() - array.len() < extra {
        array.reserve_exact(extra.max(array.len() / 4).max(64));
    }
}

/// Bytes reserved by an array.
pub(crate) const fn bytes<T>(array: &Vec<T>) -> usize {
    array.capacity() * size_of::<T>()
}
