// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CSodium

/// True when both are the same bytes; how long it takes does not say where they differ.
public func areEqualInConstantTime(_ one: [UInt8], _ other: [UInt8]) -> Bool {
    guard one.count == other.count else { return false }
    return unsafe sodium_memcmp(one, other, one.count) == 0
}
