//! gristmill-index
