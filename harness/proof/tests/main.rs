//! Proofs on the real sample stack.
