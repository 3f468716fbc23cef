// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CertAuthorityStore
import CommandSupport
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

    /// A passphrase for a key that is made now: asked for twice.
    func obtainNew(prompt: String) throws -> SecretBytes {
        if let file { return try Passphrase.read(file) }
        let first = try Terminal.askPassphrase(prompt)
        let second = try Terminal.askPassphrase("The same once more: ")
        guard Passphrase.areEqual(first, second) else { throw Failure("the two passphrases differ") }
        return first
    }
}

extension Passphrase {
    /// Reads up to a line's end, byte by byte, so that nothing of it is left in a buffer elsewhere.
    ///
    /// - Returns: nil when the byte `interrupt` came.
    static func readLine(from descriptor: Int32, interrupt: UInt8) throws -> SecretBytes? {
        var length = 0
        var isInterrupted = false
        let line = try unsafe SecretBytes(count: maximumBytes + 1) { target throws(SSHWireError) in
            guard let start = target.baseAddress else { return }
            while length < target.count {
                let count = unsafe systemRead(descriptor, start + length, 1)
                if count < 0, errno == EINTR { continue }
                guard count == 1, unsafe target[length] != UInt8(ascii: "\n") else { break }
                isInterrupted = unsafe target[length] == interrupt
                if isInterrupted { break }
                length += 1
            }
        }
        if isInterrupted { return nil }
        guard (1...maximumBytes).contains(length) else {
            throw Failure("a passphrase of 1 to \(maximumBytes) bytes is needed")
        }
        return try prefix(line, length)
    }

    /// True when both hold the same bytes; takes the same time wherever they differ.
    static func areEqual(_ one: SecretBytes, _ other: SecretBytes) -> Bool {
        guard one.count == other.count else { return false }
        return one.withSpan { first in
            other.withSpan { second in
                var difference: UInt8 = 0
                for index in first.indices { difference |= first[index] ^ second[index] }
                return difference == 0
            }
        }
    }
}

/// read(2), which a method of the same name would hide.
private func systemRead(_ descriptor: Int32, _ target: UnsafeMutableRawPointer, _ count: Int) -> Int {
    unsafe read(descriptor, target, count)
}
