//! gristmill-blob
