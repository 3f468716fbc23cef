// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// Asks a provider: a port, so that tests can be a provider that is slow, broken or lying.
public protocol HTTPFetching: Sendable {
    /// Sends a request and waits for the whole answer.
    ///
    /// An implementation follows no redirect, has a deadline, and takes at most ``HTTPReply/maximumBytes``.
    ///
    /// - Returns: the answer, whatever its status is.
    /// - Throws: `.unreachable` when there is none in time, `.provider` when it is too long.
    func fetch(_ request: HTTPFetch) async throws(SignInError) -> HTTPReply
}

/// A request to a provider: GET, or POST of a form.
public struct HTTPFetch: Sendable {
    /// Where it goes.
    public let url: ProviderURL
    /// The form's body (`application/x-www-form-urlencoded`); nil for GET. It holds codes and perhaps a secret.
    public let form: String?
    /// The `Authorization` header; it holds a secret.
    public let authorization: String?

    init(_ url: ProviderURL, form: String? = nil, authorization: String? = nil) {
        self.url = url
        self.form = form
        self.authorization = authorization
    }
}

/// What must not be in a log by accident isn't in the text of a request.
extension HTTPFetch: CustomStringConvertible, CustomReflectable {
    public var description: String { "\(form == nil ? "GET" : "POST") \(url)" }
    public var customMirror: Mirror { Mirror(self, children: ["url": url]) }
}

/// A provider's answer.
public struct HTTPReply: Sendable {
    /// The status code.
    public let status: Int
    public let body: [UInt8]

    /// The longest answer that is taken, in bytes: the largest key sets have some 20 KiB.
    public static let maximumBytes = 1 << 20

    public init(status: Int, body: [UInt8]) {
        self.status = status
        self.body = body
    }
}
