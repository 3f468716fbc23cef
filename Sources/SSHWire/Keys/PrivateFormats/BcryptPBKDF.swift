// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import COpenSSL
import CSodium

/// bcrypt as a key derivation function, as openssh-key-v1 uses it (OpenBSD's bcrypt_pbkdf(3)): PBKDF2 (RFC 8018,
/// section 5.2) in shape, with a bcrypt hash in the place of the HMAC, and with the output's bytes interleaved so that
/// nobody gets a part of the key for a part of the work.
enum BcryptPBKDF {
    /// What one hash gives, in bytes.
    private static let hashBytes = 32
    private static let digestBytes = Int(crypto_hash_sha512_BYTES)

    /// Derives `count` bytes; a round takes about 2 ms for each 32 of them.
    ///
    /// - Throws: `.invalidValue` for no rounds, no salt or an empty passphrase, `.tooLong` for more than
    ///   ``Limits/bcryptRounds``.
    static func derive(
        _ passphrase: SecretBytes, salt: [UInt8], rounds: UInt32, count: Int
    ) throws(SSHWireError) -> SecretBytes {
        guard rounds <= Limits.bcryptRounds else {
            throw SSHWireError(
                .tooLong,
                "private key: \(rounds) rounds of bcrypt, at most \(Limits.bcryptRounds) are allowed")
        }
        guard rounds >= 1, !salt.isEmpty, passphrase.count > 0, (1...1_024).contains(count) else {
            throw SSHWireError(.invalidValue, "private key: bcrypt with no rounds, no salt or no passphrase")
        }
        return try unsafe SecretBytes(count: count) { key throws(SSHWireError) in
            try unsafe withGuardedScratch(Scratch.size) { buffer throws(SSHWireError) in
                let scratch = try unsafe Scratch(buffer)
                unsafe passphrase.withUnsafeBytes {
                    unsafe sha512($0, to: scratch.passphrase)
                }
                let stride = (count + hashBytes - 1) / hashBytes
                for block in 0..<stride {
                    deriveBlock(UInt32(truncatingIfNeeded: block + 1), salt, rounds, scratch)
                    for index in 0..<hashBytes where index * stride + block < count {
                        unsafe key[index * stride + block] = scratch.output[index]
                    }
                }
            }
        }
    }

    /// Leaves one block of 32 bytes in the scratch's output.
    private static func deriveBlock(
        _ number: UInt32, _ salt: [UInt8], _ rounds: UInt32, _ scratch: borrowing Scratch
    ) {
        let numbered = salt + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
        unsafe numbered.withUnsafeBytes { unsafe sha512($0, to: scratch.salt) }
        unsafe hash(scratch, to: scratch.output)
        unsafe scratch.round.copyMemory(from: UnsafeRawBufferPointer(scratch.output))
        for _ in 1..<rounds {
            unsafe sha512(UnsafeRawBufferPointer(scratch.round), to: scratch.salt)
            unsafe hash(scratch, to: scratch.round)
            for index in 0..<hashBytes {
                // Not ^=, here and below: for ThreadSanitizer, Swift 6.3 makes of that what LLVM refuses.
                unsafe scratch.output[index] = scratch.output[index] ^ scratch.round[index]
            }
        }
    }

    /// libsodium's, because it wipes what it has on the stack.
    private static func sha512(_ input: UnsafeRawBufferPointer, to output: UnsafeMutableRawBufferPointer) {
        let input = unsafe input.assumingMemoryBound(to: UInt8.self)
        guard let hash = unsafe output.assumingMemoryBound(to: UInt8.self).baseAddress else { return }
        _ = unsafe crypto_hash_sha512(hash, input.baseAddress, UInt64(input.count))
    }

    /// bcrypt with 64 expansions over the scratch's passphrase and salt digests.
    private static func hash(_ scratch: borrowing Scratch, to output: UnsafeMutableRawBufferPointer) {
        unsafe load(scratch.passphrase, to: scratch.passphraseWords)
        unsafe load(scratch.salt, to: scratch.saltWords)
        for (index, word) in BlowfishTables.initial.enumerated() { unsafe scratch.schedule[index] = word }
        unsafe expand(scratch, key: scratch.passphraseWords, isSalted: true)
        for _ in 0..<64 {
            unsafe expand(scratch, key: scratch.saltWords, isSalted: false)
            unsafe expand(scratch, key: scratch.passphraseWords, isSalted: false)
        }
        for (index, word) in plaintext.enumerated() { unsafe scratch.block[index] = word }
        for _ in 0..<64 {
            for start in stride(from: 0, to: plaintext.count, by: 2) {
                unsafe daypass_blowfish_encrypt(
                    scratch.block.baseAddress?.advanced(by: start), scratch.schedule.baseAddress)
            }
        }
        for index in plaintext.indices {
            unsafe output.storeBytes(
                of: scratch.block[index].littleEndian, toByteOffset: index * 4, as: UInt32.self)
        }
    }

    /// "OxychromaticBlowfishSwatDynamite" in big-endian words.
    private static let plaintext: [UInt32] = [
        0x4f78_7963, 0x6872_6f6d, 0x6174_6963, 0x426c_6f77, 0x6669_7368, 0x5377_6174, 0x4479_6e61,
        0x6d69_7465,
    ]

    /// Mixes 16 words of `key` into the schedule (Blowfish's `ExpandKey` as in bcrypt's paper, section 3).
    ///
    /// - Parameter isSalted: whether the salt's words are mixed into what is encrypted along the way.
    private static func expand(
        _ scratch: borrowing Scratch, key: UnsafeMutableBufferPointer<UInt32>, isSalted: Bool
    ) {
        let schedule = unsafe scratch.schedule
        let salt = unsafe scratch.saltWords
        let running = unsafe scratch.running
        for index in 0..<18 { unsafe schedule[index] = schedule[index] ^ key[index & 15] }
        unsafe running.update(repeating: 0)
        for index in stride(from: 0, to: schedule.count, by: 2) {
            if isSalted {
                unsafe running[0] = running[0] ^ salt[index & 15]
                unsafe running[1] = running[1] ^ salt[(index + 1) & 15]
            }
            unsafe daypass_blowfish_encrypt(running.baseAddress, schedule.baseAddress)
            unsafe schedule[index] = running[0]
            unsafe schedule[index + 1] = running[1]
        }
    }

    private static func load(
        _ digest: UnsafeMutableRawBufferPointer, to words: UnsafeMutableBufferPointer<UInt32>
    ) {
        for index in words.indices {
            unsafe words[index] = UInt32(bigEndian: digest.load(fromByteOffset: index * 4, as: UInt32.self))
        }
    }

    /// All that is secret on the way, in one piece of guarded memory.
    @safe private struct Scratch: ~Copyable {
        /// The P-array and the S-boxes.
        let schedule: UnsafeMutableBufferPointer<UInt32>
        let passphraseWords: UnsafeMutableBufferPointer<UInt32>
        let saltWords: UnsafeMutableBufferPointer<UInt32>
        /// What the hash encrypts.
        let block: UnsafeMutableBufferPointer<UInt32>
        /// The block that an expansion encrypts over and over.
        let running: UnsafeMutableBufferPointer<UInt32>
        let passphrase: UnsafeMutableRawBufferPointer
        let salt: UnsafeMutableRawBufferPointer
        let round: UnsafeMutableRawBufferPointer
        let output: UnsafeMutableRawBufferPointer

        private static let wordCounts = [1_042, 16, 16, 8, 2]
        /// A multiple of 16, so that the words are aligned.
        static let size = ((wordCounts.reduce(0, +) * 4 + 2 * digestBytes + 2 * hashBytes) + 15) / 16 * 16

        init(_ buffer: UnsafeMutableRawBufferPointer) throws(SSHWireError) {
            var start = 0
            func take(_ count: Int) -> UnsafeMutableRawBufferPointer {
                defer { start += count }
                return unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[start..<(start + count)])
            }
            let words = unsafe Self.wordCounts.map { unsafe take($0 * 4).bindMemory(to: UInt32.self) }
            unsafe schedule = words[0]
            unsafe passphraseWords = words[1]
            unsafe saltWords = words[2]
            unsafe block = words[3]
            unsafe running = words[4]
            unsafe passphrase = take(digestBytes)
            unsafe salt = take(digestBytes)
            unsafe round = take(hashBytes)
            unsafe output = take(hashBytes)
        }
    }
}
