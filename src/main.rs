//! The binary: PID 1 or command line.

fn main() {}
