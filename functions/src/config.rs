//! The edge's configuration, read once from named settings; every fault is reported, not the first.
