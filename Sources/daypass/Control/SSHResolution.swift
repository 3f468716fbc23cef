// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CommandSupport
import Foundation
import SSHWire

/// Whom ssh would connect to: what it makes of arguments and of its configuration (`ssh -G`).
struct SSHResolution {
    let user: String
    let hostName: String
    let port: String

    /// The most bytes of ssh's answer.
    private static let maximumBytes = 1 << 20

    /// - Parameter arguments: as ssh will get them.
    init(_ arguments: [String]) throws {
        let process = Process()
        // env finds ssh on the search path, as execvp does later.
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["ssh", "-G"] + arguments
        process.standardInput = FileHandle.nullDevice
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let said = try output.fileHandleForReading.read(upToCount: Self.maximumBytes) ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            // It has said why.
            throw Failure(ExitStatus.usage, "ssh does not take these arguments")
        }
        var values: [Substring: String] = [:]
        let text = String(decoding: said, as: UTF8.self)
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: " ", maxSplits: 1)
            guard parts.count == 2, values[parts[0]] == nil else { continue }
            values[parts[0]] = String(parts[1])
        }
        guard let user = values["user"], let hostName = values["hostname"], let port = values["port"] else {
            throw Failure("ssh -G names no user, hostname or port")
        }
        (self.user, self.hostName, self.port) = (user, hostName, port)
    }
}
