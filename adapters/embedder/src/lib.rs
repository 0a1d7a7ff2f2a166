//! gristmill-embedder
