// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ArgumentParser
import CommandSupport
import ControlProtocol
import SSHWire

struct SessionsVerify: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Checks that no record was changed, removed or moved.",
        discussion: """
            Exit code 3 when the chain does not hold. What was cut off at the end shows only to whoever has kept an \
            earlier last hash: it is printed.
            """)

    @OptionGroup var folders: SessionFolders
    @Option(help: "text or json.") var format = SessionFormat.text

    func run() throws {
        let result = try folders.records.verify()
        switch format {
        case .text: say(result)
        case .json: Terminal.say(json(result).text)
        }
        guard result.isIntact else { throw ExitCode(ExitStatus.negative) }
    }

    private func say(_ result: RecordVerification) {
        for problem in result.problems {
            Terminal.say(
                "\(problem.file.escapedForTerminal):\(problem.line): \(problem.what.escapedForTerminal)")
        }
        if result.problemCount > result.problems.count {
            Terminal.say("and \(result.problemCount - result.problems.count) more")
        }
        guard let first = result.firstSequence, let last = result.lastSequence, let hash = result.lastHash
        else {
            return Terminal.say("no records")
        }
        let verdict = result.isIntact ? "the chain holds" : "THE CHAIN DOES NOT HOLD"
        Terminal.say("\(result.records) records in \(result.files) files, \(first) to \(last): \(verdict)")
        if let removed = result.removedThrough {
            Terminal.say("records up to \(removed) were removed by the limits")
        }
        Terminal.say("last hash \(hash)")
    }

    private func json(_ result: RecordVerification) -> JSONValue {
        func number(_ value: UInt64?) -> JSONValue { value.map { .number(Int64(clamping: $0)) } ?? .null }
        return .object([
            .init("version", 1), .init("intact", .bool(result.isIntact)),
            .init("files", .number(Int64(result.files))), .init("records", number(result.records)),
            .init("firstSequence", number(result.firstSequence)),
            .init("lastSequence", number(result.lastSequence)),
            .init("lastHash", result.lastHash.map(JSONValue.string) ?? .null),
            .init("removedThrough", number(result.removedThrough)),
            .init(
                "problems",
                .array(
                    result.problems.map {
                        .object([
                            .init("file", .string($0.file)), .init("line", .number(Int64(clamping: $0.line))),
                            .init("what", .string($0.what)),
                        ])
                    })),
        ])
    }
}
