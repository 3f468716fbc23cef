// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ArgumentParser
import CommandSupport
import ControlProtocol
import Glibc
import SSHWire

struct SessionsFollow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "follow", abstract: "Prints records as they are written, until it is interrupted.")

    @OptionGroup var folders: SessionFolders
    @Flag(help: "Begin with what stands in the current file.") var fromStart = false
    @Option(help: "text or json; json is the records' own lines.") var format = SessionFormat.text

    func run() throws {
        var follower = try RecordFollower(folders.records, fromStart: fromStart)
        while true {
            guard let line = try follower.next() else {
                usleep(200_000)
                continue
            }
            switch format {
            case .json: Terminal.write(line.bytes + [UInt8(ascii: "\n")])
            case .text: say(line)
            }
        }
    }

    private func say(_ line: RecordLines.Line) {
        guard let record = try? SessionRecord(parsing: line.bytes) else {
            return Terminal.complain("warning", "a line that is no record that this version can read")
        }
        // Those are open since an earlier file.
        if record.event.kind != .carried { Terminal.say(record.event.summary) }
    }
}

extension SessionEvent {
    /// One line for people.
    var summary: String {
        var words = [time.unixTime.description, kind.rawValue]
        if let session { words.append(String(session.prefix(12))) }
        if let account { words.append(account.escapedForTerminal) }
        if !methods.isEmpty { words.append("by \(who.escapedForTerminal)") }
        if let certificate { words.append("serial \(certificate.serial)") }
        if let address = source?.address ?? remoteHost { words.append("from \(address.escapedForTerminal)") }
        if let durationMicroseconds {
            words.append("after \(spell(seconds: durationMicroseconds / 1_000_000))")
        }
        if let actor { words.append("by \(actor.escapedForTerminal)") }
        if let reason { words.append("(\(reason.escapedForTerminal))") }
        return words.joined(separator: " ")
    }
}
