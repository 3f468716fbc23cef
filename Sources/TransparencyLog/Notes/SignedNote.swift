// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A text with signature lines that nobody has verified yet (C2SP signed-note).
///
/// ```
/// This is an example message.
///
/// — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
/// ```
///
/// What the text says means nothing before ``verified(by:)`` has returned it as a ``VerifiedNote``.
public struct SignedNote: Hashable, Sendable {
    /// The text with its final newline: what was signed. Not to be trusted.
    public let unverifiedText: [UInt8]
    /// The signatures, in their order; 1...``LogLimits/noteSignatures``.
    public let signatures: [NoteSignature]

    /// Joins a text and its signatures.
    ///
    /// Throws `.notText` for a text that is not UTF-8 or holds a control character other than newline, `.malformed`
    /// for one that does not end in a newline and for no signatures, `.tooLong` above ``LogLimits/noteSignatures``
    /// signatures or ``LogLimits/noteBytes`` bytes in all.
    public init(text: [UInt8], signatures: [NoteSignature]) throws(TransparencyLogError) {
        try Self.checkText(text)
        guard text.last == UInt8(ascii: "\n") else {
            throw TransparencyLogError(.malformed, "note: its text does not end in a newline")
        }
        guard !signatures.isEmpty else { throw TransparencyLogError(.malformed, "note: it has no signature") }
        guard signatures.count <= LogLimits.noteSignatures else { throw Self.tooManySignatures }
        self.unverifiedText = text
        self.signatures = signatures
        try Self.checkSize(bytes.count)
    }

    /// Reads a note to its last byte; whatever is accepted has ``bytes`` equal to the input.
    ///
    /// Throws as ``init(text:signatures:)`` and ``NoteSignature/init(line:)`` do.
    public init(_ bytes: Span<UInt8>) throws(TransparencyLogError) {
        try Self.checkSize(bytes.count)
        let bytes = [UInt8](copying: bytes)
        try Self.checkText(bytes)
        // The last empty line separates: the text may hold others.
        guard let separator = Self.lastEmptyLine(bytes) else {
            throw TransparencyLogError(.malformed, "note: no empty line separates a text from signatures")
        }
        var lines = Lines(Array(bytes[(separator + 1)...]))
        var signatures: [NoteSignature] = []
        while !lines.isAtEnd {
            guard signatures.count < LogLimits.noteSignatures else { throw Self.tooManySignatures }
            signatures.append(try NoteSignature(line: try lines.next("note signature")))
        }
        try self.init(text: Array(bytes[..<separator]), signatures: signatures)
    }

    /// The note as a file: the text, an empty line, the signature lines.
    public var bytes: [UInt8] {
        var bytes = unverifiedText
        bytes.append(UInt8(ascii: "\n"))
        for signature in signatures { bytes += Array(signature.line.utf8) + [UInt8(ascii: "\n")] }
        return bytes
    }

    /// The note with more signatures after its own, for example a witness's.
    ///
    /// Throws `.tooLong` as ``init(text:signatures:)`` does.
    public func adding(_ more: [NoteSignature]) throws(TransparencyLogError) -> SignedNote {
        try SignedNote(text: unverifiedText, signatures: signatures + more)
    }

    /// Where the empty line's newline is, which follows another newline.
    private static func lastEmptyLine(_ bytes: [UInt8]) -> Int? {
        bytes.indices.dropFirst().last {
            bytes[$0] == UInt8(ascii: "\n") && bytes[$0 - 1] == UInt8(ascii: "\n")
        }
    }

    private static func checkText(_ bytes: [UInt8]) throws(TransparencyLogError) {
        for (index, byte) in bytes.enumerated() where byte < 0x20 && byte != UInt8(ascii: "\n") {
            throw TransparencyLogError(
                .notText,
                "note: byte \(index) is the control character 0x\(hexadecimal(UInt64(byte), digits: 2))")
        }
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw TransparencyLogError(.notText, "note: it is not UTF-8")
        }
    }

    private static func checkSize(_ count: Int) throws(TransparencyLogError) {
        guard count <= LogLimits.noteBytes else {
            throw TransparencyLogError(
                .tooLong, "note: \(count) bytes, at most \(LogLimits.noteBytes) are allowed")
        }
    }

    private static var tooManySignatures: TransparencyLogError {
        TransparencyLogError(.tooLong, "note: more than \(LogLimits.noteSignatures) signatures")
    }
}
