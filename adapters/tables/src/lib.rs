//! gristmill-tables
