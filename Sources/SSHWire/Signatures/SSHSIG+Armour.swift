// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

extension SSHSignature {
    private static let header = "-----BEGIN SSH SIGNATURE-----"
    private static let footer = "-----END SSH SIGNATURE-----"
    /// What ssh-keygen puts on a line (`sshbuf_dtob64`); PROTOCOL.sshsig says 76.
    private static let writtenColumns = 70
    private static let readColumns = 76

    /// Parses an armoured signature: the header, lines of base64, the footer, and nothing around them but one line
    /// ending behind (PROTOCOL.sshsig, section 1).
    ///
    /// Lines may be up to 76 characters long and end as on Windows. OpenSSH ignores what follows the footer; here it
    /// is an error, so that a file holds one signature and nothing that looks like a part of it.
    ///
    /// - Throws: `.notCanonical` for text of another form, and what parsing the signature throws.
    public init(armoured content: [UInt8]) throws(SSHWireError) {
        // Base64 takes 4 bytes for 3, and even lines of one character only double that.
        guard content.count <= Limits.sshSignatureBytes * 3 else {
            throw SSHWireError(.tooLong, "SSHSIG: \(content.count) bytes of text")
        }
        let lines = try TextLines(content, "SSHSIG").lines
        guard let first = lines.first, let last = lines.last, lines.count > 2 else {
            throw SSHWireError(.notCanonical, "SSHSIG: header, base64 and footer expected")
        }
        guard first.text.utf8.elementsEqual(Self.header.utf8), last.text.utf8.elementsEqual(Self.footer.utf8)
        else {
            throw SSHWireError(
                .notCanonical, "SSHSIG: it must begin with \(Self.header) and end with \(Self.footer)")
        }
        var base64: [UInt8] = []
        for line in lines.dropFirst().dropLast() {
            let count = line.text.utf8.count
            guard (1...Self.readColumns).contains(count) else {
                throw SSHWireError(
                    .notCanonical, "SSHSIG: a line of \(count) characters, 1 to \(Self.readColumns) expected")
            }
            base64 += Array(line.text.utf8)
        }
        try self.init(encoded: try Base64.decode("SSHSIG", String(decoding: base64, as: UTF8.self)))
    }

    /// The armoured signature as ssh-keygen writes it, with a line ending at the end.
    public var armoured: String {
        let base64 = Array(Base64.encode(encoded).utf8)
        var text = "\(Self.header)\n"
        for start in stride(from: 0, to: base64.count, by: Self.writtenColumns) {
            let line = base64[start..<min(start + Self.writtenColumns, base64.count)]
            text += String(decoding: line, as: UTF8.self) + "\n"
        }
        return text + "\(Self.footer)\n"
    }
}
