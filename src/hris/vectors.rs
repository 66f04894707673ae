//! Signature vectors.
