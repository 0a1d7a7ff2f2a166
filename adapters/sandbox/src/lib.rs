//! gristmill-sandbox
