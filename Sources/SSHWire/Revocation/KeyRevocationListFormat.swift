// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

extension KeyRevocationList {
    /// What a KRL starts with.
    static let magic: [UInt8] = Array("SSHKRL\n".utf8) + [0]
    /// The only version of the format.
    static let formatVersion: UInt32 = 1

    /// The types of a list's sections (PROTOCOL.krl, section 1).
    enum SectionType: UInt8 {
        case certificates = 1
        case explicitKeys = 2
        case sha1Fingerprints = 3
        case signature = 4
        case sha256Fingerprints = 5
        case `extension` = 255
    }

    /// The types of the sections inside a certificate section (PROTOCOL.krl, section 2).
    enum CertificateSectionType: UInt8 {
        case serialList = 0x20
        case serialRange = 0x21
        case serialBitmap = 0x22
        case keyIDs = 0x23
        case `extension` = 0x39
    }
}
