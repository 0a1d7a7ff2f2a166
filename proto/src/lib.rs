//! gristmill-proto
