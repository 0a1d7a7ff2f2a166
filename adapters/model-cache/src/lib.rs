//! gristmill-model-cache
