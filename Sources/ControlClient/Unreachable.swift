// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import NIOCore
import NIOPosix
import SSHWire

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Says in few words why there is no connection or no answer.
enum Unreachable {
    static func reason(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError: reason(error)
        case let error as IOError: reason(error)
        case let error as HTTPClientError: reason(error)
        case ChannelError.connectTimeout: "no answer within 10 seconds"
        case ChannelError.eof: "it closed the connection; does it speak HTTPS?"
        case is NIOTooManyBytesError: "its answer is larger than any of this API's"
        default: "\(error)".escapedForTerminal
        }
    }

    private static func reason(_ error: NIOConnectionError) -> String {
        if let first = error.connectionErrors.first { return reason(first.error) }
        return "there is no host of this name"
    }

    private static func reason(_ error: IOError) -> String {
        switch error.errnoCode {
        case ECONNREFUSED: "nobody listens there"
        case ENETUNREACH, EHOSTUNREACH: "there is no way to it"
        case ECONNRESET, EPIPE: "it broke the connection off"
        default: "\(error)".escapedForTerminal
        }
    }

    private static func reason(_ error: HTTPClientError) -> String {
        switch error {
        case .connectTimeout: "no answer within 10 seconds"
        case .readTimeout, .deadlineExceeded: "no answer within 20 seconds"
        case .remoteConnectionClosed: "it broke the connection off"
        default: "\(error)".escapedForTerminal
        }
    }
}
