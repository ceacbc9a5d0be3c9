//! Lifeboot as PID 1 of its own rescue image.
