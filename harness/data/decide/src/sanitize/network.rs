//! Addresses of machines in place of others, of the same kind and with the same length of their network's part.

use super::key::Key;

/// Writes another address for one of `inet` or `cidr`.
///
/// IPv4 gives 240.0.0.0/4, which nobody has, and IPv6 2001:db8::/32; of a unique column and of networks the addresses themselves are
/// permuted, so that no two become one.
// Source: PostgreSQL, network.c, network_send: family, bits of the network, whether it is cidr, count of bytes, bytes. RFC 1112, 3849.
pub(super) fn address(key: &Key, is_unique: bool, value: &[u8], out: &mut Vec<u8>) {
    let [family, bits, is_cidr, count, bytes @ ..] = value else { return };
    let width = u32::from(*count) * 8;
    let prefix = u32::from(*bits).min(width);
    if bytes.len() != usize::from(*count) || !matches!(width, 32 | 128) {
        // Not an address as it is known: nothing of it goes on.
        return out.extend_from_slice(&[2, 32, 0, 4, 0, 0, 0, 0]);
    }
    let number = bytes.iter().fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    let new = if *is_cidr != 0 {
        let host = width - prefix;
        if prefix == 0 { 0 } else { shifted(key.permute("network", shifted_back(number, host), prefix), host) }
    } else if width == 32 && is_unique {
        key.permute("address", number, 32)
    } else if width == 32 {
        0xf000_0000 | (key.hash("address", bytes) % (1 << 28))
    } else {
        (0x2001_0db8 << 96) | (key.hash("address", bytes) % (1 << 96))
    };
    out.extend_from_slice(&[*family, *bits, *is_cidr, *count]);
    out.extend_from_slice(&new.to_be_bytes()[16 - bytes.len()..]);
}

fn shifted(number: u128, bits: u32) -> u128 {
    number.checked_shl(bits).unwrap_or_default()
}

fn shifted_back(number: u128, bits: u32) -> u128 {
    number.checked_shr(bits).unwrap_or_default()
}

/// Writes another address for one of `macaddr` or `macaddr8`: of no maker, or permuted where no two may become one.
// Source: IEEE 802: the second bit of the first byte is set where no maker gave the address.
pub(super) fn hardware(key: &Key, is_unique: bool, value: &[u8], out: &mut Vec<u8>) {
    let number = value.iter().take(8).fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    let Some(rest) = value.len().checked_sub(1).filter(|rest| *rest < 8) else { return };
    let bits = u32::try_from(rest).unwrap_or_default() * 8;
    let new = if is_unique {
        key.permute("hardware", number, bits + 8)
    } else {
        (0x02 << bits) | (key.hash("hardware", value) % (1 << bits))
    };
    out.extend_from_slice(&new.to_be_bytes()[15 - rest..]);
}
