//! gristmill-dataset
