//! gristmill-tests
