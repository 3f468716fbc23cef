// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

extension Provisioner {
    /// Keeps and cosigns a checkpoint of the log; the output is a ``/ControlProtocol/WitnessReport``.
    func witness(_ order: WitnessOrder, dryRun: Bool, at moment: Moment) throws(AgentError) -> HostOutcome {
        if dryRun {
            return HostOutcome(
                success: true,
                message: "dry run: the checkpoint would be verified, kept and cosigned; nothing is changed")
        }
        let lock = try HostLock(host.layout, files: host.files, seconds: 30, of: .witness)
        defer { _ = lock }
        let witness = host.witness
        let answer = try witness.see(order, at: moment.wall / 1_000_000_000)
        var report = WitnessReport(key: nil, size: 0)
        let message: String
        switch answer {
        case .cosigned(let size, let key, let line):
            (report.size, report.key, report.cosignature) = (size, key, line)
            message = "\(size) entries are kept and cosigned"
        case .needsProof(let size):
            report.size = size
            message = "\(size) entries are known: a proof from there on is needed"
        case .refused(let size, let reason):
            (report.size, report.isRefusal) = (size, true)
            message =
                "ALERT: the log was rewritten or cut: \(reason); both checkpoints are kept in \(witness.refusalPath)"
        }
        return HostOutcome(success: !report.isRefusal, message: message, output: report.text)
    }
}

extension ProvisioningHost {
    /// This host as a witness of the log.
    public var witness: HostWitness { HostWitness(layout, files: files, owner: owner, name: name) }
}
