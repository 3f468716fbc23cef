// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import HTTPTypes
import Hummingbird
import NIOCore
import SSHWire

/// A page for a browser: no script, nothing from elsewhere, in nobody's frame, kept by nobody.
struct Page: Sendable {
    let title: String
    let content: HTML
    /// Where the browser goes on by itself, at once.
    var next: String?

    static let mediaType = "text/html; charset=utf-8"

    /// The one style of all pages; the policy allows it by its digest and no other.
    static let style = """
        :root{color-scheme:light dark;font:1.05rem/1.5 system-ui,sans-serif}
        body{max-width:34rem;margin:0 auto;padding:1.5rem}
        h1{font-size:1.4rem}
        dt{font-weight:600}
        dd{margin:0 0 .6rem;overflow-wrap:anywhere}
        code{font-family:ui-monospace,monospace}
        input{font:inherit;font-size:1.5rem;letter-spacing:.15em;width:9em;max-width:100%;padding:.3rem .5rem}
        button{font:inherit;padding:.6rem 1.2rem;margin:.8rem .6rem 0 0}
        .warning{border-left:.3rem solid #c60;padding-left:.8rem}
        """

    /// - `form-action`: forms go to this server only. The way to the provider is no answer to a form: browsers hold a
    ///   redirect after one to this list as well, and where a provider sends people on to can't be known.
    /// - `frame-ancestors`: nobody shows the page under something else and has people click it.
    private static let policy =
        "default-src 'none'; style-src 'sha256-\(Base64.encode(Digest.sha256(Array(style.utf8))))'; "
        + "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

    /// The whole document.
    var text: String {
        let refresh: HTML = next.map { "<meta http-equiv=\"refresh\" content=\"0;url=\($0)\">\n" } ?? ""
        let head: HTML = """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="robots" content="noindex">
            \(refresh)<title>\(title)</title>
            <style>
            """
        let body: HTML = """
            </style>
            </head>
            <body>
            <main>
            <h1>\(title)</h1>
            \(content)
            </main>
            </body>
            </html>

            """
        return head.markup + Self.style + body.markup
    }

    /// The page as an answer.
    func response(_ status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: Self.fields,
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    /// What every answer to a browser has.
    static let fields: HTTPFields = {
        var fields = HTTPFields()
        fields[.contentType] = mediaType
        fields[.cacheControl] = "no-store"
        fields[.contentSecurityPolicy] = policy
        fields[.xContentTypeOptions] = "nosniff"
        // The address of a page, which has a link in it, is nobody else's business.
        fields[.referrerPolicy] = "no-referrer"
        // For browsers that don't know frame-ancestors.
        fields[.frameOptions] = "DENY"
        fields[.openerPolicy] = "same-origin"
        fields[.resourcePolicy] = "same-origin"
        return fields
    }()
}

extension Response {
    /// Sends a browser on to another page of this server.
    ///
    /// - Parameter path: absolute, made here of nothing that came from outside.
    static func seeOther(_ path: String) -> Response {
        var fields = Page.fields
        fields[.contentType] = nil
        fields[.location] = path
        return Response(status: .seeOther, headers: fields)
    }
}

extension HTTPField.Name {
    static let referrerPolicy = unsafe HTTPField.Name("Referrer-Policy").unsafelyUnwrapped
    static let frameOptions = unsafe HTTPField.Name("X-Frame-Options").unsafelyUnwrapped
    static let openerPolicy = unsafe HTTPField.Name("Cross-Origin-Opener-Policy").unsafelyUnwrapped
    static let resourcePolicy = unsafe HTTPField.Name("Cross-Origin-Resource-Policy").unsafelyUnwrapped
    static let fetchSite = unsafe HTTPField.Name("Sec-Fetch-Site").unsafelyUnwrapped
}
