//! gristmill-jobfile
