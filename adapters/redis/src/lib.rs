//! Redis: the ledger, the fleet's limits and the register of runs of a cluster.
