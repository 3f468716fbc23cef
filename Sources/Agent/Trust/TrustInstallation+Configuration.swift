// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// sshd's own configuration.
extension TrustInstallation {
    mutating func wantConfiguration() throws(AgentError) {
        let texts = (try hostKeyLines() + lines).map { "\($0.keyword) \($0.value)" }
        let placement = try TrustPlacement.choose(
            configuration, own, sshd.configuration, lines.map(\.keyword), files)
        switch placement {
        case .dropIn(let path):
            try wantBlock(
                path, .settingsBlock, texts, moves: false, "sshd's settings, in a file that it includes")
        case .mainFile(let moves):
            try wantBlock(
                sshd.configuration, .settingsBlock, texts, moves: moves,
                "sshd's settings, at the top of its configuration, where they win")
        }
    }

    /// Lines with `HostKey`: the first of them switches off sshd's own choice, so that is written out too.
    private func hostKeyLines() throws(AgentError) -> [(keyword: String, value: String)] {
        guard let path = settings.hostIdentity?.keyPath else { return [] }
        let given = configuration.all("HostKey").filter { !own.contain($0) }
        if given.contains(where: { $0.value == path }) { return [] }
        guard given.isEmpty else { return [("HostKey", path)] }
        let ours = configuration.all("HostKey").contains(where: own.contain)
        let present = effective.all("hostkey")
        if !ours, present.contains(path) { return [] }
        var paths: [String] = []
        for key in present where key != path {
            if try files.kind(key) != nil { paths.append(key) }
        }
        return (paths + [path]).map { ("HostKey", $0) }
    }

    /// Reads the configuration as it will be, and makes sure that our lines win.
    func checkWinners(_ steps: [Plan.Step]) throws(AgentError) {
        let planned = try SshdConfiguration(
            reading: sshd.configuration, from: PlannedFiles(files, after: steps))
        let own = try OwnLines(planned)
        for line in lines where line.keyword != "HostCertificate" {
            guard let winner = planned.winner(line.keyword) else {
                throw AgentError(.conflict, "\(line.keyword): sshd would not read our line")
            }
            guard own.contain(winner) || TrustConflicts.isSame(line.keyword, winner.value, line.value) else {
                throw AgentError(
                    .conflict,
                    "\(line.keyword) \(winner.value.escapedForTerminal) at \(winner.place) would win over ours",
                    hint: "take that line away")
            }
        }
    }
}
