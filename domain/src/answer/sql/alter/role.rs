//! What a column is for.

/// A column by its table's index and its own.
pub(super) type RolePosition = (usize, usize);

/// What a column is for, and so how its values may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Role {
    /// Identifies its row: values stay, and added rows get new ones.
    Key,
    /// Holds a key of another row; `once` where no key occurs twice.
    Link { to: RolePosition, once: bool },
    /// An amount; `distinct` where no value occurs twice.
    Measure { distinct: bool },
    /// Anything else: values change places within their column.
    Category,
}
