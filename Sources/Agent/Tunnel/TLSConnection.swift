// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import COpenSSLTLS
import Glibc
import SSHWire

/// The client's side of TLS 1.2 or 1.3 over a socket that never waits.
///
/// All of libssl's state is this object's, and is freed with it; the socket is somebody else's and outlives it.
@safe final class TLSConnection {
    /// What became of an attempt to go on.
    enum Progress<Value> {
        case done(Value)
        /// The socket must become readable first.
        case wantsRead
        /// The socket must become writable first.
        case wantsWrite
        /// The peer ended the connection.
        case ended
    }

    private let context: OpaquePointer
    private let connection: OpaquePointer
    private let judge: TLSJudge

    /// Prepares a connection; nothing is sent yet.
    ///
    /// - Parameters:
    ///   - socket: connected, non-blocking.
    ///   - host: the server's name or address, for its certificate.
    init(socket: Int32, host: String, trust: TLSTrust) throws(AgentError) {
        let judge = TLSJudge(trust, host: host)
        guard let context = unsafe SSL_CTX_new(TLS_client_method()) else { throw Self.failure("TLS") }
        guard unsafe daypass_tls_configure(context) == 1, let connection = unsafe SSL_new(context) else {
            unsafe SSL_CTX_free(context)
            throw Self.failure("TLS")
        }
        unsafe self.context = context
        unsafe self.connection = connection
        self.judge = judge
        unsafe SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        // The judge lives as long as the context does.
        let pointer = unsafe Unmanaged.passUnretained(judge).toOpaque()
        unsafe SSL_set_verify(connection, SSL_VERIFY_PEER, nil)
        unsafe SSL_CTX_set_cert_verify_callback(
            context,
            { given, argument in
                guard let given = unsafe given, let argument = unsafe argument else { return 0 }
                let judge = unsafe Unmanaged<TLSJudge>.fromOpaque(argument).takeUnretainedValue()
                if unsafe judge.isTrusted(given) {
                    unsafe X509_STORE_CTX_set_error(given, X509_V_OK)
                    return 1
                }
                unsafe X509_STORE_CTX_set_error(given, X509_V_ERR_APPLICATION_VERIFICATION)
                return 0
            }, pointer)
        guard unsafe SSL_set_fd(connection, socket) == 1 else { throw Self.failure("TLS") }
        if (try? IPAddress(host)) == nil {
            guard unsafe daypass_tls_set_name(connection, host) == 1 else { throw Self.failure("TLS") }
        }
        unsafe SSL_set_connect_state(connection)
    }

    deinit {
        unsafe SSL_free(connection)
        unsafe SSL_CTX_free(context)
    }

    /// Goes on with the handshake.
    ///
    /// - Throws: `.untrusted` when the server is not the one that is meant, `.network` for everything else.
    func shakeHands() throws(AgentError) -> Progress<Void> {
        ERR_clear_error()
        let status = unsafe SSL_do_handshake(connection)
        if status == 1 { return .done(()) }
        switch unsafe SSL_get_error(connection, status) {
        case SSL_ERROR_WANT_READ: return .wantsRead
        case SSL_ERROR_WANT_WRITE: return .wantsWrite
        case SSL_ERROR_SYSCALL, SSL_ERROR_ZERO_RETURN:
            throw AgentError(.network, "TLS: the peer ended the connection during the handshake")
        default:
            let failure = Self.failure("TLS")
            guard let refusal = judge.refusal else { throw failure }
            throw AgentError(.untrusted, "TLS: the server's certificate: \(refusal.escapedForTerminal)")
        }
    }

    /// Reads what is there.
    func read(into buffer: inout [UInt8]) throws(AgentError) -> Progress<Int> {
        ERR_clear_error()
        let count = unsafe SSL_read(connection, &buffer, Int32(clamping: buffer.count))
        if count > 0 { return .done(Int(count)) }
        return try progress(count, "reading")
    }

    /// Writes some of the bytes.
    func write(_ bytes: ArraySlice<UInt8>) throws(AgentError) -> Progress<Int> {
        ERR_clear_error()
        let count = unsafe bytes.withUnsafeBytes { buffer in
            unsafe SSL_write(connection, buffer.baseAddress, Int32(clamping: buffer.count))
        }
        if count > 0 { return .done(Int(count)) }
        return try progress(count, "writing")
    }

    /// Says that nothing more comes, if there is room for it at once.
    func close() {
        ERR_clear_error()
        _ = unsafe SSL_shutdown(connection)
        ERR_clear_error()
    }

    /// What was agreed on, "TLSv1.3".
    var version: String { unsafe SSL_get_version(connection).map { unsafe String(cString: $0) } ?? "TLS" }

    private func progress(_ status: Int32, _ what: String) throws(AgentError) -> Progress<Int> {
        switch unsafe SSL_get_error(connection, status) {
        case SSL_ERROR_WANT_READ: return .wantsRead
        case SSL_ERROR_WANT_WRITE: return .wantsWrite
        // Without a goodbye, as many servers do: frames have their own.
        case SSL_ERROR_ZERO_RETURN, SSL_ERROR_SYSCALL: return .ended
        default:
            let code = ERR_peek_error()
            if ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING {
                ERR_clear_error()
                return .ended
            }
            throw Self.failure("TLS \(what)")
        }
    }

    /// libssl's own words for its last error, which hold nothing of the peer's.
    private static func failure(_ what: String) -> AgentError {
        let code = ERR_peek_error()
        ERR_clear_error()
        let words = unsafe ERR_reason_error_string(code).map { unsafe String(cString: $0) }
        return AgentError(.network, "\(what): \(words ?? "failed with code \(code)")")
    }
}
