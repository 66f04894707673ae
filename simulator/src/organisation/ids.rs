//! The ids of an organisation: the same seed and the same calls give the same ones.

use super::Organisation;
use super::person::Id;

impl Organisation {
    /// Gives the id of the organisation itself.
    pub(crate) fn own_id(&self) -> Id {
        self.numbered_id(u64::MAX)
    }

    /// Gives the id of the only business unit.
    pub(crate) fn business_unit(&self) -> Id {
        self.numbered_id(u64::MAX - 1)
    }

    /// Gives the id of the role that the OAuth client holds.
    pub(crate) fn client_role(&self) -> Id {
        self.numbered_id(u64::MAX - 2)
    }

    /// Gives the id of an audit record or query, from a row of its own: the ids of what tests add must not depend on
    /// the calls made in between.
    pub(super) fn audit_id(&self, number: u64) -> Id {
        self.numbered_id((1 << 48) + number)
    }

    /// Gives an id that was not given yet.
    pub(super) fn next_id(&mut self) -> Id {
        self.ids_given += 1;
        self.numbered_id(self.ids_given)
    }

    fn numbered_id(&self, number: u64) -> Id {
        let high = scramble(self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ number);
        let low = scramble(high ^ number.rotate_left(32));
        uuid::Builder::from_u128((u128::from(high) << 64) | u128::from(low))
            .with_version(uuid::Version::Random)
            .with_variant(uuid::Variant::RFC4122)
            .into_uuid()
            .to_string()
    }
}

/// Spreads a counter over 64 bits (the finalizer of SplitMix64).
fn scramble(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}
