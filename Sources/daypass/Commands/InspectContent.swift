// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import CommandSupport
import SSHWire

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Something that `inspect` can show, as it was found in a file.
struct InspectedItem {
    /// What it is.
    enum Subject {
        case certificate(Certificate)
        case key(PublicKey)
        case revocationList(KeyRevocationList, bytes: Int)
        case signature(SSHSignature)
    }

    let subject: Subject
    /// Free text that came with it.
    var comment: ExactText = ""
    /// Its line, counted from 1, where a file holds several.
    var line: Int?
    /// What authorized_keys lets the key do, as it stands there.
    var options: String?
    /// Whom known_hosts or allowed_signers names for the key, with the marker before it.
    var names: String?
}

/// What a file holds, found out from its content and never from its name.
struct InspectedContent {
    /// What can be shown, in the file's order.
    private(set) var items: [InspectedItem] = []
    /// Lines that can't be read, and why.
    private(set) var problems: [(line: Int, reason: String)] = []

    /// The largest input, in bytes: what sshd loads of a revocation list, the largest of all kinds.
    static let maximumBytes = Limits.krlBytes

    /// Tells the kinds apart.
    ///
    /// - Throws: when nothing in it can be shown, or when it is a private key, of which nothing is quoted.
    init(_ bytes: [UInt8]) throws(SSHWireError) {
        guard !bytes.isEmpty else { throw SSHWireError(.truncated, "nothing in it") }
        if bytes.starts(with: "SSHKRL\n".utf8) {
            let list = try KeyRevocationList(encoded: bytes)
            items = [InspectedItem(subject: .revocationList(list, bytes: bytes.count))]
        } else if bytes.starts(with: "-----BEGIN SSH SIGNATURE".utf8) {
            items = [InspectedItem(subject: .signature(try SSHSignature(armoured: bytes)))]
        } else if bytes.starts(with: "SSHSIG".utf8) {
            items = [InspectedItem(subject: .signature(try SSHSignature(encoded: bytes)))]
        } else if bytes.starts(with: "openssh-key-v1\0".utf8) {
            throw Self.privateKey
        } else if bytes.starts(with: [0, 0, 0]) {
            // A blob as it is inside the base64: a name of under 256 bytes comes first.
            items = [InspectedItem(try KeyOrCertificate(encoded: bytes))]
        } else {
            try readLines(bytes)
        }
    }

    private static var privateKey: SSHWireError {
        SSHWireError(
            .unsupportedType,
            "this is a private key, nothing of it is shown; its public half is in the .pub file beside it, or "
                + "ssh-keygen -y prints it")
    }

    private mutating func readLines(_ bytes: [UInt8]) throws(SSHWireError) {
        guard bytes.count <= Limits.textFileBytes else {
            throw SSHWireError(
                .tooLong, "\(bytes.count) bytes of text, at most \(Limits.textFileBytes) are read")
        }
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        guard lines.count <= Limits.textFileLines else {
            throw SSHWireError(.tooLong, "\(lines.count) lines, at most \(Limits.textFileLines) are read")
        }
        // Looked for in every line: attributes or other keys may stand before it.
        guard !lines.contains(where: Self.beginsPrivateKey) else { throw Self.privateKey }
        var first: (line: Int, error: SSHWireError)?
        for (index, line) in lines.enumerated() where !Self.isBlankOrComment(line) {
            do {
                var item = try Self.readLine(line)
                item.line = index + 1
                items.append(item)
            } catch {
                if first == nil { first = (index + 1, error) }
                problems.append((index + 1, error.reason))
                // What the first lines don't make a list of keys is none.
                if items.isEmpty, problems.count == 100 { break }
            }
        }
        if items.isEmpty {
            guard let first else { throw SSHWireError(.truncated, "only blank lines and comments in it") }
            throw SSHWireError(
                first.error.code,
                first.line == 1 ? first.error.reason : "line \(first.line): \(first.error.reason)")
        }
        if items.count == 1, problems.isEmpty { items[0].line = nil }
    }

    private static func readLine(_ bytes: ArraySlice<UInt8>) throws(SSHWireError) -> InspectedItem {
        let bytes = bytes.last == UInt8(ascii: "\r") ? bytes.dropLast() : bytes
        guard let text = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
            throw SSHWireError(
                .notText, "\(nothingKnown): bytes that are no text")
        }
        do throws(SSHWireError) {
            let line = try PublicKeyLine(text)
            return InspectedItem(line.content, comment: line.comment)
        } catch {
            if let item = readListedKey(text) { return item }
            let word = String(text.prefix { $0 != " " && $0 != "\t" })
            let isKey = KeyType(rawValue: word) != nil || KeyType(certificateName: word) != nil
            guard error.code == .unsupportedType, !isKey, word != "ssh-dss", !text.hasPrefix("--") else {
                throw error
            }
            throw SSHWireError(.unsupportedType, "\(nothingKnown): \(error.reason)")
        }
    }

    private static let nothingKnown = "no public key, certificate, revocation list or signature"

    /// A key with something before it: options, host names, a signer's names.
    private static func readListedKey(_ text: String) -> InspectedItem? {
        let authorized = try? AuthorizedKey(line: text)
        // Names of hosts look like options that nobody knows.
        if let authorized, authorized.options.unknownNames.isEmpty {
            return InspectedItem(
                subject: .key(authorized.key), comment: authorized.comment, options: authorized.options.text)
        }
        if let known = try? KnownHost(line: text) {
            let hosts = if case .patterns(let list) = known.hosts { list.text } else { "a hashed name" }
            let marker = known.marker == .host ? "" : known.marker.rawValue + " "
            return InspectedItem(subject: .key(known.key), comment: known.comment, names: marker + hosts)
        }
        if let signer = try? AllowedSigner(line: text) {
            return InspectedItem(
                subject: .key(signer.key), comment: signer.comment, names: signer.principals.text)
        }
        return authorized.map {
            InspectedItem(subject: .key($0.key), comment: $0.comment, options: $0.options.text)
        }
    }

    private static func isBlankOrComment(_ line: ArraySlice<UInt8>) -> Bool {
        let first = line.first { $0 != 0x20 && $0 != 0x09 && $0 != 0x0d }
        return first == nil || first == UInt8(ascii: "#")
    }

    private static func beginsPrivateKey(_ line: ArraySlice<UInt8>) -> Bool {
        if line.starts(with: "PuTTY-User-Key-File".utf8) { return true }
        guard line.starts(with: "----".utf8), line.count <= 128 else { return false }
        let text = String(decoding: line, as: UTF8.self)
        return text.contains("BEGIN") && text.contains("PRIVATE KEY")
    }
}

extension InspectedItem {
    init(_ content: KeyOrCertificate, comment: ExactText = "") {
        switch content {
        case .key(let key): self.init(subject: .key(key), comment: comment)
        case .certificate(let certificate): self.init(subject: .certificate(certificate), comment: comment)
        }
    }
}

/// Input by name; `-` is standard input.
enum InputFile {
    /// Everything in it.
    ///
    /// - Throws: when it can't be read or is longer than `maximumBytes`.
    static func read(_ path: String, maximumBytes: Int) throws -> [UInt8] {
        guard path == "-" else { return try FileIO.read(path, maximumBytes: maximumBytes) }
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = unsafe systemRead(STDIN_FILENO, &chunk, chunk.count)
            if count == 0 { return content }
            guard count > 0 else {
                if errno == EINTR { continue }
                throw Failure("cannot read standard input: \(describeSystemError(errno))")
            }
            guard content.count + count <= maximumBytes else {
                throw Failure("standard input: over \(maximumBytes) bytes, which nothing sensible here is")
            }
            content += chunk[..<count]
        }
    }

    /// The name in messages, escaped.
    static func name(_ path: String) -> String { path == "-" ? "standard input" : path.escapedForTerminal }
}

/// read(2), which a method of the same name would hide.
private func systemRead(_ descriptor: Int32, _ target: UnsafeMutableRawPointer, _ count: Int) -> Int {
    unsafe read(descriptor, target, count)
}
