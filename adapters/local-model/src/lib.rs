//! gristmill-local-model
