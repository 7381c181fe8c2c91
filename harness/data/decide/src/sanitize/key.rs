//! The key, and what is derived from it: hashes, and numbers in place of numbers.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher24};

/// What makes replacements the environment's own.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; 16]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl Key {
    /// Makes a key of 16 secret bytes.
    #[must_use]
    pub fn new(bytes: [u8; 16]) -> Self {
        Key(bytes)
    }

    /// Returns 128 bits of a value; `domain` keeps rules apart.
    #[must_use]
    pub fn hash(&self, domain: &str, value: &[u8]) -> u128 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(domain.as_bytes());
        hasher.write(&[0]);
        hasher.write(value);
        hasher.finish128().as_u128()
    }

    /// Returns another number below 2^`bits` for one below it: no two numbers give the same one.
    // Source: a Feistel network is a permutation whatever its round function; cycle walking keeps it within the range.
    #[must_use]
    pub fn permute(&self, domain: &str, number: u128, bits: u32) -> u128 {
        let half = bits.div_ceil(2);
        let mask = (1_u128 << half) - 1;
        let mut value = number;
        loop {
            let (mut left, mut right) = (value >> half, value & mask);
            for round in 0..6_u8 {
                let mut input = [round; 9];
                input[1..].copy_from_slice(&u64::try_from(right).unwrap_or_default().to_be_bytes());
                (left, right) = (right, left ^ ((self.hash(domain, &input) >> 64) & mask));
            }
            value = (left << half) | right;
            if bits >= 128 || value < (1_u128 << bits) {
                return value;
            }
        }
    }

    /// Returns another number below `count` for one below it: no two numbers give the same one.
    #[must_use]
    pub fn permute_below(&self, domain: &str, number: u128, count: u128) -> u128 {
        let bits = 128 - count.saturating_sub(1).leading_zeros();
        if bits == 0 {
            return number;
        }
        let mut value = number;
        loop {
            value = self.permute(domain, value, bits);
            if value < count {
                return value;
            }
        }
    }
}
