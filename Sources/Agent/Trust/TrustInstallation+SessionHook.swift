// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// The line in a PAM service file.
extension TrustInstallation {
    mutating func wantSessionHook() throws(AgentError) {
        let reading = "logins will be read from sshd's messages"
        switch settings.sessionHook {
        case .none: return
        case .missingModule: notes.append("\(SessionModule.name) is not installed: \(reading)")
        case .pam(let path, let module):
            guard effective.says("usepam", "yes") else {
                notes.append("sshd runs without PAM (UsePAM no): \(reading)")
                return
            }
            guard let content = try files.read(path) else {
                notes.append("\(path.escapedForTerminal) does not exist: \(reading)")
                return
            }
            try checkPath(module, "PAM module")
            guard try files.kind(module) == .file else {
                notes.append("\(module.escapedForTerminal) does not exist: \(reading)")
                return
            }
            let others = try TrustBlock.remove(from: content.bytes, name: path)
            if SessionModule.isNamed(in: others) {
                notes.append(
                    "\(path.escapedForTerminal) names \(SessionModule.name) already, outside of our block")
                return
            }
            // Above every other session line: pam_env may take variables from a file in the account's home
            // (user_readenv), and what sshd says about the login is a variable too.
            try wantBlock(
                path, .hookBlock, ["session optional \(SessionModule.argument(module))"], moves: true,
                "the session hook, which never keeps anybody out")
        }
    }
}
