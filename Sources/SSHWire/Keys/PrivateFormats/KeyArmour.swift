// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CSodium

/// The text around a private key's bytes: `-----BEGIN label-----`, perhaps headers, base64, `-----END label-----`
/// (RFC 7468; RFC 1421, section 4.6 for the headers). Positions are in bytes of the file.
struct KeyArmour {
    /// What the file says it holds: "OPENSSH PRIVATE KEY", "PRIVATE KEY", …
    let label: String
    /// `Name: value` lines before the base64, which only the old encrypted PEM form has.
    let headers: [String]
    /// Where the base64 is.
    let body: Range<Int>

    /// Finds the armour of the only private key in `file`.
    ///
    /// Text before it is passed over, as openssl writes attributes there, and so is an "EC PARAMETERS" block. After
    /// it only white space may come: with two keys in a file nobody could say which one is meant.
    ///
    /// - Throws: what the file is when it is something else (``notAPrivateKey(_:)``).
    init(_ file: Span<UInt8>) throws(SSHWireError) {
        guard file.count <= Limits.privateKeyFileBytes else {
            throw SSHWireError(
                .tooLong,
                "private key file: \(file.count) bytes, at most \(Limits.privateKeyFileBytes) are allowed")
        }
        var lines = SecretLines(file)
        label = try Self.findBegin(&lines)
        headers = Self.readHeaders(&lines)
        let start = lines.next
        body = start..<(try Self.findEnd(of: label, &lines))
        guard lines.onlyBlanksFollow else {
            throw SSHWireError(
                .trailingBytes, "private key file: more text follows the key, a file with one key expected")
        }
    }

    /// Decodes the base64 between the lines, from guarded memory into guarded memory.
    func decode(_ file: SecretBytes) throws(SSHWireError) -> SecretBytes {
        try unsafe SecretBytes(upTo: body.count / 4 * 3 + 3) { output throws(SSHWireError) in
            try unsafe file.withUnsafeBytes { (input) throws(SSHWireError) in
                var count = 0
                guard body.upperBound <= input.count else {
                    throw SSHWireError(.truncated, "private key file: shorter than it was")
                }
                // libsodium 1.0.18 takes some bytes over 127 for letters, and NUL for something to skip.
                var isText = true
                for index in body { unsafe isText = isText && (1..<128).contains(input[index]) }
                guard isText, let text = unsafe input.assumingMemoryBound(to: CChar.self).baseAddress,
                    let bytes = unsafe output.assumingMemoryBound(to: UInt8.self).baseAddress,
                    unsafe sodium_base642bin(
                        bytes, output.count, text + body.lowerBound, body.count, "\r\n", &count, nil,
                        sodium_base64_VARIANT_ORIGINAL) == 0
                else {
                    throw SSHWireError(
                        .notCanonical,
                        "private key file: what is between its first and last line is not base64")
                }
                return count
            }
        }
    }
}

extension KeyArmour {
    /// Moves behind the BEGIN line and returns its label.
    private static func findBegin(_ lines: inout SecretLines) throws(SSHWireError) -> String {
        while let line = lines.read() {
            guard let label = boundary("-----BEGIN ", lines, line) else { continue }
            guard label == "EC PARAMETERS" else { return label }
            _ = try findEnd(of: label, &lines)
        }
        throw notAPrivateKey(lines)
    }

    /// Moves behind the END line and returns where it starts.
    private static func findEnd(of label: String, _ lines: inout SecretLines) throws(SSHWireError) -> Int {
        while let line = lines.read() {
            if boundary("-----END ", lines, line) == label { return line.lowerBound }
        }
        throw SSHWireError(.truncated, "private key file: the line \"-----END \(label)-----\" is missing")
    }

    /// Moves behind the headers and the blank line after them. A line of base64 has no colon and is not copied.
    private static func readHeaders(_ lines: inout SecretLines) -> [String] {
        var headers: [String] = []
        var start = lines.next
        while headers.count < 8, let line = lines.read() {
            guard lines.line(line, contains: UInt8(ascii: ":")), let header = lines.copy(line, upTo: 128)
            else {
                if !headers.isEmpty, line.isEmpty { start = lines.next }
                break
            }
            headers.append(header)
            start = lines.next
        }
        lines.next = start
        return headers
    }

    /// The label of a BEGIN or END line.
    private static func boundary(_ prefix: String, _ lines: borrowing SecretLines, _ line: Range<Int>)
        -> String?
    {
        guard lines.line(line, startsWith: prefix), let text = lines.copy(line, upTo: 80),
            text.hasSuffix("-----"), text.utf8.count > prefix.utf8.count + 5
        else { return nil }
        return String(text.dropFirst(prefix.count).dropLast(5))
    }

    /// Says what a file without a BEGIN line is.
    private static func notAPrivateKey(_ lines: borrowing SecretLines) -> SSHWireError {
        let file = 0..<lines.text.count
        if lines.line(file, startsWith: "PuTTY-User-Key-File") {
            return SSHWireError(
                .unsupportedType,
                "private key file: in PuTTY's format; PuTTYgen exports it as an OpenSSH key")
        }
        if lines.line(file, startsWith: "---- BEGIN SSH2 ") {
            return SSHWireError(.typeMismatch, "private key file: this is a public key (RFC 4716)")
        }
        if lines.line(file, startsWith: "openssh-key-v1\0") {
            return SSHWireError(.invalidValue, "private key file: an OpenSSH key without its lines of text")
        }
        for type in KeyType.allCases {
            if lines.line(file, startsWith: type.certificateName + " ") {
                return SSHWireError(
                    .typeMismatch, "private key file: this is a certificate (\(type.certificateName))")
            }
            if lines.line(file, startsWith: type.rawValue + " ") {
                return SSHWireError(
                    .typeMismatch,
                    "private key file: this is a public key (\(type.rawValue)); the private one is usually in the "
                        + "file without .pub")
            }
        }
        return SSHWireError(.invalidValue, "private key file: no line \"-----BEGIN … PRIVATE KEY-----\"")
    }
}
