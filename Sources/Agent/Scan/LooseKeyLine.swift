// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// A line in which a key can be recognised although it is not one that Daypass takes.
///
/// Only for telling people what is there: nothing is ever trusted because of it. What stands before the key is kept as
/// its options, so that `restrict KEY` never looks like a key without restrictions.
struct LooseKeyLine {
    let identity: ScannedKey.Identity
    let options: String
    /// Names of the options in lower case, values left out.
    let optionNames: Set<String>
    let comment: String
    /// True when nothing is wrong with the line but that the key is of a weak type or size.
    let isWeakOnly: Bool

    /// Words of one line that are looked at: a key is the first, or behind its options.
    private static let maximumWords = 64

    init?(_ line: [UInt8]) {
        let words = Self.words(line)
        for (index, word) in words.prefix(Self.maximumWords).enumerated() where index + 1 < words.count {
            let type = String(decoding: line[word], as: UTF8.self)
            guard Self.isTypeName(type), let identity = Self.identity(type, line[words[index + 1]]) else {
                continue
            }
            self.identity = identity
            let start = words.first?.lowerBound ?? 0
            options = String(
                decoding: line[start..<max(start, word.lowerBound)].reversed().drop {
                    $0 == 0x20 || $0 == 0x09
                }
                .reversed(), as: UTF8.self)
            optionNames = Self.names(options)
            comment =
                index + 2 < words.count
                ? String(decoding: line[words[index + 2].lowerBound...].filter { $0 != 0x0d }, as: UTF8.self)
                : ""
            isWeakOnly = Self.isWeak(identity) && Self.optionsMakeSense(options)
            return
        }
        return nil
    }

    /// Words between blanks that are outside of quotes.
    private static func words(_ line: [UInt8]) -> [Range<Int>] {
        var words: [Range<Int>] = []
        var start: Int?
        var isQuoted = false
        for (index, byte) in line.enumerated() {
            let isBlank = !isQuoted && (byte == 0x20 || byte == 0x09 || byte == 0x0d)
            if byte == UInt8(ascii: "\""), index == 0 || line[index - 1] != UInt8(ascii: "\\") {
                isQuoted.toggle()
            }
            if isBlank, let first = start {
                words.append(first..<index)
                start = nil
            } else if !isBlank, start == nil {
                start = index
            }
        }
        if let start { words.append(start..<line.count) }
        return words
    }

    private static func isTypeName(_ text: String) -> Bool {
        let prefixes = ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-", "rsa-sha2-", "webauthn-", "x509v3-"]
        return text.utf8.count <= Limits.nameBytes && prefixes.contains { text.hasPrefix($0) }
    }

    /// The key's own words about itself: a name in front that must be the line's.
    private static func identity(_ type: String, _ base64: ArraySlice<UInt8>) -> ScannedKey.Identity? {
        guard base64.count <= Limits.keyBlobBytes / 3 * 4,
            let blob = try? Base64.decode("key", String(decoding: base64, as: UTF8.self))
        else { return nil }
        var reader = WireReader(blob.span)
        guard let inner = try? reader.readText("key type", upTo: Limits.nameBytes), inner.string == type
        else {
            return nil
        }
        return ScannedKey.Identity(
            type: type, bits: bits(type, &reader), fingerprint: PublicKey.fingerprint(ofBlob: blob))
    }

    private static func bits(_ type: String, _ reader: inout WireReader) -> Int? {
        // An RSA key has its exponent first, a DSA key its prime.
        if type == "ssh-rsa" { _ = try? reader.readString("exponent", upTo: Limits.keyBlobBytes) }
        guard type == "ssh-rsa" || type == "ssh-dss",
            let number = try? reader.readBytes("number", upTo: Limits.keyBlobBytes)
        else { return nil }
        let significant = number.drop { $0 == 0 }
        guard let first = significant.first else { return 0 }
        return significant.count * 8 - first.leadingZeroBitCount
    }

    private static func isWeak(_ identity: ScannedKey.Identity) -> Bool {
        identity.type == "ssh-dss"
            || (identity.type == "ssh-rsa"
                && (identity.bits ?? 0) < Limits.rsaModulusBits.lowerBound && (identity.bits ?? 0) >= 512)
    }

    /// Tries the options before a key that is beyond doubt.
    private static func optionsMakeSense(_ options: String) -> Bool {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB5V7MSPqJ0qVDh2aYkxzcBE1Kz1jaeGqqLqyFgYZZkB"
        return (try? AuthorizedKey(line: options.isEmpty ? key : "\(options) \(key)")) != nil
    }

    private static func names(_ options: String) -> Set<String> {
        var names: Set<String> = []
        var name = ""
        var isQuoted = false
        var isValue = false
        for scalar in options.unicodeScalars {
            if scalar == "\"" { isQuoted.toggle() }
            if scalar == ",", !isQuoted {
                names.insert(name.lowercased())
                (name, isValue) = ("", false)
            } else if scalar == "=" {
                isValue = true
            } else if !isValue {
                name.unicodeScalars.append(scalar)
            }
        }
        names.insert(name.lowercased())
        return names
    }
}

extension PublicKey {
    /// The fingerprint of bytes that may be no key that is supported.
    fileprivate static func fingerprint(ofBlob blob: [UInt8]) -> String {
        "SHA256:" + Base64.encode(Digest.sha256(blob).span, padded: false)
    }
}
