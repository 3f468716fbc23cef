// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import CommandSupport
import Foundation
import Logging
import ServiceLifecycle
import Synchronization

/// Keeps a signer running: the process that holds the CA keys.
struct SignerProcess: Service {
    let home: ServerHomeOptions
    let settings: ServerConfiguration
    let logger: Logger

    /// How long to wait before a signer that ended is started again, at first and at most.
    private static let pauses: (first: Duration, longest: Duration) = (.milliseconds(100), .seconds(10))
    /// A signer that ran this long had nothing wrong with it.
    private static let steady: Duration = .seconds(30)

    func run() async throws {
        try FileIO.makeSecretFolder(home.folder.path + "/run")
        try await cancelWhenGracefulShutdown {
            var pause = Self.pauses.first
            while !Task.isCancelled {
                let start = ContinuousClock.now
                let status = try await once()
                guard !Task.isCancelled else { return }
                logger.error("signer ended", metadata: ["daypass.status": "\(status)"])
                if ContinuousClock.now - start > Self.steady { pause = Self.pauses.first }
                try? await Task.sleep(for: pause)
                pause = min(pause * 2, Self.pauses.longest)
            }
        }
    }

    /// Runs a signer to its end.
    private func once() async throws -> Int32 {
        let process = Process()
        process.executableURL = URL(filePath: try Self.program())
        process.arguments = [
            "signer", "--home", home.folder.path, "--config", home.configurationFile, "--until-stdin-ends",
        ]
        // It ends when this end of the pipe is closed, however this process ends.
        let lifeline = Pipe()
        process.standardInput = lifeline
        let ended = AsyncStream<Int32>.makeStream()
        process.terminationHandler = { process in
            ended.continuation.yield(process.terminationStatus)
            ended.continuation.finish()
        }
        try process.run()
        defer { try? lifeline.fileHandleForWriting.close() }
        for await status in ended.stream { return status }
        return 0
    }

    private static func program() throws -> String {
        #if os(Linux)
            return "/proc/self/exe"
        #else
            guard let path = Bundle.main.executablePath else {
                throw CertAuthorityError(.file, "where this program lies can't be told")
            }
            return path
        #endif
    }
}
