//! gristmill-queue-memory
