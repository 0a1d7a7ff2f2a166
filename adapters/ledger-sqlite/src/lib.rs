//! gristmill-ledger-sqlite
