// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport

/// A browser without script, which the pages do not need: curl, with cookies of its own. It does what people do: opens a
/// link, sends a form with the fields that are in it, follows where it is sent when the test says so.
struct PageBrowser {
    struct Answer {
        let status: Int
        /// By names in lower case; a field that comes twice is joined.
        let headers: [String: String]
        let body: String

        /// The value of the form's hidden field of this name.
        func hidden(_ name: String) -> String? {
            let mark = "name=\"\(name)\" value=\""
            guard let start = body.range(of: mark)?.upperBound else { return nil }
            return String(body[start...].prefix { $0 != "\"" })
        }

        /// Where the page's link leads.
        var link: String? {
            guard let start = body.range(of: "<a href=\"")?.upperBound else { return nil }
            return String(body[start...].prefix { $0 != "\"" }).replacing("&amp;", with: "&")
        }
    }

    let folder: TemporaryFolder
    /// The server's root certificate.
    private let root: String

    init(of plane: PrivateControlPlane) throws {
        folder = try TemporaryFolder()
        root = "\(plane.home)/tls/root.pem"
    }

    var jar: String { folder.path("cookies") }

    func get(_ url: String) throws -> Answer { try ask([url]) }

    func post(_ url: String, _ fields: [String: String]) throws -> Answer {
        try ask(fields.flatMap { ["--data-urlencode", "\($0.key)=\($0.value)"] } + [url])
    }

    /// Sends the form of a page.
    func answer(_ page: Answer, at url: String, step: String, match: String? = nil) throws -> Answer {
        var fields = ["token": page.hidden("token") ?? "", "step": step]
        fields["match"] = match
        return try post(url, fields)
    }

    /// Opens a link, and goes on to the provider.
    ///
    /// - Returns: the provider's page.
    func goOn(_ link: String) throws -> String {
        let page = try get(link)
        let onward = try answer(page, at: link, step: "start")
        guard page.status == 200, onward.status == 200, let provider = onward.link else {
            throw TestSupportError("no way to the provider: \(page) \(onward)")
        }
        return provider
    }

    private func ask(_ arguments: [String]) throws -> Answer {
        let text = try Tool.run(
            "curl",
            ["-sS", "-i", "--max-time", "30", "--cacert", root, "-b", jar, "-c", jar] + arguments
        ).orThrow("curl").stdoutText
        // A carriage return and a line feed are one character.
        let parts = text.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
        let lines = parts[0].split(separator: "\r\n")
        guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
            throw TestSupportError("no answer: \(text)")
        }
        let fields = lines.dropFirst().compactMap { line -> (String, String)? in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            return (line[..<colon].lowercased(), String(value))
        }
        return Answer(
            status: status, headers: Dictionary(fields) { "\($0), \($1)" },
            body: parts.count > 1 ? String(parts[1]) : "")
    }
}
