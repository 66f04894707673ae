//! What the tests of the client share.
