// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ArgumentParser
import CommandSupport
import ControlProtocol
import Glibc
import SSHWire

/// Where the agent's folders are, for hosts and tests that have them elsewhere.
struct SessionFolders: ParsableArguments {
    @Option(help: ArgumentHelp("Where sshd's trust is.", valueName: "folder", visibility: .hidden))
    var configFolder = HostLayout().configuration
    @Option(help: ArgumentHelp("Where records and the spool are.", valueName: "folder"))
    var stateFolder = HostLayout().state
    @Option(help: ArgumentHelp("Where the agent's socket is.", valueName: "folder"))
    var runtimeFolder = HostLayout().runtime

    var layout: HostLayout {
        HostLayout(configuration: configFolder, state: stateFolder, runtime: runtimeFolder)
    }
    var records: RecordFiles { RecordFiles(folder: layout.sessions) }

    func validate() throws {
        for path in [configFolder, stateFolder, runtimeFolder] where !path.hasPrefix("/") {
            throw ValidationError("\(path.escapedForTerminal): an absolute path expected")
        }
    }
}

/// The form of what is printed.
enum SessionFormat: String, ExpressibleByArgument, CaseIterable { case text, json }

/// This machine's name.
func hostName() -> String {
    var name = [CChar](repeating: 0, count: 256)
    guard unsafe gethostname(&name, name.count - 1) == 0 else { return "localhost" }
    return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}

/// Seconds of a span of time like 90s, 15m, 8h, 1d12h or 2w.
func parseSeconds(_ text: String) throws -> UInt64 {
    let refusal = ValidationError(
        "\"\(text.escapedForTerminal)\": a time like 90s, 15m, 8h, 1d12h or 2w expected")
    let units: [UInt8: UInt64] = [
        UInt8(ascii: "s"): 1, UInt8(ascii: "m"): 60, UInt8(ascii: "h"): 3_600, UInt8(ascii: "d"): 86_400,
        UInt8(ascii: "w"): 604_800,
    ]
    var total: UInt64 = 0
    var digits = ""
    guard !text.isEmpty, text.utf8.count <= 32 else { throw refusal }
    for byte in text.utf8 {
        if (0x30...0x39).contains(byte) {
            digits.unicodeScalars.append(Unicode.Scalar(byte))
            continue
        }
        guard let unit = units[byte], let number = UInt64(digits) else { throw refusal }
        let (seconds, tooLarge) = number.multipliedReportingOverflow(by: unit)
        let (sum, overflow) = total.addingReportingOverflow(seconds)
        guard !tooLarge, !overflow else { throw refusal }
        (total, digits) = (sum, "")
    }
    guard digits.isEmpty, total > 0 else { throw refusal }
    return total
}
