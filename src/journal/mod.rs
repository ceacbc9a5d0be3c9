//! The journal: every change of the patient, written down before it is made.
