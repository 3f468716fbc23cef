// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import COpenSSLTLS
import Glibc
import SSHWire

/// What makes a server the one that is meant.
public enum TLSTrust: Sendable, Hashable {
    /// The system's root certificates, and the host's name.
    case systemRoots
    /// The certificate of this digest, which the server shows in its chain: it is the only root then, and the host's
    /// name counts too. 32 bytes: SHA-256 of its DER, as `daypass login --fingerprint` takes it.
    case pinned([UInt8])

    /// Parses `SHA256:` and 64 hexadecimal digits, colons between them or not.
    ///
    /// - Throws: `.invalidRequest`.
    public init(fingerprint text: String) throws(AgentError) {
        let refusal = AgentError(
            .invalidRequest,
            "fingerprint \"\(text.escapedForTerminal)\": SHA256: and 64 hexadecimal digits expected",
            hint: "daypassd prints it when it starts")
        guard text.lowercased().hasPrefix("sha256:") else { throw refusal }
        let digits = text.dropFirst(7).filter { $0 != ":" }
        guard digits.utf8.count == 64 else { throw refusal }
        var bytes: [UInt8] = []
        var rest = Substring(digits)
        while !rest.isEmpty {
            guard let byte = UInt8(rest.prefix(2), radix: 16), !rest.hasPrefix("+") else { throw refusal }
            bytes.append(byte)
            rest = rest.dropFirst(2)
        }
        self = .pinned(bytes)
    }

    /// The fingerprint's text; nil for the system's roots.
    public var fingerprint: String? {
        switch self {
        case .systemRoots: nil
        case .pinned(let digest): "SHA256:" + hexadecimal(digest)
        }
    }
}

/// Judges the certificates that a server shows.
///
/// libssl would load all of the system's roots for each connection's sake, a megabyte of them: here they are looked up by
/// name in the system's folder, and what was loaded goes when the judgement is made.
final class TLSJudge {
    private let trust: TLSTrust
    private let host: String
    /// Why the last server was not trusted.
    private(set) var refusal: String?

    init(_ trust: TLSTrust, host: String) {
        self.trust = trust
        self.host = host
    }

    /// - Parameter context: what libssl was going to verify: the server's certificate and the others that it showed.
    func isTrusted(_ context: OpaquePointer) -> Bool {
        guard let leaf = unsafe X509_STORE_CTX_get0_cert(context) else {
            refusal = "no certificate"
            return false
        }
        let shown = unsafe X509_STORE_CTX_get0_untrusted(context)
        guard let store = unsafe X509_STORE_new() else { return false }
        defer { unsafe X509_STORE_free(store) }
        switch trust {
        case .pinned(let digest):
            guard let root = unsafe pinned(digest, leaf, shown) else {
                refusal = "another certificate than the one that was named"
                return false
            }
            unsafe X509_STORE_add_cert(store, root)
            // The pinned one may be the server's own, or one between.
            unsafe X509_STORE_set_flags(store, UInt(X509_V_FLAG_PARTIAL_CHAIN))
            return unsafe verify(leaf, shown, store)
        case .systemRoots:
            unsafe addFolder(to: store)
            if unsafe verify(leaf, shown, store) { return true }
            // A system without the folder, or one that a private root was added to, has the file.
            guard unsafe addFile(to: store) else { return false }
            return unsafe verify(leaf, shown, store)
        }
    }

    private func pinned(_ digest: [UInt8], _ leaf: OpaquePointer, _ shown: OpaquePointer?) -> OpaquePointer? {
        var candidates = unsafe [leaf]
        for index in 0..<(unsafe daypass_tls_count(shown)) {
            if let certificate = unsafe daypass_tls_certificate(shown, index) {
                unsafe candidates.append(certificate)
            }
        }
        return unsafe candidates.first { certificate in
            var found = [UInt8](repeating: 0, count: 32)
            var count: UInt32 = 0
            return unsafe X509_digest(certificate, EVP_sha256(), &found, &count) == 1 && count == 32
                && found == digest
        }
    }

    private func verify(_ leaf: OpaquePointer, _ shown: OpaquePointer?, _ store: OpaquePointer) -> Bool {
        guard let context = unsafe X509_STORE_CTX_new() else { return false }
        defer {
            unsafe X509_STORE_CTX_free(context)
            ERR_clear_error()
        }
        guard unsafe X509_STORE_CTX_init(context, store, leaf, shown) == 1,
            unsafe X509_STORE_CTX_set_default(context, "ssl_server") == 1,
            let parameters = unsafe X509_STORE_CTX_get0_param(context)
        else { return false }
        unsafe X509_VERIFY_PARAM_set_hostflags(parameters, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
        let isAddress = (try? IPAddress(host)) != nil
        let isNamed =
            unsafe isAddress
            ? X509_VERIFY_PARAM_set1_ip_asc(parameters, host)
            : X509_VERIFY_PARAM_set1_host(parameters, host, host.utf8.count)
        guard isNamed == 1 else {
            refusal = "a host's name that no certificate can hold"
            return false
        }
        if unsafe X509_verify_cert(context) == 1 { return true }
        let error = unsafe X509_STORE_CTX_get_error(context)
        refusal =
            unsafe X509_verify_cert_error_string(Int(error)).map { unsafe String(cString: $0) }
            ?? "error \(error)"
        return false
    }

    private func addFolder(to store: OpaquePointer) {
        let named = unsafe getenv(X509_get_default_cert_dir_env())
        if let path = unsafe named ?? UnsafeMutablePointer(mutating: X509_get_default_cert_dir()) {
            unsafe X509_STORE_load_path(store, path)
        }
        ERR_clear_error()
    }

    private func addFile(to store: OpaquePointer) -> Bool {
        let named = unsafe getenv(X509_get_default_cert_file_env())
        guard let path = unsafe named ?? UnsafeMutablePointer(mutating: X509_get_default_cert_file()) else {
            return false
        }
        let isLoaded = unsafe X509_STORE_load_file(store, path) == 1
        ERR_clear_error()
        return isLoaded
    }
}
