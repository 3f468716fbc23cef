// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Loads a private key, signs with it, and looks through this process's memory for copies of what is secret.
///
/// Arguments: the key's file, then `--signatures N` (100 unless given), `--passphrase-file F` if it is encrypted, `--leak heap` or `--leak stack` to leave a
/// copy of the first needle there on purpose, `--read-closed` to read guarded memory outside a borrow (the process must
/// not survive that). Standard input: needles, one a line, in hexadecimal with every byte XOR 0x5a, so that this process
/// never holds one itself. Output: how many copies there are, by place.
@main struct MemoryProbe {
    static func main() {
        do {
            try run()
        } catch {
            fail("\(error)")
        }
    }

    private static func run() throws {
        var arguments = CommandLine.arguments.dropFirst()
        var options: [String: String] = [:]
        guard let file = arguments.popFirst() else { fail("a key file expected") }
        while let name = arguments.popFirst() { options[name] = arguments.popFirst() ?? "" }
        var needles: [[UInt8]] = []
        while let line = readLine() { needles.append(try maskedNeedle(line)) }

        let key = try load(file, passphraseFile: options["--passphrase-file"])
        for number in 0..<(Int(options["--signatures"] ?? "") ?? 100) {
            let message = Array("message \(number)".utf8)
            let signature = try key.sign(message.span)
            try key.publicKey.verify(signature, over: message.span)
        }
        if options["--read-closed"] != nil { readClosed() }
        if options["--leak"] == "stack", let needle = needles.first {
            // On a frame that is alive during the scan.
            unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 64) { copy in
                for (index, byte) in needle.prefix(64).enumerated() { unsafe copy[index] = byte ^ mask }
                report(MemoryScan(needles))
            }
        } else if options["--leak"] == "heap", let needle = needles.first {
            let copy = needle.map { $0 ^ mask }
            report(MemoryScan(needles))
            withExtendedLifetime(copy) {}
        } else {
            report(MemoryScan(needles))
        }
        withExtendedLifetime(key) {}
    }

    private static func report(_ scan: MemoryScan) {
        for place in MemoryScan.Place.allCases { print("\(place.rawValue) \(scan.hits[place, default: 0])") }
    }

    /// A function of its own, so that what it used is off its frame again.
    @inline(never)
    private static func load(_ path: String, passphraseFile: String?) throws -> PrivateKey {
        let passphrase = try passphraseFile.map { try read($0) }
        return try PrivateKey(fileContents: try read(path), passphrase: passphrase)
    }

    private static func read(_ path: String) throws -> SecretBytes {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { fail("cannot open \(path)") }
        defer { _ = close(file) }
        return try unsafe SecretBytes(upTo: Limits.privateKeyFileBytes) { buffer throws(SSHWireError) in
            var filled = 0
            while let base = buffer.baseAddress, filled < buffer.count {
                let count = unsafe readOnce(file, base + filled, buffer.count - filled)
                guard count > 0 else { break }
                filled += count
            }
            return filled
        }
    }

    private static func readOnce(_ file: Int32, _ buffer: UnsafeMutableRawPointer, _ count: Int) -> Int {
        #if canImport(Darwin)
            unsafe Darwin.read(file, buffer, count)
        #elseif canImport(Glibc)
            unsafe Glibc.read(file, buffer, count)
        #else
            unsafe Musl.read(file, buffer, count)
        #endif
    }

    private static func readClosed() {
        let secret = try? unsafe SecretBytes(count: 1) { unsafe $0[0] = 1 }
        let address = unsafe secret?.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
        guard let address, let pointer = unsafe UnsafeRawPointer(bitPattern: address) else { return }
        print("read \(unsafe pointer.load(as: UInt8.self))")
        withExtendedLifetime(secret) {}
    }

    private static func maskedNeedle(_ line: String) throws -> [UInt8] {
        let digits = line.compactMap(\.hexDigitValue)
        guard digits.count == line.count, digits.count % 2 == 0, digits.count >= 32 else {
            fail("a needle of at least 16 bytes expected")
        }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }

    private static func fail(_ reason: String) -> Never {
        print("failed: \(reason)")
        exit(2)
    }
}

/// What the needles' bytes are combined with.
let mask: UInt8 = 0x5a
