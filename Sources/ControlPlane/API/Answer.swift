// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import HTTPTypes
import Hummingbird
import NIOCore

/// An answer in JSON that can be given again.
struct Answer: Sendable {
    let status: HTTPResponse.Status
    let text: ByteBuffer

    init(_ status: HTTPResponse.Status = .ok, json: JSONValue) {
        self.status = status
        text = ByteBuffer(string: json.text)
    }
}

extension Response {
    /// An answer in JSON.
    init(_ status: HTTPResponse.Status = .ok, json: JSONValue, mediaType: String = "application/json") {
        let text = json.text
        var fields = HTTPFields()
        fields[.contentType] = mediaType
        fields[.cacheControl] = "no-store"
        self.init(status: status, headers: fields, body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    /// An answer in JSON that is text already.
    init(jsonText: String) {
        var fields = HTTPFields()
        fields[.contentType] = "application/json"
        fields[.cacheControl] = "no-cache"
        self.init(status: .ok, headers: fields, body: ResponseBody(byteBuffer: ByteBuffer(string: jsonText)))
    }

    /// An answer that may have been given before.
    init(_ answer: Answer) {
        var fields = HTTPFields()
        fields[.contentType] = "application/json"
        fields[.cacheControl] = "no-store"
        self.init(status: answer.status, headers: fields, body: ResponseBody(byteBuffer: answer.text))
    }

    /// An answer without content.
    static var done: Response { Response(status: .noContent) }

    /// Why a request was not fulfilled.
    init(_ problem: Problem) {
        self.init(
            HTTPResponse.Status(code: problem.code.status), json: problem.json,
            mediaType: Problem.mediaType)
        if let seconds = problem.retryAfter { headers[.retryAfter] = String(seconds) }
    }
}

extension Problem {
    /// What to tell about an error of the authority's; what is the server's own business is in its log only.
    init(_ error: CertAuthorityError) {
        switch error.code {
        case .invalidRequest: self.init(.invalidRequest, error.reason, hint: error.hint)
        case .notFound: self.init(.notFound, error.reason, hint: error.hint)
        case .conflict: self.init(.conflict, error.reason, hint: error.hint)
        case .full: self.init(.tooManyRequests, error.reason, hint: error.hint, retryAfter: 10)
        case .identityTaken: self.init(.loginRefused, error.reason, hint: error.hint)
        case .storeMissing, .storeLocked, .storeReadOnly, .storeFull, .storeDamaged, .logInconsistent,
            .rolledBack:
            self.init(
                .storeUnavailable, "the authority can't record anything now, so it issues nothing",
                hint: "try again; its operator finds the reason in the server's log")
        case .key, .signerMismatch:
            self.init(
                .signerUnavailable, "the signer is not available", hint: "try again in a moment")
        case .configuration, .unsafeFile, .file, .passphrase:
            self.init(.internalError, "something went wrong here")
        }
    }

    init(_ error: ControlProtocolError) {
        self.init(error.code == .tooLong ? .tooLarge : .invalidRequest, error.reason)
    }
}
