// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CSodium
public import SSHWire

/// The serials of an authority: never 0, never the same twice, also when an older database is put back.
///
/// A position is the larger of the one after the last and the current time: seconds since the start of 2026 × 2^20,
/// and the second's milliseconds × 2^10. A database that is restored from an older copy so continues from now, beyond
/// everything that was issued since, as long as under 1,024 serials a millisecond were used and the clock has not been
/// set back behind the last issuance. Positions stay under 2^53 until 2298, so JSON readers that hold numbers as
/// doubles show them right.
public struct SerialSequence: Sendable {
    /// How serials look.
    public enum Order: Sendable, Hashable {
        /// The position itself: sorts by time, and packs into the smallest revocation lists.
        case sequential
        /// A keyed permutation of the position: says nothing about how many certificates there are.
        case random(key: [UInt8])

        /// Refuses a key that has not ``SerialSequence/keyBytes`` bytes: libsodium would read beyond it.
        ///
        /// - Throws: `.storeDamaged`.
        public func check() throws(CertAuthorityError) {
            guard case .random(let key) = self, key.count != SerialSequence.keyBytes else { return }
            throw CertAuthorityError(
                .storeDamaged,
                "serials: a key of \(key.count) bytes, \(SerialSequence.keyBytes) expected")
        }
    }

    /// How they look.
    public let order: Order
    /// The last position that was used, 0 for none.
    public private(set) var position: UInt64

    /// 2026-01-01 00:00:00 UTC.
    static let epoch: UInt64 = 1_767_225_600
    /// The bytes of a key for ``Order/random(key:)``: libsodium's `crypto_shorthash_KEYBYTES`.
    public static let keyBytes = 16

    public init(_ order: Order, position: UInt64) {
        self.order = order
        self.position = position
    }

    /// The next serial.
    ///
    /// - Parameter millisecond: the current one within the second, 0 to 999.
    /// - Throws: `.logInconsistent` when there is no next position, which a sound database never comes to;
    ///   `.storeDamaged` as ``Order/check()`` does.
    public mutating func next(at now: UnixTime, millisecond: UInt64 = 0) throws(CertAuthorityError) -> UInt64
    {
        try order.check()
        while true {
            position = max(try position(1, after: position), Self.floor(at: now, millisecond))
            switch order {
            case .sequential: return position
            case .random(let key):
                let serial = Self.permute(position, key)
                if serial != 0 { return serial }
            }
        }
    }

    /// Moves on beyond whatever a newer database, which is lost, may have given out until now.
    ///
    /// - Parameter lost: how many serials it may have given out that this one does not know.
    /// - Throws: `.logInconsistent` when there are not so many positions left.
    public mutating func skip(_ lost: UInt64, at now: UnixTime, millisecond: UInt64 = 0)
        throws(CertAuthorityError)
    {
        position = try position(lost, after: max(position, Self.floor(at: now, millisecond)))
    }

    /// The first position that a moment has.
    private static func floor(at now: UnixTime, _ millisecond: UInt64) -> UInt64 {
        let seconds = min(now.seconds > epoch ? now.seconds - epoch : 0, 1 << 42)
        return seconds << 20 | (seconds > 0 ? min(millisecond, 999) << 10 : 0)
    }

    private func position(_ step: UInt64, after start: UInt64) throws(CertAuthorityError) -> UInt64 {
        let (moved, overflow) = start.addingReportingOverflow(step)
        guard !overflow, moved < 1 << 63 else {
            throw CertAuthorityError(.logInconsistent, "serials: none is left after \(start)")
        }
        return moved
    }

    /// A permutation of the 64-bit numbers: a Feistel network of eight rounds over SipHash-2-4.
    ///
    /// Being a permutation, it can't give two positions one serial.
    static func permute(_ position: UInt64, _ key: [UInt8]) -> UInt64 {
        var left = UInt32(truncatingIfNeeded: position >> 32)
        var right = UInt32(truncatingIfNeeded: position)
        // The round's number and the half, its lowest byte first.
        var input = [UInt8](repeating: 0, count: 5)
        var hash = [UInt8](repeating: 0, count: 8)
        for round in UInt8(0)..<8 {
            input[0] = round
            for place in 0..<4 { input[1 + place] = UInt8(truncatingIfNeeded: right >> (8 * place)) }
            _ = unsafe crypto_shorthash(&hash, input, UInt64(input.count), key)
            let mixed = hash[..<4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            (left, right) = (right, left ^ mixed)
        }
        return UInt64(left) << 32 | UInt64(right)
    }
}
