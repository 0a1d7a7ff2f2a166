//! gristmill-endpoint
