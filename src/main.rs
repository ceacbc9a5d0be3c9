//! The binary: PID 1 or command line.

fn main() {
    if lifeboot::init::is_our_role() {
        lifeboot::init::run();
    }
}
