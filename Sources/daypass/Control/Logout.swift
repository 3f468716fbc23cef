// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CommandSupport

struct Logout: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "End the session, and forget its key and certificates.")

    func run() async throws {
        let state = try ClientState()
        let had = try state.session() != nil
        var problem: (any Error)?
        if had {
            do { try await state.ask("DELETE", "/v1/session") } catch { problem = error }
        }
        Identities(state).removeAll()
        state.forgetSession()
        if let problem {
            Terminal.complain(
                "warning",
                "the server was not told: \(Failure.reason(of: problem)); the session's key is gone")
        }
        Terminal.say(had ? "logged out" : "you were not logged in")
    }
}
