// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent

/// The machine's files, of which one operation goes wrong.
struct FaultyFiles: HostFiles {
    let fault: Fault
    private let files = SystemFiles()

    init(_ fault: Fault) { self.fault = fault }

    /// Reading: it can fail, and a death before it is one after the change before it.
    private func reading<Result>(_ body: () throws(AgentError) -> Result) throws(AgentError) -> Result {
        if fault.kind == .fail, fault.isNextFile() { throw Self.broken }
        return try body()
    }

    private func changing(_ body: () throws(AgentError) -> Void) throws(AgentError) {
        let isNow =
            switch fault.kind {
            case .fail, .failAfter, .kill, .killAfter: fault.isNextFile()
            default: false
            }
        if isNow, fault.kind == .kill { fault.die() }
        if isNow, fault.kind == .fail { throw Self.broken }
        try body()
        if isNow, fault.kind == .killAfter { fault.die() }
        if isNow, fault.kind == .failAfter { throw Self.broken }
    }

    private static let broken = AgentError(.full, "no space left on device (injected)")

    func kind(_ path: String) throws(AgentError) -> FileKind? {
        try reading { () throws(AgentError) in try files.kind(path) }
    }

    func read(_ path: String, maximumBytes: Int) throws(AgentError) -> FileContent? {
        try reading { () throws(AgentError) in try files.read(path, maximumBytes: maximumBytes) }
    }

    func folder(_ path: String) throws(AgentError) -> FileAttributes? {
        try reading { () throws(AgentError) in try files.folder(path) }
    }

    func list(_ path: String) throws(AgentError) -> [String]? {
        try reading { () throws(AgentError) in try files.list(path) }
    }

    func create(_ path: String, _ content: FileContent) throws(AgentError) {
        if fault.kind == .killWithin, fault.isNextFile() {
            var half = content
            half.bytes.removeLast(half.bytes.count - half.bytes.count / 2)
            try files.create(path, half)
            fault.die()
        }
        try changing { () throws(AgentError) in try files.create(path, content) }
    }

    func rename(_ from: String, to path: String) throws(AgentError) {
        try changing { () throws(AgentError) in try files.rename(from, to: path) }
    }

    func remove(_ path: String) throws(AgentError) {
        try changing { () throws(AgentError) in try files.remove(path) }
    }

    func makeFolder(_ path: String, _ attributes: FileAttributes) throws(AgentError) {
        try changing { () throws(AgentError) in try files.makeFolder(path, attributes) }
    }

    func changeFolder(_ path: String, _ attributes: FileAttributes) throws(AgentError) {
        try changing { () throws(AgentError) in try files.changeFolder(path, attributes) }
    }

    func removeFolder(_ path: String) throws(AgentError) {
        try changing { () throws(AgentError) in try files.removeFolder(path) }
    }
}

/// The machine's programs, of which one run goes wrong.
struct FaultyPrograms: ProgramRunner {
    let fault: Fault
    private let programs = SystemPrograms()

    init(_ fault: Fault) { self.fault = fault }

    func run(_ path: String, _ arguments: [String], input: [UInt8], seconds: Int) throws(AgentError)
        -> ProgramResult
    {
        let isNow =
            switch fault.kind {
            case .program, .programStatus, .killBeforeProgram, .killAfterProgram: fault.isNextProgram()
            default: false
            }
        if isNow, fault.kind == .killBeforeProgram { fault.die() }
        if isNow, fault.kind == .program { throw AgentError(.program, "\(path): cannot be run (injected)") }
        let result = try programs.run(path, arguments, input: input, seconds: seconds)
        if isNow, fault.kind == .killAfterProgram { fault.die() }
        if isNow, fault.kind == .programStatus {
            return ProgramResult(status: 1, output: [], errors: Array("injected".utf8))
        }
        return result
    }
}
