//! Measures of diversity and coverage: pure arithmetic over vectors and texts.
