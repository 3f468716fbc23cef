// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import SSHWire

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// How a command gets the passphrase of the CA's keys.
struct PassphraseOptions: ParsableArguments {
    @Option(
        name: .customLong("passphrase-file"),
        help: ArgumentHelp("Read the passphrase from this file's first line (mode 0600).", valueName: "FILE"))
    var file: String?

    /// The passphrase: from the file, else asked for.
    func obtain(prompt: String) throws -> SecretBytes {
        if let file { return try Passphrase.read(file) }
        return try Terminal.askPassphrase(prompt)
    }
}

enum Passphrase {
    /// The longest one, in bytes.
    static let maximumBytes = 1_024

    /// Reads a file's first line; the rest must be empty.
    static func read(_ path: String) throws -> SecretBytes {
        let content = try FileIO.readSecret(path, maximumBytes: maximumBytes + 1)
        let length = unsafe content.withUnsafeBytes { bytes -> Int? in
            let end = unsafe bytes.firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
            return unsafe end >= bytes.count - 1 ? end : nil
        }
        guard let length, length > 0 else {
            throw Failure("\(path.escapedForTerminal): one line with the passphrase expected")
        }
        return try unsafe SecretBytes(count: length) { target throws(SSHWireError) in
            unsafe content.withUnsafeBytes { unsafe target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<length])) }
        }
    }

    /// Reads up to a line's end, byte by byte, so that nothing of it is left in a buffer elsewhere.
    static func readLine(from descriptor: Int32) throws -> SecretBytes {
        var length = 0
        let line = try unsafe SecretBytes(count: maximumBytes + 1) { target throws(SSHWireError) in
            while length < target.count {
                let count = unsafe read(descriptor, target.baseAddress?.advanced(by: length), 1)
                if count < 0, errno == EINTR { continue }
                guard count == 1, unsafe target[length] != UInt8(ascii: "\n") else { break }
                length += 1
            }
        }
        guard (1...maximumBytes).contains(length) else {
            throw Failure("a passphrase of 1 to \(maximumBytes) bytes is needed")
        }
        return try unsafe SecretBytes(count: length) { target throws(SSHWireError) in
            unsafe line.withUnsafeBytes { unsafe target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<length])) }
        }
    }

    /// True when both hold the same bytes; takes the same time wherever they differ.
    static func areEqual(_ one: SecretBytes, _ other: SecretBytes) -> Bool {
        guard one.count == other.count else { return false }
        var difference: UInt8 = 0
        unsafe one.withUnsafeBytes { first in
            unsafe other.withUnsafeBytes { second in
                for index in 0..<first.count { difference |= unsafe first[index] ^ second[index] }
            }
        }
        return difference == 0
    }
}
