// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import COpenSSL
import CSodium

/// The ciphers of encrypted openssh-key-v1 files, by OpenSSH's names (`ssh -Q cipher`, without 3des-cbc).
///
/// All are read; files are written with `aes256-ctr`, ssh-keygen's own choice.
enum KeyCipher: String, CaseIterable {
    case aes128CTR = "aes128-ctr"
    case aes192CTR = "aes192-ctr"
    case aes256CTR = "aes256-ctr"
    case aes128CBC = "aes128-cbc"
    case aes192CBC = "aes192-cbc"
    case aes256CBC = "aes256-cbc"
    case aes128GCM = "aes128-gcm@openssh.com"
    case aes256GCM = "aes256-gcm@openssh.com"
    case chachaPoly = "chacha20-poly1305@openssh.com"

    var keyBytes: Int {
        switch self {
        case .aes128CTR, .aes128CBC, .aes128GCM: 16
        case .aes192CTR, .aes192CBC: 24
        case .aes256CTR, .aes256CBC, .aes256GCM: 32
        // Two keys; the second, for packets' lengths, is not used in files.
        case .chachaPoly: 64
        }
    }

    /// The initial counter, vector or nonce, which is derived together with the key.
    var vectorBytes: Int {
        switch self {
        case .aes128CTR, .aes192CTR, .aes256CTR, .aes128CBC, .aes192CBC, .aes256CBC: 16
        case .aes128GCM, .aes256GCM: 12
        case .chachaPoly: 0
        }
    }

    /// The encrypted section is a multiple of this.
    var blockBytes: Int { self == .chachaPoly ? 8 : 16 }

    /// The tag that follows the section.
    var tagBytes: Int {
        switch self {
        case .aes128GCM, .aes256GCM, .chachaPoly: 16
        case .aes128CTR, .aes192CTR, .aes256CTR, .aes128CBC, .aes192CBC, .aes256CBC: 0
        }
    }

    @safe private var implementation: OpaquePointer? {
        switch self {
        case .aes128CTR: unsafe EVP_aes_128_ctr()
        case .aes192CTR: unsafe EVP_aes_192_ctr()
        case .aes256CTR: unsafe EVP_aes_256_ctr()
        case .aes128CBC: unsafe EVP_aes_128_cbc()
        case .aes192CBC: unsafe EVP_aes_192_cbc()
        case .aes256CBC: unsafe EVP_aes_256_cbc()
        case .aes128GCM: unsafe EVP_aes_128_gcm()
        case .aes256GCM: unsafe EVP_aes_256_gcm()
        case .chachaPoly: nil
        }
    }

    /// Decrypts a section.
    ///
    /// - Parameter key: key and vector as they were derived.
    /// - Throws: `.wrongPassphrase` when the tag is wrong; without a tag, nothing shows here.
    func decrypt(
        _ section: Span<UInt8>, tag: Span<UInt8>, key: SecretBytes
    ) throws(SSHWireError) -> SecretBytes {
        try unsafe SecretBytes(count: section.count) { output throws(SSHWireError) in
            try key.withSpan { (key) throws(SSHWireError) in
                if self == .chachaPoly {
                    try unsafe Self.openChachaPoly(section, tag, key, to: output)
                } else {
                    let cipher = unsafe EVPCipher(implementation, isPadded: false)
                    _ = try unsafe cipher.decrypt(
                        section, tag: tag, key: key.extracting(0..<keyBytes),
                        vector: key.extracting(keyBytes..<(keyBytes + vectorBytes)), to: output)
                }
            }
        }
    }

    /// Encrypts a section that is a multiple of a block, for a cipher without a tag.
    func encrypt(
        _ section: Span<UInt8>, key: SecretBytes, to output: UnsafeMutableRawBufferPointer
    ) throws(SSHWireError) {
        try key.withSpan { (key) throws(SSHWireError) in
            let cipher = unsafe EVPCipher(implementation, isPadded: false)
            _ = try unsafe cipher.encrypt(
                section, key: key.extracting(0..<keyBytes),
                vector: key.extracting(keyBytes..<(keyBytes + vectorBytes)), to: output)
        }
    }

    /// PROTOCOL.chacha20poly1305 with the sequence number 0 and no length field: block 0 of the key stream is the
    /// authenticator's key, the section is encrypted from block 1 on.
    private static func openChachaPoly(
        _ section: Span<UInt8>, _ tag: Span<UInt8>, _ key: Span<UInt8>,
        to output: UnsafeMutableRawBufferPointer
    ) throws(SSHWireError) {
        let nonce = [UInt8](repeating: 0, count: Int(crypto_stream_chacha20_NONCEBYTES))
        try unsafe withGuardedScratch(Int(crypto_onetimeauth_poly1305_KEYBYTES)) {
            authenticator throws(SSHWireError) in
            let isOpen = unsafe key.withUnsafeBufferPointer { key in
                unsafe section.withUnsafeBufferPointer { section in
                    unsafe tag.withUnsafeBufferPointer { tag in
                        let output = unsafe output.assumingMemoryBound(to: UInt8.self)
                        let authenticator = unsafe authenticator.assumingMemoryBound(to: UInt8.self)
                        guard let key = key.baseAddress, let tag = tag.baseAddress,
                            let sealed = section.baseAddress,
                            let output = output.baseAddress, let oneTimeKey = authenticator.baseAddress,
                            unsafe crypto_stream_chacha20(
                                oneTimeKey, UInt64(authenticator.count), nonce, key) == 0,
                            unsafe crypto_onetimeauth_poly1305_verify(
                                tag, sealed, UInt64(section.count), oneTimeKey) == 0
                        else { return false }
                        return unsafe crypto_stream_chacha20_xor_ic(
                            output, sealed, UInt64(section.count), nonce, 1, key) == 0
                    }
                }
            }
            guard isOpen else { throw .wrongKeyPassphrase }
        }
    }
}

/// One of libcrypto's ciphers.
@safe struct EVPCipher {
    private let implementation: OpaquePointer?
    /// True when the plaintext is padded to whole blocks (RFC 5652, section 6.3).
    private let isPadded: Bool

    init(_ implementation: OpaquePointer?, isPadded: Bool) {
        unsafe self.implementation = implementation
        self.isPadded = isPadded
    }

    /// Decrypts and returns how many bytes it has written.
    ///
    /// - Parameter output: as long as the input.
    /// - Throws: `.wrongPassphrase` when padding or tag are wrong.
    func decrypt(
        _ input: Span<UInt8>, tag: Span<UInt8>, key: Span<UInt8>, vector: Span<UInt8>,
        to output: UnsafeMutableRawBufferPointer
    ) throws(SSHWireError) -> Int {
        try unsafe run(input, tag, key, vector, output, isEncrypting: false)
    }

    /// Encrypts and returns how many bytes it has written.
    func encrypt(
        _ input: Span<UInt8>, key: Span<UInt8>, vector: Span<UInt8>, to output: UnsafeMutableRawBufferPointer
    ) throws(SSHWireError) -> Int {
        try unsafe run(input, Span<UInt8>(), key, vector, output, isEncrypting: true)
    }

    private func run(
        _ input: Span<UInt8>, _ tag: Span<UInt8>, _ key: Span<UInt8>, _ vector: Span<UInt8>,
        _ output: UnsafeMutableRawBufferPointer, isEncrypting: Bool
    ) throws(SSHWireError) -> Int {
        // It is wiped when it is freed.
        let context = unsafe EVP_CIPHER_CTX_new()
        defer {
            unsafe EVP_CIPHER_CTX_free(context)
            wipeTraces()
        }
        let isReady = unsafe key.withUnsafeBufferPointer { key in
            unsafe vector.withUnsafeBufferPointer { vector in
                unsafe key.count == Int(EVP_CIPHER_get_key_length(implementation))
                    && vector.count == Int(EVP_CIPHER_get_iv_length(implementation))
                    && EVP_CipherInit_ex(
                        context, implementation, nil, key.baseAddress, vector.baseAddress,
                        isEncrypting ? 1 : 0)
                        == 1
                    && EVP_CIPHER_CTX_set_padding(context, isPadded ? 1 : 0) == 1
            }
        }
        guard isReady, output.count >= input.count else { throw .libcrypto("preparing a cipher") }
        if tag.count > 0 {
            var expected = [UInt8](tag)
            guard
                unsafe EVP_CIPHER_CTX_ctrl(
                    context, EVP_CTRL_AEAD_SET_TAG, Int32(clamping: expected.count), &expected) == 1
            else { throw .libcrypto("preparing a cipher") }
        }
        var written: Int32 = 0
        var rest: Int32 = 0
        let bytes = unsafe output.assumingMemoryBound(to: UInt8.self).baseAddress
        let isDone = unsafe input.withUnsafeBufferPointer { input in
            unsafe EVP_CipherUpdate(context, bytes, &written, input.baseAddress, Int32(clamping: input.count))
                == 1
                && EVP_CipherFinal_ex(context, bytes?.advanced(by: Int(written)), &rest) == 1
        }
        guard isDone else {
            ERR_clear_error()
            throw .wrongKeyPassphrase
        }
        return Int(written) + Int(rest)
    }
}

extension SSHWireError {
    /// Decryption gave nonsense: mostly the passphrase is wrong.
    static let wrongKeyPassphrase = SSHWireError(
        .wrongPassphrase, "private key: the passphrase is wrong, or the file is damaged")
}
