//! Traces, metrics and logs for those who operate a cluster.
