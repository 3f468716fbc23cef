// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// What somebody may run by sudo for the time of a grant, without a password.
public struct SudoRule: Sendable, Hashable {
    /// As whom; nil for everybody, root among them.
    public let runAs: LocalName?
    /// Exactly these programs; empty for every one.
    public let commands: [Command]

    /// A program and its arguments, to the letter: no pattern, and without arguments none are allowed.
    public struct Command: Sendable, Hashable {
        public let text: String

        /// - Throws: `.invalidRequest` for anything but an absolute path and words of letters, digits and
        ///   `._/@+-` with one blank between: everything else means something to sudoers(5).
        public init(_ text: String) throws(AgentError) {
            let words = text.split(separator: " ", omittingEmptySubsequences: false)
            guard text.hasPrefix("/"), words.first.map({ !$0.hasSuffix("/") }) ?? false,
                words.allSatisfy({ word in
                    !word.isEmpty
                        && word.utf8.allSatisfy { $0.isLetterOrDigit || "._/@+-".utf8.contains($0) }
                }), !words[0].split(separator: "/").contains("..")
            else {
                throw AgentError(
                    .invalidRequest,
                    "sudo.commands: an absolute path and words of letters, digits and ._/@+- expected, one blank between, "
                        + "and it is \(describe(text))")
            }
            self.text = text
        }

        /// As sudoers(5) writes it: `""` stands for no arguments.
        var line: String { text.utf8.contains(UInt8(ascii: " ")) ? text : text + " \"\"" }
    }

    public init(runAs: LocalName? = nil, commands: [Command] = []) {
        self.runAs = runAs
        self.commands = commands
    }

    /// The line of sudoers(5) that gives it to an account.
    ///
    /// The dates are sudo's own second line of defence (sudo 1.8.20 and later); the file goes when the grant ends.
    func line(for account: LocalName, from start: UnixTime?, until end: UnixTime?) throws(AgentError)
        -> String
    {
        var dates = ""
        do throws(SSHWireError) {
            if let start { dates += "NOTBEFORE=\(try TimestampText(start).text) " }
            if let end { dates += "NOTAFTER=\(try TimestampText(end).text) " }
        } catch {
            throw AgentError(.invalidRequest, "sudo: \(error.reason)")
        }
        let programs = commands.isEmpty ? "ALL" : commands.map(\.line).joined(separator: ", ")
        return "\(account) ALL=(\(runAs?.text ?? "ALL:ALL")) \(dates)NOPASSWD: \(programs)"
    }
}
