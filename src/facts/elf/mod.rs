//! The dynamic loader, asked about a root that is not running.
