// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import COpenSSL

extension Curve {
    /// libcrypto's number for the curve.
    var identifier: Int32 {
        switch self {
        case .p256: NID_X9_62_prime256v1
        case .p384: NID_secp384r1
        case .p521: NID_secp521r1
        }
    }

    /// libcrypto's group. Making one costs more than checking a point, so each is made once.
    fileprivate var group: Group { Self.groups[self == .p256 ? 0 : self == .p384 ? 1 : 2] }

    private static let groups = [Curve.p256, .p384, .p521].map { Group($0.identifier) }
}

/// An `EC_GROUP` that lives as long as the process.
///
/// Sendable: after its creation it is only read, which libcrypto allows from several threads.
@safe private struct Group: @unchecked Sendable {
    let pointer: OpaquePointer?
    /// The group's order less one, big-endian.
    let orderLessOne: [UInt8]

    init(_ identifier: Int32) {
        unsafe pointer = EC_GROUP_new_by_curve_name(identifier)
        guard let order = unsafe BN_dup(unsafe EC_GROUP_get0_order(pointer)) else {
            orderLessOne = []
            return
        }
        unsafe BN_sub_word(order, 1)
        var bytes = [UInt8](repeating: 0, count: Int(unsafe BN_num_bits(order) + 7) / 8)
        _ = unsafe BN_bn2bin(order, &bytes)
        unsafe BN_free(order)
        orderLessOne = bytes
    }
}

/// Refuses a point that OpenSSH refuses (`sshkey_ec_validate_public`): compressed, at infinity, off the curve, or
/// with a coordinate that is too small or not below the group's order less one.
///
/// The curves' cofactor is 1, so a point on the curve has the right order.
func checkPoint(_ point: [UInt8], on curve: Curve) throws(SSHWireError) {
    let size = curve.coordinateBytes
    guard point.count == 2 * size + 1, point.first == 4 else {
        throw SSHWireError(
            .invalidKey,
            "curve point: \(point.count) bytes starting with \(point.first ?? 0), an uncompressed point of "
                + "\(2 * size + 1) bytes expected")
    }
    let group = curve.group
    for coordinate in [Array(point[1...size]), Array(point[(size + 1)...])] {
        guard bitLength(coordinate) > curve.bits / 2, coordinate.lexicographicallyPrecedes(group.orderLessOne)
        else {
            throw SSHWireError(.invalidKey, "curve point: a coordinate is out of range")
        }
    }
    let candidate = unsafe EC_POINT_new(group.pointer)
    defer { unsafe EC_POINT_free(candidate) }
    guard unsafe EC_POINT_oct2point(group.pointer, candidate, point, point.count, nil) == 1 else {
        ERR_clear_error()
        throw SSHWireError(.invalidKey, "curve point: not on \(curve.rawValue)")
    }
}
