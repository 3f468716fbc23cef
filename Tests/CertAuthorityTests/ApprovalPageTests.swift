// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import SSHWire
import Testing

@testable import CertAuthority

@Suite("docs/formats/approval.md")
struct ApprovalPageTests {
    @Test func theExampleIsWhatTheCodeWrites() throws {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let page = try FileIO.read("/\(root)/docs/formats/approval.md", maximumBytes: 64 << 10)
        let blocks = String(decoding: page, as: UTF8.self).components(separatedBy: "```")
        let request = GrantRequest(
            id: "0f1e2d3c4b5a69788796a5b4c3d2e1f0", person: try Identity("alice@example.com"),
            hosts: ["db1", "db2"], login: "root", wantsSudo: true, permissions: [.pty, .portForwarding],
            forceCommand: nil, key: nil, duration: 7_200, reason: "disk full", ticket: "OPS-4711",
            rule: "root-with-approval", isBreakGlass: false, created: UnixTime(seconds: 1_795_237_200),
            expires: UnixTime(seconds: 1_795_323_600))
        try #require(blocks.count > 1)
        #expect(blocks[1] == "\n" + request.text(origin: "daypass.example.com/log"))
    }
}
